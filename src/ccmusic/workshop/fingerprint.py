"""Recognition of recordings that hold the same sound.

Landmarks after A. Wang, "An industrial-strength audio search algorithm", 2003: pairs of
peaks of the spectrogram. The two pitches of a pair and the time between them do not depend on
codec, loudness, or start. Two recordings that have many pairs in common, all shifted by the same
time, have sound in common.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import combinations

import numpy as np
import torch
import torch.nn.functional as F

from ccmusic.audio import Samples
from ccmusic.spectrogram import Cqt

_CQT = Cqt()
_NEAR_BINS, _NEAR_FRAMES = 4, 5  # a peak is the loudest of its surroundings
_RANGE_DB = 50.0  # below the maximum there are no peaks
_FAN = 5
_REACH = 86  # frames, 2 s
_COMMON = 30  # a pair that this many recordings have is ignored
# Measured: of 60 recordings and their copies, cut, softened and re-encoded at 96 kbit/s, 57 pass;
# the three others are next to silent. Of 54,000 pairs of strangers none comes near.
_SAME_SHARE = 0.05
_SAME_PAIRS = 12

Landmarks = dict[tuple[int, int, int], int]


def landmarks(samples: Samples) -> Landmarks:
    """Pairs of peaks and the frame of their first: (bin, bin, frames between) -> frame.

    Parameters
    ----------
    samples
        float32 [n], mono at 22,050 Hz; not looped, or the seam of the loop looks alike everywhere.
    """
    levels = _CQT(samples).decibels()
    surroundings = F.max_pool2d(
        torch.from_numpy(levels)[None],
        (2 * _NEAR_BINS + 1, 2 * _NEAR_FRAMES + 1),
        stride=1,
        padding=(_NEAR_BINS, _NEAR_FRAMES),
    )[0].numpy()
    bins, frames = np.nonzero((levels == surroundings) & (levels > -_RANGE_DB))
    order = np.argsort(frames, kind="stable")
    peaks = list(zip(bins[order].tolist(), frames[order].tolist(), strict=True))
    found: Landmarks = {}
    for number, (low, start) in enumerate(peaks):
        for high, end in peaks[number + 1 : number + 1 + _FAN]:
            if 0 < end - start <= _REACH:
                found[low, high, end - start] = start
    return found


def find_duplicates(recordings: Sequence[Landmarks]) -> list[tuple[int, int, float]]:
    """Pairs of recordings that share sound: their numbers, and the share of common landmarks.

    The share is taken of the recording with fewer landmarks.
    """
    holders: defaultdict[tuple[int, int, int], list[int]] = defaultdict(list)
    for number, recording in enumerate(recordings):
        for landmark in recording:
            holders[landmark].append(number)
    shifts: defaultdict[tuple[int, int], Counter[int]] = defaultdict(Counter)
    for landmark, numbers in holders.items():
        if len(numbers) <= _COMMON:
            for a, b in combinations(numbers, 2):
                shifts[a, b][recordings[a][landmark] - recordings[b][landmark]] += 1
    found = []
    for (a, b), counts in sorted(shifts.items()):
        # Another codec may move a peak by a frame.
        best = max(counts[s - 1] + counts[s] + counts[s + 1] for s in list(counts))
        share = best / min(len(recordings[a]), len(recordings[b]))
        if best >= _SAME_PAIRS and share >= _SAME_SHARE:
            found.append((a, b, share))
    return found
