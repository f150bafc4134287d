"""What the page shows of a piece: which ten seconds, edited how, and who judges them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ccmusic.analysis import Analysis
from ccmusic.audio import CLIP_SECONDS, Clip
from ccmusic.axes import Orientation
from ccmusic.dashboard.background import Background
from ccmusic.dashboard.compute import prepared
from ccmusic.dashboard.importance import known_analysis
from ccmusic.dashboard.piece import Piece
from ccmusic.dashboard.state import state
from ccmusic.edits import Edit
from ccmusic.errors import CCMusicError
from ccmusic.prepare import Prepared
from ccmusic.spectrogram import TransformChoice
from ccmusic.texts import Language

STEP = 0.1
"""Seconds by which the window moves."""


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
    pending: Background[Any, Analysis] | None
    """Begun before anything is drawn, so that the models run meanwhile; None without models."""
    after: Shown | CCMusicError | None = None
    """The same as it was edited, or why it cannot be; None where nothing is."""

    @property
    def clip(self) -> Clip:
        """The ten seconds."""
        return self.window.clip

    @property
    def orientation(self) -> Orientation:
        """Of a CQT; of others time is along x."""
        turned = state().as_networks and self.transform == "cqt"
        return "pitch_along_x" if turned else "time_along_x"


def show(
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

    def sound(edits: tuple[Edit, ...]) -> Shown:
        window = prepared(piece, transform, start, edits)
        pending = known_analysis(piece, transform, start, edits) if judged else None
        return Shown(piece, transform, on, language, start, window, pending)

    plain = sound(())
    if not (edits := state().edits):
        return plain
    try:
        return replace(plain, after=sound(edits))
    except CCMusicError as error:
        return replace(plain, after=error)


def _window_start(piece: Piece, transform: TransformChoice) -> float | None:
    """Second to which the window was moved; None while it lies in the middle."""
    start = state().start
    if start is None:
        return None
    middle = prepared(piece, transform).clip.info
    last = max(0.0, middle.duration - CLIP_SECONDS)
    start = min(max(0.0, start), last)
    return None if abs(start - middle.window_start) < STEP else start
