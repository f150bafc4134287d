"""A verdict and its picture in, where the model saw a genre out: in seconds and hertz."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from ccmusic.panel import Verdict
from ccmusic.picture import Picture, Preprocessing
from ccmusic.renamed import RenamedAttribute
from ccmusic.texts import Language, translate

Floats = npt.NDArray[np.float32]

_STRONG = 0.5  # of the maximum: what belongs to the strongest region
_MOST = 0.6  # of the picture: a region so large singles nothing out


@dataclass(frozen=True)
class Region:
    """A rectangle of the spectrogram."""

    start: float
    """Seconds from the beginning of the piece."""
    end: float
    lowest: float
    """Hertz."""
    highest: float

    def message(self, language: Language) -> str:
        """Name it: ``0 to 2 s, 60 to 250 Hz``."""
        return translate(
            language,
            "attention.region",
            start=self.start,
            end=self.end,
            lowest=self.lowest,
            highest=self.highest,
        )

    say = RenamedAttribute("message")


@dataclass(frozen=True)
class Attention:
    """How much each place of the picture speaks for a genre, in one model's eyes."""

    genre: str
    coarse: Floats
    """float32 [rows, columns], as coarse as the network sees, low frequencies first, time to the
    right. In calibrated logits against the mean genre, so models can be compared: above 0 speaks
    for the genre, below 0 against it."""
    picture: Picture
    start: float = 0.0
    """Seconds of the piece at which the times of the spectrogram begin."""

    @property
    def values(self) -> Floats:
        """The same for every cell of the spectrogram, float32 [n_bins, n_frames], smoothed."""
        n_bins, n_frames = self.picture.spectrogram.values.shape
        image = Image.fromarray(self.coarse).resize((n_frames, n_bins), Image.Resampling.BILINEAR)
        return np.asarray(image, np.float32)

    @property
    def everywhere(self) -> bool:
        """Whether the strongest region is most of the picture: no place in particular."""
        box = self._box()
        if box is None:
            return False
        rows, columns = ((last - first + 1) for first, last in box)
        return rows * columns > _MOST * self.coarse.size

    def _box(self) -> tuple[tuple[int, int], tuple[int, int]] | None:
        """First and last row and column of the strongest place and what joins it."""
        peak = np.unravel_index(int(self.coarse.argmax()), self.coarse.shape)
        if self.coarse[peak] <= 0:
            return None
        return _connected(self.coarse >= _STRONG * self.coarse[peak], peak)

    @property
    def region(self) -> Region | None:
        """The strongest place and what joins it; None if nothing speaks for the genre."""
        box = self._box()
        if box is None:
            return None
        rows, columns = box
        spectrogram = self.picture.spectrogram
        n_rows, n_columns = self.coarse.shape
        hop = spectrogram.times[1] - spectrogram.times[0] if len(spectrogram.times) > 1 else 0.0
        first = self.start + float(spectrogram.times[0])
        length = float(len(spectrogram.times) * hop)
        return Region(
            first + length * columns[0] / n_columns,
            first + length * (columns[1] + 1) / n_columns,
            _frequency(spectrogram.frequencies, rows[0] / n_rows),
            _frequency(spectrogram.frequencies, (rows[1] + 1) / n_rows),
        )


def attend(
    verdict: Verdict, picture: Picture, genre: str | None = None, *, start: float = 0.0
) -> Attention | None:
    """Read a verdict's maps.

    Parameters
    ----------
    picture
        What the model was shown; of several slices the middle one.
    genre
        One of the model's classes; its first choice by default.
    start
        Seconds of the piece at which the times of the picture's spectrogram begin.

    Returns
    -------
    None if the model failed, has no maps, or does not know the genre.
    """
    card = verdict.card
    if verdict.maps is None or (genre is not None and genre not in card.classes):
        return None
    genre = genre or verdict.top(1)[0][0]
    # What all genres have in common at a place does not bear on the choice: a softmax ignores it.
    against = verdict.maps[card.classes.index(genre)] - verdict.maps.mean(axis=0)
    return Attention(
        genre, _upright(against / card.temperature, card.preprocessing), picture, start
    )


def _upright(values: Floats, preprocessing: Preprocessing) -> Floats:
    """Undo the picture's orientation: low frequencies first, time to the right."""
    upright = values.T if preprocessing.orientation == "pitch_along_x" else values[::-1]
    return np.ascontiguousarray(upright, np.float32)


def _connected(
    strong: npt.NDArray[np.bool_], start: tuple[np.intp, ...]
) -> tuple[tuple[int, int], tuple[int, int]]:
    """First and last row and column of what hangs together with a place."""
    place = (int(start[0]), int(start[1]))
    seen, waiting = {place}, deque([place])
    while waiting:
        row, column = waiting.popleft()
        for r, c in ((row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)):
            inside = 0 <= r < strong.shape[0] and 0 <= c < strong.shape[1]
            if inside and strong[r, c] and (r, c) not in seen:
                seen.add((r, c))
                waiting.append((r, c))
    rows, columns = zip(*seen, strict=True)
    return (min(rows), max(rows)), (min(columns), max(columns))


def _frequency(frequencies: npt.NDArray[np.float64], share: float) -> float:
    """Frequency at a share of the height of a spectrogram, whose bins are as high as each other."""
    edges = np.arange(len(frequencies)) + 0.5
    return float(np.exp(np.interp(share * len(frequencies), edges, np.log(frequencies))))
