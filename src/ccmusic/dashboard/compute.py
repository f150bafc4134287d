"""Cached computations of the page.

The caches belong to the process, with the content of a recording as key: visitors with the same
recording and the same models share results.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import streamlit as st

from ccmusic import audio, zoo
from ccmusic.agreement import mean_probabilities
from ccmusic.analysis import Analysis, prepare
from ccmusic.audio import MAX_SECONDS, AudioWarning, Clip, Samples
from ccmusic.dashboard.models import private_models
from ccmusic.errors import CheckpointError
from ccmusic.panel import Panel
from ccmusic.picture import Preprocessing
from ccmusic.spectrogram import Spectrogram, TransformChoice, TransformName, transforms_of
from ccmusic.verdict import Verdict
from ccmusic.zoo import Checkpoint


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

    def open(self) -> BinaryIO:
        """Stream that messages call by the name of the piece."""
        return audio.named(self.content, self.name)


class PendingAnalysis:
    """An analysis under way.

    It runs in its own thread, so that a page that is drawn again meanwhile, for example in another
    language, can join it.
    """

    def __init__(self, piece: Piece, clip: Clip, panel: Panel) -> None:
        self.cards = panel.cards
        """Cards of the models that are asked."""
        self._news = threading.Condition()
        self._verdicts: list[Verdict] = []
        self._outcome: Analysis | Exception | None = None
        work = (piece, clip, panel)
        threading.Thread(target=self._run, args=work, daemon=True).start()

    def _run(self, piece: Piece, clip: Clip, panel: Panel) -> None:
        outcome: Analysis | Exception
        try:
            started = time.perf_counter()
            prepared = prepare(piece.open(), panel.preprocessings, clip=clip)
            outcome = panel.analyze_prepared(prepared, started=started, on_verdict=self._on_verdict)
        except Exception as error:  # raised again where someone waits for it
            outcome = error
        with self._news:
            self._outcome = outcome
            self._news.notify_all()

    def _on_verdict(self, verdict: Verdict) -> None:
        with self._news:
            self._verdicts.append(verdict)
            self._news.notify_all()

    @property
    def finished(self) -> bool:
        """Return whether the analysis is complete."""
        return self._outcome is not None

    def verdicts(self) -> Iterator[Verdict]:
        """Every verdict, those that are there at once and the others as they come."""
        seen = 0
        while True:
            with self._news:
                while not self.finished and len(self._verdicts) == seen:
                    self._news.wait()
                fresh = self._verdicts[seen:]
            if not fresh:
                return
            yield from fresh
            seen += len(fresh)

    def result(self) -> Analysis:
        """Wait for the complete analysis.

        Raises
        ------
        CCMusicError
            As :meth:`ccmusic.panel.Panel.analyze`.
        """
        with self._news:
            self._news.wait_for(lambda: self.finished)
        assert self._outcome is not None
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return self._outcome


def warnings_for(clip: Clip, transform: TransformChoice) -> list[AudioWarning]:
    """What lessens the worth of the verdicts; the CQT does not reach the band above 5 kHz."""
    without = {"silence", "dull"} if transform == "cqt" else {"silence"}
    return [warning for warning in clip.warnings if warning.code not in without]


_STRETCHES = 600  # of a waveform: about as many as a screen has room for
_decoders = ThreadPoolExecutor(1, thread_name_prefix="ccmusic-outline")
_BY_CONTENT: dict[str | type[Any], Callable[[Any], Any]] = {
    Piece: lambda piece: piece.key,
    Checkpoint: lambda checkpoint: (str(checkpoint.path), checkpoint.card.sha256),
}
_Own = tuple[Checkpoint, ...]
"""Models that only one visitor sees."""


def open_panel(transform: TransformChoice) -> Panel:
    """Panel of all checkpoints, the visitor's own included; loading goes on in the background.

    Every model is loaded once, whether it is asked with both transforms or with its own.

    Raises
    ------
    CheckpointError
        If the transform has no checkpoints.
    """
    own = _own(transform)
    return _own_panel(transform, own) if own else _open_panel(transform)


def _own(transform: TransformChoice) -> _Own:
    return tuple(c for c in private_models() if c.card.transform in transforms_of(transform))


@st.cache_resource(show_spinner=False)
def _open_panel(transform: TransformChoice) -> Panel:
    if transform == "both" and {"cqt", "mel"} <= _transforms():
        return _open_panel("cqt").combine(_open_panel("mel"))
    return Panel.open(transform)


@st.cache_resource(show_spinner=False, max_entries=8, hash_funcs=_BY_CONTENT)
def _own_panel(transform: TransformChoice, own: _Own) -> Panel:
    mine = Panel(own)
    try:
        others = _open_panel(transform)
    except CheckpointError:
        return mine
    taken = {checkpoint.card.name for checkpoint in own}
    names = [card.name for card in others.cards if card.name not in taken]
    return others.select(names).combine(mine)


def has_models(transform: TransformName) -> bool:
    """Whether any checkpoint looks at a transform."""
    return transform in _transforms() or bool(_own(transform))


@st.cache_resource(show_spinner=False)
def _transforms() -> set[str]:
    return {checkpoint.card.transform for checkpoint in zoo.scan()[0]}


@st.cache_resource(show_spinner=False)
def faulty_checkpoints() -> list[CheckpointError]:
    """What is wrong with the checkpoints that cannot be asked."""
    return zoo.scan()[1]


@st.cache_resource(show_spinner=False, max_entries=16, hash_funcs=_BY_CONTENT)
def decode_window(piece: Piece, start: float | None = None) -> Clip:
    """Window of the recording: from a second on, or its centre.

    Raises
    ------
    AudioError
        If the recording cannot be read.
    """
    return audio.load(piece.open(), crop="center" if start is None else start)


@dataclass(frozen=True, eq=False)
class Envelope:
    """Lowest and highest samples of a whole piece, in equal stretches of time."""

    edges: npt.NDArray[np.float64]
    """Seconds, one more than there are stretches."""
    lowest: Samples
    highest: Samples


@st.cache_resource(show_spinner=False, max_entries=16, hash_funcs=_BY_CONTENT)
def waveform_envelope(piece: Piece) -> Future[Envelope]:
    """Begin to decode the whole piece for its waveform, half an hour of it at most."""
    return _decoders.submit(_waveform_envelope, piece)


def _waveform_envelope(piece: Piece) -> Envelope:
    whole = audio.load(piece.open(), seconds=MAX_SECONDS, loop=False)
    samples, info = whole.original, whole.info
    lowest, highest = envelope(samples)
    return Envelope(
        np.linspace(info.window_start, info.window_end, len(lowest) + 1), lowest, highest
    )


def envelope(samples: Samples) -> tuple[Samples, Samples]:
    """Lowest and highest sample of each stretch; of few samples, fewer stretches."""
    starts = np.unique(np.linspace(0, len(samples), _STRETCHES, endpoint=False).astype(int))
    return np.minimum.reduceat(samples, starts), np.maximum.reduceat(samples, starts)


@st.cache_resource(show_spinner=False, max_entries=16, hash_funcs=_BY_CONTENT)
def cached_spectrogram(
    piece: Piece, transform: TransformName, start: float | None = None
) -> Spectrogram:
    """Spectrogram of the window, without a checkpoint; errors as :func:`decode_window`."""
    return Preprocessing.default(transform).transform(decode_window(piece, start).samples)


def start_analysis(
    piece: Piece, transform: TransformChoice, start: float | None = None
) -> PendingAnalysis:
    """Start an analysis; raises what :func:`decode_window` and :func:`open_panel` raise."""
    return _start_analysis(piece, transform, start, _own(transform))


@st.cache_resource(show_spinner=False, max_entries=16, hash_funcs=_BY_CONTENT)
def _start_analysis(
    piece: Piece, transform: TransformChoice, start: float | None, own: _Own
) -> PendingAnalysis:
    return PendingAnalysis(piece, decode_window(piece, start), open_panel(transform))


_MOST_WINDOWS = 60  # of a whole piece, five seconds or more apart
_HOP = 5.0


class WholePiece:
    """Verdicts on windows all along a piece, kept as far as somebody waited for them."""

    def __init__(self, piece: Piece, panel: Panel) -> None:
        seconds = min(MAX_SECONDS, decode_window(piece).info.duration)
        hop = max(_HOP, seconds / _MOST_WINDOWS)
        self._windows, self._panel = panel.timeline(piece.open(), hop=hop), panel
        self.starts = self._windows.starts
        """Seconds at which the windows begin."""
        self._verdicts: dict[float, list[Verdict]] = {}

    @property
    def finished(self) -> bool:
        """Whether every window has been judged."""
        return len(self._verdicts) == len(self.starts)

    def advance(self) -> Iterator[None]:
        """Judge the windows that are left, one at each step."""
        for start in self.starts:
            if start not in self._verdicts:
                judged = self._panel.analyze(self._windows.window(start))
                self._verdicts[start] = list(judged.verdicts.values())
                yield

    def course(self, on: Collection[str]) -> dict[float, dict[str, float]]:
        """Mean of the models that are on, by the second at which a window begins."""
        return {
            start: mean_probabilities([v for v in self._verdicts[start] if v.card.name in on])
            for start in self.starts
            if start in self._verdicts
        }


def whole_piece(piece: Piece, transform: TransformChoice) -> WholePiece:
    """Windows all along the piece; errors as :func:`start_analysis`."""
    return _whole_piece(piece, transform, _own(transform))


@st.cache_resource(show_spinner=False, max_entries=4, hash_funcs=_BY_CONTENT)
def _whole_piece(piece: Piece, transform: TransformChoice, own: _Own) -> WholePiece:
    return WholePiece(piece, open_panel(transform))


def cached_analysis(piece: Piece, transform: TransformChoice) -> Analysis:
    """Verdicts on the middle of a recording, without its sound and pictures, to be many.

    Errors as :func:`start_analysis`.
    """
    return _cached_analysis(piece, transform, _own(transform))


@st.cache_resource(show_spinner=False, max_entries=512, hash_funcs=_BY_CONTENT)
def _cached_analysis(piece: Piece, transform: TransformChoice, own: _Own) -> Analysis:
    panel = open_panel(transform)
    prepared = prepare(piece.open(), panel.preprocessings, clip=decode_window(piece))
    analysis = panel.analyze_prepared(prepared.without_sound())
    return replace(analysis, spectrograms={}, pictures={})


def forget_models() -> None:
    """Open the checkpoints anew, because some have come or gone; sounds and pictures stay."""
    for known in (
        _open_panel,
        _transforms,
        faulty_checkpoints,
        _start_analysis,
        _whole_piece,
        _cached_analysis,
    ):
        known.clear()
