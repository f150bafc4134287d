"""Limits of the service, per client and in total."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Requests above these limits are refused, with a status that tells the reason."""

    megabytes: int = 50
    """Maximum size of one upload."""
    minutes: float = 180.0
    """Maximum duration of one recording."""
    seconds: float = 120.0
    """Maximum time from the first byte of a request to the last byte of its answer."""
    decode_seconds: float = 30.0
    """Maximum time to decode one recording."""
    queue: int = 64
    """Maximum number of requests that are received, waiting, or processed."""
