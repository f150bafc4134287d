"""The HTTP service of ``ccmusic serve``."""

from __future__ import annotations

import uvicorn

from ccmusic.service.app import create_app
from ccmusic.service.limits import Limits
from ccmusic.sockets import bind

__all__ = ["Limits", "create_app", "launch"]


def launch(*, host: str, port: int, token: str | None, limits: Limits) -> None:
    """Serve until the process is told to end; running requests are finished first.

    Raises
    ------
    CCMusicError
        If the address cannot be listened on.
    CheckpointError
        If there is no model to ask.
    """
    listener = bind(host, port, backlog=2048)
    app = create_app(token=token, limits=limits)
    port = listener.getsockname()[1]
    print(f"CCMusic answers at http://{host}:{port}, see /docs (Ctrl-C ends it)", flush=True)
    config = uvicorn.Config(app, log_level="warning", server_header=False)
    uvicorn.Server(config).run(sockets=[listener])
