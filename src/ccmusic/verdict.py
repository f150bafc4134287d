"""What one model says of a picture: :class:`Verdict`."""

from __future__ import annotations

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
    """What one model says of a picture, or why it could not."""

    card: ModelCard
    latency_ms: float = field(default=0.0, compare=False)
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


def softmax(logits: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.float64]:
    """Probabilities along the last axis, float64 of the same shape."""
    wide = logits.astype(np.float64)
    shares = np.exp(wide - wide.max(axis=-1, keepdims=True))
    return np.asarray(shares / shares.sum(axis=-1, keepdims=True))
