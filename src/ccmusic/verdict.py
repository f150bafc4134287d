"""Verdicts of single models."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from ccmusic.card import Band, ModelCard
from ccmusic.errors import CCMusicError
from ccmusic.texts import Language, translate
from ccmusic.values import Value

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False, repr=False)
class Verdict(Value):
    """Result of one model for a picture, or its error.

    >>> from ccmusic import analyze
    >>> verdict = analyze("examples/rain.ogg").verdict("mobilenet_v3_large")
    >>> verdict.top(1)[0][0], verdict.logits.shape, round(sum(verdict.probabilities.values()), 6)
    ('environment', (13,), 1.0)
    """

    card: ModelCard
    latency_ms: float = field(default=0.0, compare=False)
    """Time of the inference alone."""
    logits: Floats | None = None
    """float32 [n_classes], before the temperature; for several slices or windows, the
    logits of their mean probabilities."""
    maps: Floats | None = None
    """float32 [n_classes, h, w]: the class-activation maps, see the card's ``explanation``; of
    several slices, the maps of the middle one."""
    votes: dict[str, int] = field(default_factory=dict)
    """First choices of the slices or windows, if there are several; the commonest first."""
    error: CCMusicError | None = None
    edited: bool = False
    """Whether the sound was edited: no confidence band was measured on such."""
    covered: Floats | None = None
    """float32 [h, w, n_classes]: the logits when one place of the picture is covered, see
    :class:`~ccmusic.Importance`; NaN where it is still to be asked. None: not measured."""
    middle: Floats | None = None
    """float32 [n_classes]: the logits of the middle slice, if there are several."""

    @cached_property
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
        """Confidence band of the first choice, measured on held-out music; None if not measured.

        On edited sound nothing was.
        """
        if self.logits is None or self.card.reliability is None or self.edited:
            return None
        return self.card.reliability.band(self.top(1)[0][1])

    def advice(self, language: Language, name: str) -> str:
        """Sentence about the :attr:`band` with this name of the model; empty without a band."""
        band = self.band
        if band is None:
            return ""
        return translate(language, f"band.{band.level}", name=name, **dict(band))


def average(verdicts: Sequence[Verdict]) -> Verdict:
    """Verdict of one model on several windows: their mean probabilities.

    If all failed, it is the first error.
    """
    given = [v for v in verdicts if v.logits is not None]
    if not given:
        return verdicts[0]
    card = given[0].card
    shares = np.mean([list(v.probabilities.values()) for v in given], axis=0)
    votes = Counter(v.top(1)[0][0] for v in given)
    return Verdict(
        card,
        sum(v.latency_ms for v in verdicts),
        as_logits(shares, card.temperature),
        votes=dict(votes.most_common()),
    )


def as_logits(shares: npt.NDArray[np.floating[Any]], temperature: float) -> Floats:
    """Logits, float32 of the same shape, that give these probabilities."""
    logits: Floats = (temperature * np.log(np.maximum(shares, 1e-12))).astype(np.float32)
    return logits


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
