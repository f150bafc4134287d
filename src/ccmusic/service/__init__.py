"""The HTTP service of ``ccmusic serve``."""

from __future__ import annotations

import os

import uvicorn

from ccmusic.service.app import create_app
from ccmusic.service.gate import Limits
from ccmusic.sockets import address, bind
from ccmusic.texts import localized

__all__ = ["Limits", "create_app", "launch"]


def launch(*, host: str, port: int, token: str | None, limits: Limits) -> None:
    """Serve until the process is told to end; running requests are finished first.

    Raises
    ------
    CCMusicError
        If the token is empty, or the address cannot be listened on.
    CheckpointError
        If there is no model to ask.
    """
    if token is None:
        # The command line takes an empty variable for none; create_app() refuses it.
        token = os.environ.get("CCMUSIC_TOKEN")
    app = create_app(token=token, limits=limits)
    listener = bind(host, port, backlog=2048)
    url = address(host, listener.getsockname()[1])
    print(localized(f"CCMusic answers at {url}, see /docs (Ctrl-C ends it)"), flush=True)
    config = uvicorn.Config(app, log_level="warning", server_header=False)
    uvicorn.Server(config).run(sockets=[listener])
