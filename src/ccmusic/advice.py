"""Advice on a verdict: what its confidence is worth, which pair, which other transform to ask.

All of it was measured when the models were evaluated together, on music from sources that their
training did not know, if there was some; it comes from the panel's card.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ccmusic import zoo
from ccmusic.card import Band, ModelCard, Pair, titles
from ccmusic.spectrogram import TRANSFORM_TITLES, TransformName
from ccmusic.texts import Language, translate

GAIN = 0.03
"""Difference of accuracies from which another choice of models is worth a hint."""
_OTHER: dict[str, TransformName] = {"cqt": "mel", "mel": "cqt"}


@dataclass(frozen=True)
class OtherTransform:
    """A transform whose models make the panel better when they are asked as well.

    >>> mel = OtherTransform("mel", accuracy=0.69)
    >>> len(Advice({}, None, accuracy=0.66, other=mel).message())
    1
    """

    transform: TransformName
    accuracy: float
    """Of the models of both transforms together."""


@dataclass(frozen=True)
class Advice:
    """What the panel's card says about an analysis.

    >>> from ccmusic import analyze
    >>> advice = analyze("examples/rain.ogg").advice
    >>> advice.band.level, advice.pair  # sure: no need to compare
    ('high', None)
    """

    titles: dict[str, str]
    """What the models are called, by name."""
    band: Band | None
    """Where the mean probability of the first choice lies."""
    accuracy: float
    """Of the mean of the models."""
    pair: Pair | None = None
    """The best two of the models, if their mean is better by :data:`GAIN`; unless the panel is
    sure."""
    other: OtherTransform | None = None
    """Makes the panel better by :data:`GAIN` if it is asked as well; unless the panel is sure."""

    def message(self, language: Language = "en") -> list[str]:
        """One sentence for each piece of advice."""
        lines = []
        if self.band:
            lines.append(translate(language, f"advice.{self.band.level}", **dict(self.band)))
        if self.pair:
            a, b = (self.titles[name] for name in self.pair.models)
            shares = {"accuracy": self.pair.accuracy, "alone": self.accuracy}
            lines.append(translate(language, "advice.pair", a=a, b=b, **shares))
        if self.other:
            shares = {"alone": self.accuracy, "both": self.other.accuracy}
            title = TRANSFORM_TITLES[self.other.transform]
            lines.append(translate(language, "advice.other", other=title, **shares))
        return lines


def advise(cards: Sequence[ModelCard], mean: Mapping[str, float]) -> Advice | None:
    """Advice on the mean probabilities of models; None if they were not measured together."""
    measured = zoo.panel_card(cards)
    if measured is None or not mean:
        return None
    names, accuracy = titles(cards), measured.reliability.accuracy
    band = measured.reliability.band(max(mean.values()))
    if band and band.level == "high":
        return Advice(names, band, accuracy)
    pair = next((pair for pair in measured.pairs if pair.accuracy - accuracy >= GAIN), None)
    other = _other_transform({card.transform for card in cards}, accuracy)
    return Advice(names, band, accuracy, pair, other)


def _other_transform(asked: set[str], accuracy: float) -> OtherTransform | None:
    other = _OTHER.get(next(iter(asked))) if len(asked) == 1 else None
    together = zoo.panel_card(c.card for c in zoo.find("both")) if other else None
    if other is None or together is None:
        return None
    both = together.reliability.accuracy
    return OtherTransform(other, both) if both - accuracy >= GAIN else None
