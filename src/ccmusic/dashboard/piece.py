"""A recording that a visitor looks at, and ten seconds of it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

from ccmusic.edits import Edit


@dataclass(frozen=True)
class Piece:
    """A recording held in memory."""

    name: str
    """File name for messages; never a path that anything is written to."""
    title: str
    """What the page calls it."""
    content: bytes
    genre: str | None = None
    """What its makers call it, where they said so."""

    @cached_property
    def key(self) -> tuple[str, str]:
        """What tells two pieces apart."""
        return self.name, hashlib.sha256(self.content).hexdigest()

    @cached_property
    def token(self) -> str:
        """What the page's address calls it."""
        return hashlib.sha256("\0".join(self.key).encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Sound:
    """Ten seconds of a piece, as they are or edited."""

    piece: Piece
    start: float | None = None
    """Second at which they begin; None for the middle of the piece."""
    edits: tuple[Edit, ...] = ()
