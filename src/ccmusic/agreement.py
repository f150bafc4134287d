"""Verdicts in, :class:`Agreement` out: who is of one mind, and where the panel is torn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ccmusic.genres import genre_name
from ccmusic.renamed import RenamedAttribute
from ccmusic.texts import Language, translate
from ccmusic.verdict import Verdict

# A rival that a single model prefers still splits the panel if the mean gives it this share of
# the winner's probability.
_RIVAL_SHARE = 0.5


@dataclass(frozen=True)
class Agreement:
    """How far the models of a panel are of one mind."""

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
    """The two genres between which the panel is torn."""

    def message(self, language: Language = "en") -> str:
        """One sentence in a language."""
        a, b = self.split or (self.top, self.top)
        if self.models == 1:
            key = "alone"
        elif self.split:
            key = "split"
        else:
            key = "unanimous" if self.votes == self.models else "majority"
        return translate(
            language,
            f"agreement.{key}",
            top=genre_name(self.top, language),
            votes=self.votes,
            models=self.models,
            a=genre_name(a, language),
            b=genre_name(b, language),
        )

    say = RenamedAttribute("message")


def comparable(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Verdicts that share the commonest class list; only these can be averaged."""
    given = [v for v in verdicts if v.error is None]
    lists = Counter(v.card.classes for v in given)
    if not lists:
        return []
    commonest = lists.most_common(1)[0][0]
    return [v for v in given if v.card.classes == commonest]


def mean_probabilities(verdicts: Sequence[Verdict]) -> dict[str, float]:
    """Mean of the comparable verdicts, every model with the same weight; empty without any."""
    voices = comparable(verdicts)
    if not voices:
        return {}
    classes = voices[0].card.classes
    return {c: float(np.mean([v.probabilities[c] for v in voices])) for c in classes}


def agree(verdicts: Sequence[Verdict]) -> Agreement | None:
    """Compare the comparable verdicts; None without any."""
    voices = comparable(verdicts)
    if not voices:
        return None
    mean = mean_probabilities(voices)
    first_choices = Counter(v.top(1)[0][0] for v in voices)
    ranking = sorted(first_choices, key=lambda genre: (-first_choices[genre], -mean[genre]))
    top, rivals = ranking[0], ranking[1:]
    votes = first_choices[top]
    split = None
    if rivals and (first_choices[rivals[0]] > 1 or mean[rivals[0]] >= _RIVAL_SHARE * mean[top]):
        split = (top, rivals[0])
    return Agreement(top, votes, len(voices), _divergence(voices), split)


def _divergence(voices: Sequence[Verdict]) -> float:
    if len(voices) < 2:
        return 0.0
    shares = np.array([list(v.probabilities.values()) for v in voices])
    gap = _entropy(shares.mean(axis=0)) - np.mean([_entropy(row) for row in shares])
    return float(np.clip(gap / np.log(len(voices)), 0, 1))


def _entropy(shares: np.typing.NDArray[np.float64]) -> float:
    positive = shares[shares > 0]
    return float(-(positive * np.log(positive)).sum())
