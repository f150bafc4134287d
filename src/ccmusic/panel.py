"""Pictures in, verdicts out, as each model of the panel finishes."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from copy import copy
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import onnxruntime

from ccmusic.card import Band, ModelCard
from ccmusic.closing import Closing
from ccmusic.errors import CCMusicError, CheckpointError
from ccmusic.picture import Picture, Preprocessing
from ccmusic.renamed import RenamedAttribute, renamed_options
from ccmusic.spectrogram import TransformChoice
from ccmusic.texts import Language, translate
from ccmusic.zoo import Checkpoint, find

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Verdict:
    """What one model says of a picture, or why it could not."""

    card: ModelCard
    latency_ms: float = 0.0
    """Inference alone, on the cores it was given."""
    logits: Floats | None = None
    """float32 [n_classes], before the temperature; of several slices, those that give the mean of
    their probabilities."""
    maps: Floats | None = None
    """float32 [n_classes, h, w]: the class-activation maps, see the card's ``explanation``; of
    several slices, the maps of the middle one."""
    votes: dict[str, int] = field(default_factory=dict)
    """First choices of the slices, if the piece was cut into several; the commonest first."""
    error: CCMusicError | None = None

    @property
    def probabilities(self) -> dict[str, float]:
        """Calibrated probability of each class; empty after an error."""
        if self.logits is None:
            return {}
        shares = softmax(self.logits / self.card.temperature)
        return dict(zip(self.card.classes, shares.tolist(), strict=True))

    def top(self, k: int) -> list[tuple[str, float]]:
        """The ``k`` likeliest classes with their probabilities, likeliest first."""
        return sorted(self.probabilities.items(), key=lambda item: -item[1])[:k]

    @property
    def band(self) -> Band | None:
        """What so sure a first choice was worth on held-out music; None if not measured."""
        if self.logits is None or self.card.metrics is None:
            return None
        return self.card.metrics.band(self.top(1)[0][1])

    def advice(self, language: Language, name: str) -> str:
        """Sentence about the :attr:`band`, naming the model as the caller does; empty without."""
        band = self.band
        if band is None:
            return ""
        return translate(
            language,
            f"band.{band.level}",
            name=name,
            accuracy=band.accuracy,
            recordings=band.recordings,
        )


class Panel(Closing):
    """Models that are kept open and asked together.

    Loading starts at once in the background. May be shared between threads.

    >>> with Panel.open("cqt") as panel:  # doctest: +SKIP
    ...     analyze("song.mp3", panel=panel)

    Parameters
    ----------
    concurrency
        So many models run at the same time, each on one core: most pieces per second where several
        threads bring them. By default the models share all cores for the shortest wait.
    """

    @renamed_options(at_once="concurrency")
    def __init__(
        self, checkpoints: Sequence[Checkpoint], *, concurrency: int | None = None
    ) -> None:
        cores = available_cores()
        # Two cores shared by five models: one core each, two at a time, beats all cores for one
        # model after the other, which wait for each other at every layer (benchmarks/panel.py).
        workers = concurrency or max(1, min(len(checkpoints), cores))
        threads = 1 if concurrency else max(1, cores // workers)
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="ccmusic")
        # The most expensive first, so that none is left to run alone at the end.
        ordered = sorted(checkpoints, key=lambda c: -c.card.multiply_adds)
        # The pool serves in order: every model is loading or loaded before one is asked.
        self._sessions: list[tuple[Checkpoint, Future[onnxruntime.InferenceSession]]] = [
            (checkpoint, self._pool.submit(checkpoint.open, threads=threads))
            for checkpoint in ordered
        ]

    @classmethod
    @renamed_options(at_once="concurrency")
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
            As in the class.

        Raises
        ------
        CheckpointError
            As :func:`ccmusic.zoo.find`.
        """
        return cls(find(transform, models), concurrency=concurrency)

    def combine(self, other: Panel) -> Panel:
        """The open models of both, asked together; for as long as both stay open."""
        both = copy(self)
        both._sessions = [*self._sessions, *other._sessions]
        both._sessions.sort(key=lambda pair: -pair[0].card.multiply_adds)
        return both

    @property
    def checkpoints(self) -> list[Checkpoint]:
        """The models, in the order in which they are asked."""
        return [checkpoint for checkpoint, _ in self._sessions]

    @property
    def cards(self) -> list[ModelCard]:
        """Cards of the models, in the same order; of both transforms, those of CQT first."""
        return sorted((c.card for c in self.checkpoints), key=lambda card: card.transform)

    @property
    def ready(self) -> bool:
        """Whether every model is loaded, or has failed to."""
        return all(session.done() for _, session in self._sessions)

    def select(self, names: Sequence[str]) -> Self:
        """Panel of some of these models, by checkpoint or backbone; they stay the same open ones.

        Raises
        ------
        CheckpointError
            If one is not of this panel.
        """
        known = [checkpoint.card for checkpoint in self.checkpoints]
        for name in names:
            if not any(name in (card.name, card.backbone) for card in known):
                known_names = ", ".join(sorted(card.name for card in known))
                raise CheckpointError("unknown_model", name=name, known=known_names)
        chosen = copy(self)
        chosen._sessions = [
            (checkpoint, session)
            for checkpoint, session in self._sessions
            if {checkpoint.card.name, checkpoint.card.backbone} & set(names)
        ]
        return chosen

    def predict(self, pictures: Mapping[Preprocessing, Sequence[Picture]]) -> Iterator[Verdict]:
        """Ask every model; verdicts come in the order in which they are ready.

        Parameters
        ----------
        pictures
            The picture, or the slices of a piece, for each preprocessing that the cards name.
        """
        asked = [
            self._pool.submit(_ask, checkpoint, session, pictures[checkpoint.card.preprocessing])
            for checkpoint, session in self._sessions
        ]
        try:
            for verdict in as_completed(asked):
                yield verdict.result()
        finally:  # who stops listening needs no more answers
            for verdict in asked:
                verdict.cancel()

    joined = RenamedAttribute("combine")
    only = RenamedAttribute("select")
    judge = RenamedAttribute("predict")

    def close(self) -> None:
        """Let the models go."""
        self._pool.shutdown(cancel_futures=True)


