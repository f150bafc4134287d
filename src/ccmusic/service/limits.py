"""What a service takes from one client, and from all together."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Beyond these a request is refused, with a status that says why."""

    megabytes: int = 50
    """Of one upload."""
    minutes: float = 180.0
    """Of sound in one recording."""
    seconds: float = 120.0
    """From the first byte of a request to the last of its answer."""
    decode_seconds: float = 30.0
    """To read one recording."""
    queue: int = 64
    """Requests that are being received, wait or are worked on."""
