"""Listening sockets."""

from __future__ import annotations

import socket

from ccmusic.errors import CCMusicError


def bind(host: str, port: int, *, backlog: int | None = None) -> socket.socket:
    """Listen on an address.

    Raises
    ------
    CCMusicError
        If the address cannot be used.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=backlog)
    except OSError as error:
        reason = str(error.strerror).partition(" (")[0]  # Python adds the address a second time
        raise CCMusicError(
            f"cannot listen on {host}:{port} ({reason}); choose another --port"
        ) from None
