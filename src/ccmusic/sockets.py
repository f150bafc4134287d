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
            f"cannot listen on {host}:{port} ({reason}); choose another `port`"
        ) from None


def address(host: str, port: int, scheme: str = "http", path: str = "") -> str:
    """Write the address that a browser takes.

    >>> address("::1", 8000)
    'http://[::1]:8000'
    >>> address("localhost", 8501, "https", "/music/")
    'https://localhost:8501/music'
    """
    host = f"[{host}]" if ":" in host else host
    return f"{scheme}://{host}:{port}/{path.strip('/')}".rstrip("/")
