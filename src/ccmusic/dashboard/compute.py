"""Cached computations of the page.

The caches belong to the process, with the content of a recording as key: visitors with the same
recording and the same models share results.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable
from contextlib import suppress
from dataclasses import replace
from functools import cache
from typing import Any, ParamSpec, TypeVar

from ccmusic import zoo
from ccmusic.analysis import Analysis
from ccmusic.audio import Clip, Crop, Envelope
from ccmusic.dashboard.background import Background
from ccmusic.dashboard.cache import Cached
from ccmusic.dashboard.models import others_come, private_models
from ccmusic.dashboard.piece import Piece, Sound
from ccmusic.edits import Edit, OneChannel
from ccmusic.engine import Engine
from ccmusic.errors import CCMusicError, CheckpointError, without_paths
from ccmusic.features import Stage, stages
from ccmusic.importance import Importance
from ccmusic.panel import Panel, available_cores, in_order
from ccmusic.picture import Picture, Preprocessing
from ccmusic.prepare import Prepared
from ccmusic.spectrogram import TransformChoice, TransformName, transforms_of
from ccmusic.verdict import Verdict
from ccmusic.whole import WholePiece
from ccmusic.zoo import Checkpoint

P = ParamSpec("P")
R = TypeVar("R")

# Seconds for which work goes on that nobody looks at: longer than a run of the page takes to come
# back to it, and, for a whole piece, longer than a window is usually open.
_PATIENCE, _PATIENCE_WITH_PIECES = 3.0, 30.0


def _by_content(value: object) -> Hashable:
    if isinstance(value, Piece):
        return value.key
    if isinstance(value, Sound):
        return value.piece.key, value.start, value.edits
    if isinstance(value, Checkpoint):
        return str(value.path), value.card.sha256
    if isinstance(value, Picture):
        return hashlib.sha256(value.input.tobytes()).hexdigest()
    if isinstance(value, tuple):
        return tuple(map(_by_content, value))
    return value


_caches: dict[bool, list[Cached[..., Any]]] = {False: [], True: []}
"""By whether models have a part in the results."""


def _cached(
    most: int, *, of_models: bool = False, of_visitor: bool = False
) -> Callable[[Callable[P, R]], Cached[P, R]]:
    def decorate(function: Callable[P, R]) -> Cached[P, R]:
        cached = (_OfVisitor if of_visitor else Cached)(function, most, _by_content)
        _caches[of_models or of_visitor].append(cached)
        return cached

    return decorate


class _OfVisitor(Cached[P, R]):
    """A function of a transform and more, whose result is of the visitor's own models as well."""

    def _key_of(self, args: tuple[object, ...], kwargs: dict[str, object]) -> Hashable:
        transform: Any = self._signature.bind(*args, **kwargs).arguments["transform"]
        return super()._key_of(args, kwargs), _by_content(_own(transform))


def forget_all() -> None:
    """Compute everything anew."""
    for cached in _caches[False] + _caches[True]:
        cached.clear()


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


@_cached(4, of_models=True)
def _open_panel(transform: TransformChoice) -> Panel:
    if transform == "both" and {"cqt", "mel"} <= _transforms():
        return _open_panel("cqt").combine(_open_panel("mel"))
    return Panel.open(transform)


@_cached(8)
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


@_cached(4, of_models=True)
def _transforms() -> set[str]:
    return {checkpoint.card.transform for checkpoint in zoo.scan()[0]}


@_cached(4, of_models=True)
def faulty_checkpoints() -> list[CheckpointError]:
    """What is wrong with the checkpoints that cannot be asked."""
    return zoo.scan()[1]


@cache
def engine() -> Engine:
    """Decoders of the page, shared by all visitors.

    More than there are cores: who chooses a piece does not wait for the whole of another one.
    """
    return Engine(available_cores() + 2, keep_sound=True)


def warm_up() -> None:
    """Start a decoder and load the models of the first view."""
    _open_panel("cqt")
    engine().warm_up()


def prepared(sound: Sound, transform: TransformChoice) -> Prepared:
    """The window of a recording, and the pictures of the models.

    CQT and Mel are computed in any case: whoever turns to the other one need not wait.

    Raises
    ------
    AudioError
        If the recording cannot be read.
    ParameterError
        If an edit cannot be applied to it.
    """
    wanted = {Preprocessing.default(name) for name in transforms_of(transform)}
    with suppress(CheckpointError):  # of a transform without models
        wanted |= open_panel(transform).preprocessings
    both = {Preprocessing.default("cqt"), Preprocessing.default("mel")}
    return _prepared(sound, frozenset(wanted | both)).restrict(wanted)


@_cached(16)
def _prepared(sound: Sound, preprocessings: frozenset[Preprocessing]) -> Prepared:
    plain = _prepared(replace(sound, edits=()), preprocessings).clip if sound.edits else None
    return _edited(sound, plain, preprocessings)