def available_cores() -> int:
    """Cores that this process may use, which in a container are fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _ask(
    checkpoint: Checkpoint,
    session: Future[onnxruntime.InferenceSession],
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
    except CCMusicError as error:
        return Verdict(card, error=error)
    except Exception as error:  # a model that fails must not take the others with it
        reason = str(error).splitlines()[0]
        return Verdict(card, error=CheckpointError("failed", file=checkpoint.path, reason=reason))
    _, *maps = outputs[len(pictures) // 2]
    middle = maps[0][0] if maps else None
    if len(pictures) == 1:
        return Verdict(card, latency, logits[0], middle)
    (shares,) = average_slices(logits, [len(logits)], card.temperature)
    together = (card.temperature * np.log(np.maximum(shares, 1e-12))).astype(np.float32)
    votes = Counter(card.classes[i] for i in logits.argmax(axis=1))
    return Verdict(card, latency, together, middle, dict(votes.most_common()))


def average_slices(
    logits: npt.NDArray[np.floating[Any]], counts: Sequence[int], temperature: float
) -> npt.NDArray[np.float64]:
    """Probabilities of pieces: of each the mean over its slices.

    Parameters
    ----------
    logits
        [n_slices, n_classes], the slices of one piece after those of the other.
    counts
        Slices of each piece.

    Returns
    -------
    float64 [n_pieces, n_classes].
    """
    starts = np.cumsum([0, *counts[:-1]])
    sums = np.add.reduceat(softmax(logits / temperature), starts)
    return np.asarray(sums / np.asarray(counts)[:, None])


def softmax(logits: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.float64]:
    """Probabilities along the last axis, float64 of the same shape."""
    wide = logits.astype(np.float64)
    shares = np.exp(wide - wide.max(axis=-1, keepdims=True))
    return np.asarray(shares / shares.sum(axis=-1, keepdims=True))
