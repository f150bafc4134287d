"""What counts in a picture, measured: how much a genre loses when a place is covered.

M. D. Zeiler, R. Fergus, "Visualizing and understanding convolutional networks", ECCV 2014,
section 4.2.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from ccmusic.analysis import Analysis
from ccmusic.attention import Attention
from ccmusic.axes import orient
from ccmusic.verdict import Verdict

Floats = npt.NDArray[np.float32]

_GRID = (7, 7)  # of models without maps: that of the others


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Importance(Attention):
    """How much a genre loses when a place of the picture is covered, according to one model.

    An :class:`Attention` whose :attr:`coarse` is measured, place by place, in the same unit:
    calibrated logits against the mean genre. Above 0 the genre loses without the place, below 0
    it gains. While :attr:`done` is below 1, places that are still to come are 0.

    >>> from ccmusic import Panel
    >>> with Panel.open("mel", ["mobilenet_v3_large"]) as panel:
    ...     *_, importance = panel.importance("examples/rain.ogg")
    >>> importance.genre, importance.coarse.shape, importance.done
    ('environment', (7, 7), 1.0)
    >>> -1 <= importance.rank_correlation <= 1
    True
    """

    model: str
    """Name of the checkpoint."""
    done: float
    """Share of the places that are measured."""
    attention: Attention | None = field(compare=False)
    """The activation map of the same genre; None of a model without maps."""

    @property
    def rank_correlation(self) -> float | None:
        """How far it agrees with the activation map: Spearman's rank correlation of their places.

        1 if both put all places in the same order, 0 if they have nothing to do with each other.
        None without a map, before all places are measured, or where all are alike.

        C. Spearman, "The proof and measurement of association between two things", 1904.
        """
        if self.attention is None or self.done < 1:
            return None
        one, other = _ranks(self.coarse), _ranks(self.attention.coarse)
        spread = float(one.std() * other.std())
        if spread == 0:
            return None
        return float(np.mean((one - one.mean()) * (other - other.mean())) / spread)


@dataclass(frozen=True, eq=False)
class Occlusion:
    """The places of one model's picture, and the measure of what a genre loses without them."""

    verdict: Verdict
    attention: Attention
    """The map of the genre, or, of a model without maps, zeros in its place."""

    @property
    def model(self) -> str:
        """Name of the checkpoint."""
        return self.verdict.card.name

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of places in the picture as the model sees it."""
        coarse, where = self.attention.coarse, self.attention.picture.preprocessing.orientation
        rows, columns = orient(coarse, where).shape
        return rows, columns

    def covered(self, row: int) -> Floats:
        """The picture without each place of a row, float32 [columns, channels, height, width].

        A place is covered with the median of the places around it, of each channel. Black would be
        a hole of silence with sharp edges: no music has it, and networks answer to the hole.
        """
        whole = self.attention.picture.input
        pictures = np.repeat(whole[None], self.grid[1], axis=0)
        for column, picture in enumerate(pictures):
            near, place = self._pixels(row, column, 1), self._pixels(row, column)
            around = np.zeros(whole.shape[1:], bool)
            around[near], around[place] = True, False
            picture[:, *place] = np.median(whole[:, around], axis=1)[:, None, None]
        return pictures

    def loss(self, logits: Floats) -> Floats:
        """Calibrated logits against the mean genre that are lost, float32 [n].

        Parameters
        ----------
        logits
            Of pictures with covered places, [n, n_classes].
        """
        card = self.verdict.card
        both = np.concatenate([np.asarray(self.verdict.logits)[None], logits]) / card.temperature
        against = both[:, card.classes.index(self.attention.genre)] - both.mean(axis=1)
        return np.asarray(against[0] - against[1:], np.float32)

    def _pixels(self, row: int, column: int, neighbours: int = 0) -> tuple[slice, slice]:
        """Pixels of a place, or of a place and its neighbours."""
        sides = zip(self.grid, self.attention.picture.input.shape[1:], (row, column), strict=True)
        edges = [
            (count, np.linspace(0, size, count + 1).round().astype(int), place)
            for count, size, place in sides
        ]
        rows, columns = (
            slice(at[max(0, place - neighbours)], at[min(count, place + 1 + neighbours)])
            for count, at, place in edges
        )
        return rows, columns


def occlusions(analysis: Analysis, genre: str | None) -> list[Occlusion]:
    """What to cover of each model that knows the genre; errors as :meth:`Analysis.attention`."""

    def with_grid(verdict: Verdict) -> Verdict:
        if verdict.error or verdict.maps is not None:
            return verdict
        return replace(verdict, maps=np.zeros((len(verdict.card.classes), *_GRID), np.float32))

    given = analysis.verdicts
    gridded = replace(analysis, verdicts={name: with_grid(given[name]) for name in given})
    seen = {name: gridded.attention(name, genre) for name in given}
    return [Occlusion(given[name], attention) for name, attention in seen.items() if attention]


Part: TypeAlias = tuple[Occlusion, int, Floats]
"""A row of a picture, and what is lost without its places."""


def together(parts: Iterable[Part]) -> Iterator[Importance]:
    """Gather rows into maps, one after each row."""
    lost: dict[str, list[tuple[int, Floats]]] = {}
    for occlusion, row, loss in parts:
        seen, (rows, columns) = occlusion.attention, occlusion.grid
        measured = lost.setdefault(occlusion.model, [])
        measured.append((row, loss))
        oriented = np.zeros((rows, columns), np.float32)
        for place, values in measured:
            oriented[place] = values
        upright = orient(oriented, seen.picture.preprocessing.orientation)
        yield Importance(
            **{**vars(seen), "coarse": np.ascontiguousarray(upright)},
            model=occlusion.model,
            done=len(measured) / rows,
            attention=seen if occlusion.verdict.maps is not None else None,
        )


def _ranks(values: Floats) -> npt.NDArray[np.float64]:
    """Places in ascending order; equal values share the mean of theirs."""
    _, which, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[which.reshape(-1)])
