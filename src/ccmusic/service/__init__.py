"""Recordings in over HTTP, verdicts out: the server of ``ccmusic serve``."""

from __future__ import annotations

import socket

import uvicorn

from ccmusic.errors import CCMusicError
from ccmusic.service.app import create_app
from ccmusic.service.limits import Limits

__all__ = ["Limits", "create_app", "launch"]


def launch(*, host: str, port: int, token: str | None, limits: Limits) -> None:
    """Serve until told to end; then requests that were taken are finished first.

    Raises
    ------
    CCMusicError
        If the address cannot be listened on.
    CheckpointError
        If there is no model to ask.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        reason = str(error.strerror).partition(" (")[0]  # Python adds the address a second time
        raise CCMusicError(
            f"cannot listen on {host}:{port} ({reason}); choose another --port"
        ) from None
    app = create_app(token=token, limits=limits)
    port = listening.getsockname()[1]
    print(f"CCMusic answers at http://{host}:{port}, see /docs (Ctrl-C ends it)", flush=True)
    config = uvicorn.Config(app, log_level="warning", server_header=False)
    uvicorn.Server(config).run(sockets=[listening])
