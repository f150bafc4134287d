"""What the page shows of a piece: which ten seconds, edited how, and who judges them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ccmusic.analysis import Analysis
from ccmusic.audio import CLIP_SECONDS, Clip
from ccmusic.dashboard.background import Background
from ccmusic.dashboard.compute import measured_analysis, prepared
from ccmusic.dashboard.piece import Piece, Sound
from ccmusic.dashboard.state import state
from ccmusic.errors import CCMusicError
from ccmusic.prepare import Prepared
from ccmusic.spectrogram import TransformChoice
from ccmusic.texts import Language

STEP = 0.1
"""Seconds by which the window moves."""


@dataclass(frozen=True)
class Shown:
    """What one run of the page is about."""

    sound: Sound
    transform: TransformChoice
    on: Sequence[str]
    """Names of the models that are switched on."""
    language: Language
    window: Prepared
    pending: Background[Any, Analysis] | None
    """Begun before anything is drawn, so that the models run meanwhile; None without models."""
    after: Shown | CCMusicError | None = None
    """The same as it was edited, or why it cannot be; None where nothing is."""

    @property
    def piece(self) -> Piece:
        """Of which the sound is."""
        return self.sound.piece

    @property
    def clip(self) -> Clip:
        """The ten seconds."""
        return self.window.clip


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

    def shown(sound: Sound) -> Shown:
        window = prepared(sound, transform)
        pending = measured_analysis(sound, transform) if judged else None
        return Shown(sound, transform, on, language, window, pending)

    plain = shown(Sound(piece, _window_start(piece, transform)))
    if not (edits := state().edits):
        return plain
    try:
        return replace(plain, after=shown(replace(plain.sound, edits=edits)))
    except CCMusicError as error:
        return replace(plain, after=error)


def _window_start(piece: Piece, transform: TransformChoice) -> float | None:
    """Second to which the window was moved; None while it lies in the middle."""
    start = state().start
    if start is None:
        return None
    middle = prepared(Sound(piece), transform).clip.info
    last = max(0.0, middle.duration - CLIP_SECONDS)
    start = min(max(0.0, start), last)
    return None if abs(start - middle.window_start) < STEP else start
