"""Something that can be closed in, a context manager out."""

from __future__ import annotations

from types import TracebackType
from typing import Self


class Closing:
    """Base of what is closed at the end of a ``with`` block."""

    def close(self) -> None:
        """Let go of what is held."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