def _edited(sound: Sound, clip: Clip | None, preprocessings: frozenset[Preprocessing]) -> Prepared:
    """Prepare what is edited from its window, or anew where that is not enough."""
    piece, edits = sound.piece, sound.edits
    channel = any(isinstance(edit, OneChannel) for edit in edits)
    if clip and not channel and not any(p.slice_seconds for p in preprocessings):
        return engine().prepare(clip, preprocessings, edits=edits)
    crop: Crop | float = "center" if sound.start is None else sound.start
    return engine().prepare(piece.content, preprocessings, crop=crop, edits=edits, name=piece.name)


@_cached(16)
def start_waveform(piece: Piece) -> Background[None, Envelope]:
    """Begin to decode the whole piece for its waveform, half an hour of it at most."""
    return Background(lambda _: engine().envelope(piece.content, name=piece.name))


@_cached(16, of_visitor=True)
def start_analysis(sound: Sound, transform: TransformChoice) -> Background[Verdict, Analysis]:
    """Start an analysis; raises what :func:`prepared` and :func:`open_panel` raise."""
    panel, window = open_panel(transform), prepared(sound, transform)
    return Background(lambda tell: _public(panel.analyze_prepared(window, on_verdict=tell)))


@_cached(8, of_visitor=True)
def start_variants(
    sound: Sound, transform: TransformChoice, variants: tuple[tuple[Edit, ...], ...]
) -> Background[int, list[Analysis]]:
    """Start to judge one window after each of several edits; errors as :func:`start_analysis`.

    Several are judged at once; each that is done is told.
    """
    panel = open_panel(transform)
    clip, wanted = prepared(sound, transform).clip, frozenset(panel.preprocessings)

    def judge(edits: tuple[Edit, ...]) -> Analysis:
        window = _edited(replace(sound, edits=edits), clip, wanted)
        return panel.analyze_prepared(window).compact()

    def work(tell: Callable[[int], None]) -> list[Analysis]:
        found = []
        for analysis in in_order(judge, variants, workers=available_cores()):
            found.append(analysis)
            tell(len(found))
        return found

    return Background(work, patience=_PATIENCE)


@_cached(16, of_visitor=True)
def start_importance(sound: Sound, transform: TransformChoice) -> Background[Importance, Analysis]:
    """Start to measure what counts, see :meth:`Panel.measure`; errors as :func:`start_analysis`."""
    panel = open_panel(transform)
    pending = start_analysis(sound, transform)
    return Background(
        lambda tell: panel.measure(pending.result(), on_part=tell), patience=_PATIENCE
    )


def measured_analysis(sound: Sound, transform: TransformChoice) -> Background[Any, Analysis]:
    """What :func:`start_importance` has found, if it is done; else :func:`start_analysis`."""
    pending = start_importance.known(sound, transform)
    if pending and pending.finished:
        with suppress(CCMusicError):
            pending.result()
            return pending
    return start_analysis(sound, transform)


@_cached(16)
def features_of(checkpoint: Checkpoint, picture: Picture) -> list[Stage]:
    """Strongest maps of the stages of a network, see :func:`ccmusic.features.stages`."""
    return stages(checkpoint, picture)


def _public(analysis: Analysis) -> Analysis:
    """The analysis whose errors, also in its reports, do not name the server's folders."""
    verdicts = {
        name: replace(v, error=without_paths(v.error)) if v.error else v
        for name, v in analysis.verdicts.items()
    }
    return replace(analysis, verdicts=verdicts)


@_cached(4, of_visitor=True)
def start_piece(piece: Piece, transform: TransformChoice) -> Background[Analysis, WholePiece]:
    """Begin to judge all of a piece: its windows one after the other, and at last the whole.

    Errors as :func:`start_analysis`.
    """
    panel = open_panel(transform)

    def work(tell: Callable[[Analysis], None]) -> WholePiece:
        windows = []
        for window in engine().windows(panel, piece.content, name=piece.name):
            windows.append(_public(window.compact()))
            tell(windows[-1])
        return WholePiece.of(windows)

    return Background(work, patience=_PATIENCE_WITH_PIECES)


def finished_piece(piece: Piece, transform: TransformChoice) -> WholePiece | None:
    """What :func:`start_piece` has found, if it has been called and is done."""
    pending = start_piece.known(piece, transform)
    if not (pending and pending.finished):
        return None
    with suppress(CCMusicError):
        return pending.result()
    return None


@_cached(512, of_visitor=True)
def cached_analysis(piece: Piece, transform: TransformChoice) -> Analysis:
    """Verdicts on the middle of a recording; without sound and pictures, so that many fit.

    Errors as :func:`start_analysis`.
    """
    analysis = engine().run(open_panel(transform), piece.content, name=piece.name)
    return analysis.compact()


def forget_models() -> None:
    """Open the checkpoints anew, because some have come or gone; sounds and pictures stay.

    Where others come, only models of one visitor do, and theirs are asked for by name: no visitor
    makes the others wait.
    """
    for known in [] if others_come() else _caches[True]:
        known.clear()
