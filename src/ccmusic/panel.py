"""Recordings in, analyses out: open models that are run together."""

from __future__ import annotations

import os
import queue
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from copy import copy
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import ParamSpec, Self, TypeAlias, TypeVar

import numpy as np

from ccmusic.agreement import agree, mean_probabilities
from ccmusic.analysis import Analysis
from ccmusic.audio import CLIP_SECONDS, Clip, Crop, Source
from ccmusic.card import ModelCard, select
from ccmusic.edits import Edit
from ccmusic.errors import CCMusicError, CheckpointError, ClosedError, check_count, reason_of
from ccmusic.importance import Importance, Occlusion, Part
from ccmusic.picture import Picture, Preprocessing
from ccmusic.prepare import Prepared, prepare, prepare_windows
from ccmusic.spectrogram import TransformChoice
from ccmusic.verdict import Verdict, as_logits, average_slices
from ccmusic.whole import WholePiece
from ccmusic.zoo import Checkpoint, Session, find

P = ParamSpec("P")
T = TypeVar("T")
R = TypeVar("R")
_Session: TypeAlias = tuple[Checkpoint, Future[Session]]


class Panel(AbstractContextManager["Panel"]):
    """Open models that are run together.

    Loading starts at once in the background. May be shared between threads.

    >>> with Panel.open("cqt", ["mobilenet_v3_large"]) as panel:
    ...     panel.analyze("examples/rain.ogg").agreement.top
    'environment'

    Parameters
    ----------
    concurrency
        Number of models that run at the same time, each on one core: best for throughput with
        several calling threads. By default the models share all cores for the lowest latency.
    """

    def __init__(
        self, checkpoints: Sequence[Checkpoint], *, concurrency: int | None = None
    ) -> None:
        check_count("Panel", "concurrency", concurrency)
        cores = available_cores()
        # Two cores shared by five models: one core each, two at a time, beats all cores for one
        # model after the other, which wait for each other at every layer (benchmarks/panel.py).
        workers = concurrency or max(1, min(len(checkpoints), cores))
        threads = 1 if concurrency else max(1, cores // workers)
        self._workers = workers
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="ccmusic")
        # The most expensive first, so that it does not run alone at the end.
        ordered = sorted(checkpoints, key=lambda c: -c.card.multiply_adds)
        # The pool works in order: every model is loading or loaded before one is run.
        self._sessions: list[_Session] = [
            (checkpoint, self._pool.submit(checkpoint.open, threads=threads))
            for checkpoint in ordered
        ]
        self._closed = False
        self._process = os.getpid()
        self._owners: tuple[Panel, ...] = ()
        """Panels that opened the models of this view."""

    @classmethod
    def open(
        cls,
        transform: TransformChoice = "cqt",
        models: Sequence[str] | None = None,
        *,
        concurrency: int | None = None,
    ) -> Self:
        """Panel of all checkpoints of a transform, or of those named.

        Parameters
        ----------
        transform, models
            As in :func:`ccmusic.zoo.find`.
        concurrency
            Number of models that run at the same time, each on one core.

        Raises
        ------
        CheckpointError
            As :func:`ccmusic.zoo.find`.
        """
        return cls(find(transform, models), concurrency=concurrency)

    def combine(self, other: Panel) -> Self:
        """Panel of the open models of both, valid as long as both are open."""
        other._check_open()
        return self._view([*self._sessions, *other._sessions], [other])

    @property
    def checkpoints(self) -> list[Checkpoint]:
        """The models, in the order in which they are run."""
        return [checkpoint for checkpoint, _ in self._sessions]

    @property
    def cards(self) -> list[ModelCard]:
        """Cards of the models, in the same order; of both transforms, those of CQT first."""
        return sorted((c.card for c in self.checkpoints), key=lambda card: card.transform)

    @property
    def preprocessings(self) -> set[Preprocessing]:
        """Preprocessings of the models."""
        return {checkpoint.card.preprocessing for checkpoint in self.checkpoints}

    @property
    def transform(self) -> str:
        """Transform of the models; ``both`` if they do not all have the same."""
        transforms = {checkpoint.card.transform for checkpoint in self.checkpoints}
        return transforms.pop() if len(transforms) == 1 else "both"

    @property
    def ready(self) -> bool:
        """Whether every model is loaded, or has failed to."""
        return all(session.done() for _, session in self._sessions)

    @property
    def failed(self) -> list[str]:
        """Names of the models that could not be loaded."""
        return [
            checkpoint.card.name
            for checkpoint, opened in self._sessions
            if opened.done() and opened.exception()
        ]

    def select(self, names: Sequence[str]) -> Self:
        """Panel of some of these models, by checkpoint or backbone; they stay the same open ones.

        Raises
        ------
        CheckpointError
            If one is not of this panel.
        """
        chosen = select(names, self.cards)
        return self._view(pair for pair in self._sessions if pair[0].card.name in chosen)

    def run(self, pictures: Mapping[Preprocessing, Sequence[Picture]]) -> Iterator[Verdict]:
        """Run every model; verdicts come in the order in which they are ready.

        Parameters
        ----------
        pictures
            The picture, or the slices of a piece, for each preprocessing that the cards name.
        """
        self._check_open()
        yield from self._as_ready(
            partial(_ask, checkpoint, session, pictures[checkpoint.card.preprocessing])
            for checkpoint, session in self._sessions
        )

    def analyze(
        self,
        source: Source | Clip,
        *,
        crop: Crop | float = "center",
        edits: Sequence[Edit] = (),
        name: str | None = None,
        on_verdict: Callable[[Verdict], None] | None = None,
    ) -> Analysis:
        """Analyse a recording.

        Parameters
        ----------
        source, crop, edits, name
            As in :func:`ccmusic.prepare.prepare`.
        on_verdict
            Called in this thread with each verdict as it comes.

        Raises
        ------
        AudioError
            If the file cannot be read. A model that fails has its error in its verdict.
        ParameterError
            If an edit cannot be applied.
        ClosedError
            If this panel is closed before or during the analysis.
        """
        self._check_open()
        prepared = prepare(source, self.preprocessings, crop=crop, edits=edits, name=name)
        return self.analyze_prepared(prepared, on_verdict=on_verdict)

    __call__ = analyze

    async def aanalyze(
        self,
        source: Source | Clip,
        *,
        crop: Crop | float = "center",
        edits: Sequence[Edit] = (),
        name: str | None = None,
    ) -> Analysis:
        """Analyse a recording in a thread, without blocking the event loop; see :meth:`analyze`."""
        import asyncio  # takes longer to load than a picture to be judged by one model

        return await asyncio.to_thread(self.analyze, source, crop=crop, edits=edits, name=name)

    def predict(self, sources: Iterable[Source | Clip]) -> list[str | None]:
        """Likeliest genre of each recording by the mean; None where there is no verdict.

        >>> with Panel.open("cqt", ["mobilenet_v3_large"]) as panel:
        ...     panel.predict(["examples/rain.ogg"])
        ['environment']

        Raises
        ------
        AudioError
            If one of the files cannot be read; see :func:`ccmusic.analyze_many`.
        """
        found = in_order(self.analyze, sources, workers=available_cores())
        agreements = (analysis.agreement for analysis in found)
        return [agreement.leader if agreement else None for agreement in agreements]

    def analyze_prepared(
        self, prepared: Prepared, *, on_verdict: Callable[[Verdict], None] | None = None
    ) -> Analysis:
        """Analyse what was prepared for the :attr:`preprocessings` of this panel, or for more.

        The models are not run on silence, or on less than a second of sound.

        Parameters
        ----------
        on_verdict
            As in :meth:`analyze`.
        """
        started = time.perf_counter()
        prepared = prepared.restrict(self.preprocessings)
        found: dict[str, Verdict] = {}
        enough = prepared.judged in ("yes", "doubtful")
        for verdict in self.run(prepared.pictures) if enough else ():
            verdict = replace(verdict, edited=bool(prepared.edits))
            found[verdict.card.name] = verdict
            if on_verdict:
                on_verdict(verdict)
        verdicts = {card.name: found[card.name] for card in self.cards if enough}
        elapsed_ms = prepared.elapsed_ms + 1000 * (time.perf_counter() - started)
        return Analysis(
            **{**vars(prepared), "elapsed_ms": elapsed_ms},
            transform=self.transform,
            verdicts=verdicts,
            mean=mean_probabilities(list(verdicts.values())),
            agreement=agree(list(verdicts.values())),
        )

    def timeline(
        self, source: Source, *, hop: float = 5.0, name: str | None = None
    ) -> Iterator[Analysis]:
        """Analyse a whole recording, decoded in one pass, window by window.

        Several windows are processed at once: a panel opened with ``concurrency`` has the highest
        throughput. The iteration may be given up at any time.

        >>> with Panel.open("cqt", ["mobilenet_v3_large"]) as panel:
        ...     [window.agreement.top for window in panel.timeline("examples/rain.ogg")]
        ['environment', 'environment']

        Parameters
        ----------
        source, name
            As in :func:`ccmusic.audio.load`; of a piece of more than half an hour, the middle.
        hop
            Seconds from the start of one window of 10 s to that of the next. The last window ends
            with the piece.

        Yields
        ------
        The analysis of each window, in order.

        Raises
        ------
        AudioError
            If the file cannot be read.
        ParameterError
            If ``hop`` is less than 0.1 s.
        """
        self._check_open()
        windows = prepare_windows(source, self.preprocessings, hop=hop, name=name)
        return in_order(self.analyze_prepared, windows, workers=available_cores())

    def analyze_whole(self, source: Source, *, name: str | None = None) -> WholePiece:
        """Analyse a whole recording: the mean over its windows, 10 s after 10 s.

        Parameters
        ----------
        source, name
            As in :meth:`timeline`.

        Raises
        ------
        AudioError
            If the file cannot be read.
        """
        return WholePiece.of(self.timeline(source, hop=CLIP_SECONDS, name=name))

    def importance(
        self,
        source: Source | Clip | Analysis,
        genre: str | None = None,
    ) -> Iterator[Importance]:
        """Measure what counts: cover one place of a picture after the other, and ask again.

        Of what tells where a verdict comes from, this is the better evidence; the activation maps
        of :meth:`Analysis.attention <ccmusic.Analysis.attention>` cost nothing.

        >>> with Panel.open("cqt", ["mobilenet_v3_large"]) as panel:
        ...     found = {part.model: part for part in panel.importance("examples/rain.ogg")}
        >>> found["mobilenet_v3_large_cqt"].region is not None
        True

        Places are as large as those of the activation maps. All models advance together, row by
        row of their pictures.

        Parameters
        ----------
        source
            As in :meth:`analyze`; or an analysis by this panel.
        genre
            By default the first choice of each model.

        Yields
        ------
        After each row of a model, its map so far: the last one of each model is whole. Models that
        failed, or do not know the genre, have none.

        Raises
        ------
        AudioError
            If the file cannot be read.
        CheckpointError
            If a model fails; after the maps of the others.
        ValueError
            If no model knows the genre.
        """
        self._check_open()
        if not isinstance(source, Analysis):
            source = self.analyze(source)
        mine = {checkpoint.card.name: session for checkpoint, session in self._sessions}
        given = {name: source.verdicts[name] for name in mine if name in source.verdicts}
        analysis = replace(source, verdicts=given)
        analysis.check_genre(genre)
        known = [
            (Occlusion(verdict, analysis.picture(name)), mine[name])
            for name, verdict in given.items()
            if not verdict.error and (genre is None or genre in verdict.card.classes)
        ]
        parts = self._as_ready(
            (
                partial(_cover, occlusion, session, row)
                for row in range(max((occlusion.grid[0] for occlusion, _ in known), default=0))
                for occlusion, session in known
                if row < occlusion.grid[0]
            ),
            most=self._workers,
        )
        return _together(analysis, genre, parts)

    def measure(
        self, analysis: Analysis, *, on_part: Callable[[Importance], None] | None = None
    ) -> Analysis:
        """The same analysis, whose evidence is measured: see :meth:`importance`.

        Its :meth:`~ccmusic.Analysis.evidence` for any genre, the sentence of
        :meth:`~ccmusic.Analysis.why` and its reports are then of what counts, not of the
        activation maps. A model that fails at it keeps its activation map.

        >>> with Panel.open("cqt", ["mobilenet_v3_large"]) as panel:
        ...     analysis = panel.measure(panel.analyze("examples/rain.ogg"))
        >>> analysis.evidence("mobilenet_v3_large").kind
        'occlusion'

        Parameters
        ----------
        on_part
            Called in this thread with each map so far.

        Raises
        ------
        CheckpointError
            If every model fails.
        """
        measured: dict[str, Verdict] = {}
        try:
            for part in self.importance(analysis):
                if part.done == 1:
                    measured[part.model] = part.verdict
                if on_part:
                    on_part(part)
        except CheckpointError:
            if not measured:
                raise
        return replace(analysis, verdicts=analysis.verdicts | measured)

    def close(self) -> None:
        """Release the models after their running inferences.

        A running analysis in another thread ends with :class:`ClosedError`. A panel from
        :meth:`select` or :meth:`combine` leaves the models to the panels that opened them.
        """
        self._closed = True
        # A forked child does not have the pool's threads: there is nothing to release.
        if not self._owners and os.getpid() == self._process:
            self._pool.shutdown(cancel_futures=True)

    def _check_open(self) -> None:
        if os.getpid() != self._process:
            raise ClosedError("panel_forked")
        if any(panel._closed for panel in (self, *self._owners)):
            raise ClosedError("panel_closed")

    def _view(self, sessions: Iterable[_Session], others: Sequence[Panel] = ()) -> Self:
        """Panel of open models, which stay those of the panels that opened them."""
        self._check_open()
        view = copy(self)
        panels: list[Panel] = [self, *others]
        view._owners = tuple(owner for panel in panels for owner in panel._owners or (panel,))
        view._sessions = sorted(sessions, key=lambda pair: -pair[0].card.multiply_adds)
        return view

    def _as_ready(
        self, tasks: Iterable[Callable[[], T]], *, most: int | None = None
    ) -> Iterator[T]:
        """Do tasks in the pool; results come in the order in which they are ready.

        Parameters
        ----------
        most
            Number of tasks that are in the pool at once, so that others come in between.
        """
        # as_completed() would wait for ever for futures that close() cancels; callbacks are called.
        ready: queue.SimpleQueue[Future[T]] = queue.SimpleQueue()
        asked: set[Future[T]] = set()
        waiting = iter(tasks)
        try:
            while True:
                for task in islice(waiting, most and most - len(asked)):
                    future = self._submit(task)
                    asked.add(future)
                    future.add_done_callback(ready.put)
                if not asked:
                    return
                done = ready.get()
                if done.cancelled():
                    raise ClosedError("panel_closed")
                asked.remove(done)
                yield done.result()
        finally:  # the consumer may have stopped: cancel what has not started
            for done in asked:
                done.cancel()

    def _submit(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        try:
            return self._pool.submit(function, *args, **kwargs)
        except RuntimeError:  # closed by another thread just now
            raise ClosedError("panel_closed") from None

    def __exit__(self, *exception: object) -> None:
        self.close()


def in_order(function: Callable[[T], R], items: Iterable[T], *, workers: int) -> Iterator[R]:
    """Call a function on several items at once; results come in the order of the items.

    Items are taken as they are needed: there may be any number of them.
    """
    coming: deque[Future[R]] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="ccmusic-order")
    failure: Exception | None = None
    waiting = iter(items)
    try:
        while True:
            try:
                coming.append(pool.submit(function, next(waiting)))
            except StopIteration:
                break
            except Exception as error:  # raised in its turn
                failure = error
                break
            if len(coming) > 2 * workers:
                yield coming.popleft().result()
        while coming:
            yield coming.popleft().result()
        if failure:
            raise failure
    finally:  # the consumer may have stopped: cancel what has not started
        pool.shutdown(wait=False, cancel_futures=True)


