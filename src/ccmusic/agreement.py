"""Verdicts in, :class:`Agreement` out: votes, mean, divergence, and splits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from ccmusic.genres import genre_name
from ccmusic.texts import Language, translate
from ccmusic.verdict import Verdict

# A clear majority is two thirds of the votes: 4 of 5, 2 of 3, 7 of 10, but not 3 of 5.
_MAJORITY = 2 / 3
# Divergences of the shipped panels on `valid`: a third lies below 0.018 to 0.025, where nearly nine
# of ten first choices are right, a third above 0.044 to 0.053, where about half are.
# references/results/divergence.json, written by references/divergence.py
_ONE_OPINION = 0.025
_FAR_APART = 0.05

Spread = Literal["one_opinion", "some_difference", "far_apart"]


@dataclass(frozen=True)
class Agreement:
    """How far the models of a panel agree.

    >>> from ccmusic import analyze
    >>> agreement = analyze("examples/rain.ogg").agreement
    >>> agreement.top, agreement.votes, agreement.models, agreement.message()
    ('environment', 5, 5, 'all 5 models say Environment')
    """

    top: str
    """The first choice of most models; among equals, the likelier in the mean."""
    votes: int
    """Models whose first choice it is."""
    models: int
    """Models that gave a verdict."""
    divergence: float
    """0: all models give the same distribution; 1: no two have a genre in common.

    The generalised Jensen-Shannon divergence (J. Lin, "Divergence measures based on the Shannon
    entropy", 1991) over its maximum, the logarithm of the number of models.
    """
    split: tuple[str, str] | None
    """The two genres that have all votes, if neither has a clear majority."""
    camps: tuple[tuple[str, int], ...]
    """Every first choice with its votes, :attr:`top` first."""
    leader: str
    """The likeliest genre in the mean, which need not be :attr:`top`."""

    @property
    def spread(self) -> Spread | None:
        """The divergence in a word; None for a single model."""
        if self.models == 1:
            return None
        if self.divergence >= _FAR_APART:
            return "far_apart"
        unanimous = self.votes == self.models
        return "one_opinion" if self.divergence < _ONE_OPINION and unanimous else "some_difference"

    def message(self, language: Language = "en") -> str:
        """One sentence in a language, votes first."""
        if self.models == 1:
            key = "alone"
        elif self.votes == self.models:
            key = "unanimous"
        elif self.votes >= _MAJORITY * self.models:
            key = "majority"
        else:
            key = "split" if self.split else "scattered"
        sentence = translate(
            language,
            f"agreement.{key}",
            top=genre_name(self.top, language),
            votes=self.votes,
            models=self.models,
            ballot=ballot(self.camps, language),
        )
        if self.leader == self.top:
            return sentence
        leader = genre_name(self.leader, language)
        return sentence + translate(language, "agreement.leader", genre=leader)

    def divergence_message(self, language: Language = "en") -> str:
        """The divergence in words with its number; empty for a single model."""
        if self.spread is None:
            return ""
        return translate(language, f"agreement.{self.spread}", divergence=self.divergence)


def ballot(votes: Iterable[tuple[str, int]], language: Language) -> str:
    """Genres with their votes in a line."""
    camps = (
        translate(language, "agreement.camp", votes=number, genre=genre_name(genre, language))
        for genre, number in votes
    )
    return translate(language, "agreement.and").join(camps)


def comparable(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Verdicts with the commonest set of classes, in any order; only these can be averaged."""
    given = [v for v in verdicts if v.error is None]
    sets = Counter(frozenset(v.card.classes) for v in given)
    if not sets:
        return []
    commonest = sets.most_common(1)[0][0]
    return [v for v in given if set(v.card.classes) == commonest]


def mean_probabilities(verdicts: Sequence[Verdict]) -> dict[str, float]:
    """Mean of the comparable verdicts, every model with the same weight; empty without any."""
    voices = comparable(verdicts)
    if not voices:
        return {}
    return dict(zip(voices[0].card.classes, _shares(voices).mean(axis=0).tolist(), strict=True))


def agree(verdicts: Sequence[Verdict]) -> Agreement | None:
    """Compare the comparable verdicts; None without any."""
    voices = comparable(verdicts)
    if not voices:
        return None
    mean = mean_probabilities(voices)
    first_choices = Counter(v.top(1)[0][0] for v in voices)
    camps = sorted(first_choices.items(), key=lambda camp: (-camp[1], -mean[camp[0]]))
    top, votes = camps[0]
    torn = len(camps) == 2 and votes < _MAJORITY * len(voices)
    return Agreement(
        top,
        votes,
        len(voices),
        _divergence(voices),
        (top, camps[1][0]) if torn else None,
        tuple(camps),
        max(mean, key=lambda genre: mean[genre]),
    )


def _shares(voices: Sequence[Verdict]) -> npt.NDArray[np.float64]:
    """Probabilities, float64 [models, classes], in the order of the first model's classes."""
    classes = voices[0].card.classes
    return np.array([[v.probabilities[c] for c in classes] for v in voices])


def _divergence(voices: Sequence[Verdict]) -> float:
    if len(voices) < 2:
        return 0.0
    shares = _shares(voices)
    gap = _entropy(shares.mean(axis=0)) - np.mean([_entropy(row) for row in shares])
    return float(np.clip(gap / np.log(len(voices)), 0, 1))


def _entropy(shares: npt.NDArray[np.float64]) -> float:
    positive = shares[shares > 0]
    return float(-(positive * np.log(positive)).sum())
