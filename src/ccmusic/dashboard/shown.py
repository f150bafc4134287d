"""What the page shows of a piece: which ten seconds, edited how, and who judges them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ccmusic.analysis import Analysis
from ccmusic.audio import CLIP_SECONDS, Clip
from ccmusic.axes import Orientation
from ccmusic.dashboard.background import Background
from ccmusic.dashboard.compute import prepared, start_analysis
from ccmusic.dashboard.piece import Piece
from ccmusic.dashboard.state import state
from ccmusic.errors import CCMusicError
from ccmusic.prepare import Prepared
from ccmusic.spectrogram import TransformChoice
from ccmusic.texts import Language
from ccmusic.verdict import Verdict

STEP = 0.1
"""Seconds by which the window moves."""


@dataclass(frozen=True)
class Edited:
    """The sound as it was edited, and what is said of it."""

    window: Prepared
    pending: Background[Verdict, Analysis] | None
    """None without models."""


@dataclass(frozen=True)
class Shown:
    """What one run of the page is about."""

    piece: Piece
    transform: TransformChoice
    on: Sequence[str]
    """Names of the models that are switched on."""
    language: Language
    start: float | None
    """Second at which the window begins; None for the middle of the piece."""
    window: Prepared
    """Before any edit."""
    pending: Background[Verdict, Analysis] | None
    """Begun before anything is drawn, so that the models run meanwhile; None without models."""
    after: Edited | CCMusicError | None
    """The sound as it was edited, or why it cannot be; None where nothing is."""

    @classmethod
    def of(
        cls,
        piece: Piece,
        transform: TransformChoice,
        on: Sequence[str],
        language: Language,
        *,
        judged: bool,
    ) -> Shown:
        """Decode a piece, and begin to judge it if there are models to ask.

        Raises
        ------
        AudioError
            If the recording cannot be read.
        """
        start = _window_start(piece, transform)
        window = prepared(piece, transform, start)
        pending = start_analysis(piece, transform, start) if judged else None
        after: Edited | CCMusicError | None = None
        if edits := state().edits:
            try:
                after = Edited(
                    prepared(piece, transform, start, edits),
                    start_analysis(piece, transform, start, edits) if judged else None,
                )
            except CCMusicError as error:
                after = error
        return cls(piece, transform, on, language, start, window, pending, after)

    @property
    def clip(self) -> Clip:
        """The window before any edit."""
        return self.window.clip

    @property
    def orientation(self) -> Orientation:
        """Of a CQT; of others time is along x."""
        turned = state().as_networks and self.transform == "cqt"
        return "pitch_along_x" if turned else "time_along_x"


def _window_start(piece: Piece, transform: TransformChoice) -> float | None:
    """Second to which the window was moved; None while it lies in the middle."""
    start = state().start
    if start is None:
        return None
    middle = prepared(piece, transform).clip.info
    last = max(0.0, middle.duration - CLIP_SECONDS)
    start = min(max(0.0, start), last)
    return None if abs(start - middle.window_start) < STEP else start