def available_cores() -> int:
    """Number of cores that this process may use; in a container, fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _cover(occlusion: Occlusion, session: Future[Session], row: int) -> Part:
    try:
        opened, pictures = session.result(), occlusion.covered(row)
        # On CPUs, several together take longer than one after the other (benchmarks/batch.py).
        logits = [opened.run(["logits"], {"picture": each[None]})[0] for each in pictures]
        found = np.concatenate(logits)
        if not np.isfinite(found).all():
            raise CheckpointError("not_finite", file=occlusion.model)
        return occlusion, row, found
    except CheckpointError as error:  # a failing model must not affect the others
        return occlusion, row, error
    except CCMusicError:
        raise
    except Exception as error:
        reason = reason_of(error)
        return occlusion, row, CheckpointError("failed", file=occlusion.model, reason=reason)


def _together(analysis: Analysis, genre: str | None, parts: Iterable[Part]) -> Iterator[Importance]:
    """Gather rows of the models of an analysis into maps, one after each row."""
    given = {name: replace(v, covered=None) for name, v in analysis.verdicts.items()}
    failures: dict[str, CheckpointError] = {}
    for occlusion, row, logits in parts:
        if isinstance(logits, CheckpointError):
            failures.setdefault(occlusion.model, logits)
        if isinstance(logits, CheckpointError) or occlusion.model in failures:
            continue
        before = given[occlusion.model].covered
        covered = (
            np.full((*occlusion.grid, logits.shape[1]), np.nan, np.float32)
            if before is None
            else before.copy()
        )
        covered[row] = logits
        given[occlusion.model] = replace(occlusion.verdict, covered=covered)
        found = replace(analysis, verdicts=given).evidence(occlusion.model, genre)
        assert isinstance(found, Importance)
        yield found
    if failures:
        raise next(iter(failures.values()))


def _ask(
    checkpoint: Checkpoint,
    session: Future[Session],
    pictures: Sequence[Picture],
) -> Verdict:
    card = checkpoint.card
    try:
        opened = session.result()
        started = time.perf_counter()
        names = ["logits"] if card.explanation == "none" else ["logits", "maps"]
        outputs = [opened.run(names, {"picture": picture.input[None]}) for picture in pictures]
        latency = 1000 * (time.perf_counter() - started)
        logits = np.concatenate([output[0] for output in outputs])
        if logits.shape != (len(pictures), len(card.classes)):
            raise CheckpointError(
                "wrong_width", file=checkpoint.path, k=logits.shape[-1], n=len(card.classes)
            )
        if not all(np.isfinite(array).all() for output in outputs for array in output):
            raise CheckpointError("not_finite", file=checkpoint.path)
    except CCMusicError as error:
        return Verdict(card, error=error)
    except BaseException as error:  # a failing model must not affect the others
        reason = reason_of(error)
        return Verdict(card, error=CheckpointError("failed", file=checkpoint.path, reason=reason))
    _, *maps = outputs[len(pictures) // 2]
    middle = maps[0][0] if maps else None
    if len(pictures) == 1:
        return Verdict(card, latency, logits[0], middle)
    (shares,) = average_slices(logits, [len(logits)], card.temperature)
    together = as_logits(shares, card.temperature)
    votes = Counter(card.classes[i] for i in logits.argmax(axis=1))
    return Verdict(
        card,
        latency,
        together,
        middle,
        dict(votes.most_common()),
        middle=logits[len(pictures) // 2],
    )
