"""What counts in a picture, measured: how much a genre loses when a place is covered.

M. D. Zeiler, R. Fergus, "Visualizing and understanding convolutional networks", ECCV 2014,
section 4.2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

import numpy as np
import numpy.typing as npt

from ccmusic.attention import Attention, attend, log_odds, upright
from ccmusic.card import MapKind
from ccmusic.errors import CheckpointError
from ccmusic.picture import Picture
from ccmusic.verdict import Verdict

Floats = npt.NDArray[np.float32]

_GRID = (7, 7)  # of models without maps: that of the others


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Importance(Attention):
    """How much a genre loses when a place of the picture is covered, according to one model.

    An :class:`Attention` whose :attr:`coarse` is measured, place by place: what the logarithm of
    the genre's odds loses, in calibrated logits. An activation map tells from the features what
    that would be. Above 0 the genre loses without the place, below 0 it gains. While :attr:`done`
    is below 1, places that are still to come are 0.

    >>> from ccmusic import Panel
    >>> with Panel.open("mel", ["mobilenet_v3_large"]) as panel:
    ...     *_, importance = panel.importance("examples/rain.ogg")
    >>> importance.genre, importance.coarse.shape, importance.done
    ('environment', (7, 7), 1.0)
    >>> -1 <= importance.rank_correlation <= 1
    True
    """

    kind: ClassVar[MapKind] = "occlusion"

    verdict: Verdict
    """Of the model, with the logits of its covered pictures."""

    @property
    def model(self) -> str:
        """Name of the checkpoint."""
        return self.verdict.card.name

    @property
    def done(self) -> float:
        """Share of the places that are measured."""
        assert self.verdict.covered is not None
        return float(np.isfinite(self.verdict.covered).mean())

    @property
    def attention(self) -> Attention | None:
        """The activation map of the same genre; None of a model without maps."""
        return attend(self.verdict, self.picture, self.genre, start=self.start, length=self.length)

    @property
    def rank_correlation(self) -> float | None:
        """How far it agrees with the activation map: Spearman's rank correlation of their places.

        1 if both put all places in the same order, 0 if they have nothing to do with each other.
        None without a map, before all places are measured, or where all are alike.

        C. Spearman, "The proof and measurement of association between two things", 1904.
        """
        activation = self.attention
        if activation is None or self.done < 1:
            return None
        one, other = _ranks(self.coarse), _ranks(activation.coarse)
        spread = float(one.std() * other.std())
        if spread == 0:
            return None
        return float(np.mean((one - one.mean()) * (other - other.mean())) / spread)


def weigh(
    verdict: Verdict,
    picture: Picture,
    genre: str | None = None,
    *,
    start: float = 0.0,
    length: float = math.inf,
) -> Importance | None:
    """Tell what each place of a picture counts for a genre; arguments as of :func:`attend`.

    Returns
    -------
    None if it was not measured, or the model does not know the genre.
    """
    card, covered = verdict.card, verdict.covered
    if covered is None or (genre is not None and genre not in card.classes):
        return None
    genre = genre or verdict.top(1)[0][0]
    index = card.classes.index(genre)
    whole = verdict.logits if verdict.middle is None else verdict.middle
    lost = log_odds(np.asarray(whole) / card.temperature, index) - log_odds(
        covered / card.temperature, index
    )
    coarse = upright(np.nan_to_num(lost), card)
    return Importance(
        genre=genre, coarse=coarse, picture=picture, start=start, length=length, verdict=verdict
    )


@dataclass(frozen=True, eq=False)
class Occlusion:
    """The places of one model's picture."""

    verdict: Verdict
    picture: Picture

    @property
    def model(self) -> str:
        """Name of the checkpoint."""
        return self.verdict.card.name

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of places in the picture as the model sees it."""
        if self.verdict.maps is None:
            return _GRID
        _, rows, columns = self.verdict.maps.shape
        return rows, columns

    def covered(self, row: int) -> Floats:
        """The picture without each place of a row, float32 [columns, channels, height, width].

        A place is covered with the median of the places around it, of each channel. Black would be
        a hole of silence with sharp edges: no music has it, and networks answer to the hole.
        """
        whole = self.picture.input
        pictures = np.repeat(whole[None], self.grid[1], axis=0)
        for column, picture in enumerate(pictures):
            near, place = self._pixels(row, column, 1), self._pixels(row, column)
            around = np.zeros(whole.shape[1:], bool)
            around[near], around[place] = True, False
            picture[:, *place] = np.median(whole[:, around], axis=1)[:, None, None]
        return pictures

    def _pixels(self, row: int, column: int, neighbours: int = 0) -> tuple[slice, slice]:
        """Pixels of a place, or of a place and its neighbours."""
        sides = zip(self.grid, self.picture.input.shape[1:], (row, column), strict=True)
        edges = [
            (count, np.linspace(0, size, count + 1).round().astype(int), place)
            for count, size, place in sides
        ]
        rows, columns = (
            slice(at[max(0, place - neighbours)], at[min(count, place + 1 + neighbours)])
            for count, at, place in edges
        )
        return rows, columns


Part: TypeAlias = tuple[Occlusion, int, Floats | CheckpointError]
"""A row of a picture, and the logits without each of its places, [columns, n_classes]."""


def _ranks(values: Floats) -> npt.NDArray[np.float64]:
    """Places in ascending order; equal values share the mean of theirs."""
    _, which, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[which.reshape(-1)])
