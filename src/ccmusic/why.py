"""Verdicts and their maps in, one sentence out: what speaks for a genre, and what against it.

Only what was measured is said: a place counts if models share it whose maps were better than
chance, and the rival is the genre closest in the mean.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ccmusic.attention import Region
from ccmusic.genres import genre_name
from ccmusic.texts import Language, translate

_FEWEST = 2  # models that share a place
_HALF_AN_OCTAVE = 2**0.5  # the least that two places share; the cells of CQT and Mel differ


@dataclass(frozen=True)
class Why:
    """What speaks for a genre, and what against it.

    >>> reasons = Why("folk", 0.40, "world", 0.34, 2, 5, Region(3.0, 7.0, 64.0, 508.0), 3)
    >>> reasons.message("en").partition(". ")[0]
    'For Folk: 3.0–7.0 s, 64–508 Hz, in the maps of 3 models'
    >>> reasons.message("en").partition(". ")[2]
    'Against: World has 34%, Folk 40%; World leads in 2 of 5 models.'
    """

    genre: str
    share: float
    """Its mean probability."""
    rival: str
    """The other genre that is closest in the mean."""
    rival_share: float
    prefer_rival: int
    """Models that find the rival likelier than the genre."""
    models: int
    """Models in the mean."""
    region: Region | None = None
    """A place that the maps of several models name for the genre; None if there is none."""
    named_by: int = 0
    """Models whose maps name it; only maps that were measured to be better than chance count."""

    def message(self, language: Language = "en") -> str:
        """One or two sentences."""
        values: dict[str, object] = {
            **vars(self),
            "genre": genre_name(self.genre, language),
            "rival": genre_name(self.rival, language),
        }
        sentence = translate(language, "why.against", **values)
        if self.prefer_rival:
            sentence += translate(language, "why.prefer", **values)
        sentence += translate(language, "why.end")
        if self.region is None:
            return sentence
        values["region"] = self.region.message(language)
        return translate(language, "why.for", **values) + sentence


def reasons(
    genre: str,
    mean: Mapping[str, float],
    voices: Sequence[Mapping[str, float]],
    regions: Sequence[Region],
) -> Why | None:
    """Say what speaks for a genre and what against it.

    Parameters
    ----------
    mean
        Mean probabilities.
    voices
        Probabilities of each model in the mean.
    regions
        The strongest place of each map that was measured to be better than chance.

    Returns
    -------
    None if the mean does not know the genre, or no other.
    """
    others = [other for other in mean if other != genre]
    if genre not in mean or not others:
        return None
    rival = max(others, key=lambda other: mean[other])
    prefer = sum(voice[rival] > voice[genre] for voice in voices)
    n = len(voices)
    return Why(genre, mean[genre], rival, mean[rival], prefer, n, *shared(regions))


def shared(regions: Sequence[Region]) -> tuple[Region | None, int]:
    """The rectangle that most regions have in common, and how many do; None of fewer than two."""
    most: list[Region] = []
    for corner in ((a.start, b.lowest) for a in regions for b in regions):
        around = [
            region
            for region in regions
            if region.start <= corner[0] < region.end
            and region.lowest <= corner[1] <= region.highest / _HALF_AN_OCTAVE
        ]
        most = max(most, around, key=len)
    if len(most) < _FEWEST:
        return None, 0
    region = Region(
        max(region.start for region in most),
        min(region.end for region in most),
        max(region.lowest for region in most),
        min(region.highest for region in most),
    )
    return region, len(most)
