"""Measure checkpoints on songs of artists that nothing has learnt.

    python references/songs.py MATERIAL OUT.json [--checkpoints FOLDER]

MATERIAL is the folder of ``references/make.py`` with ``clips.csv``, ``songs.csv`` and
``verdicts.csv``; FOLDER has the ten, those that are shipped by default. OUT gets accuracy, mean
recall, calibration error and the recall of each genre on the songs whose label is sure, for each of
the ten, for their means and for the teacher; and how often the mean of the ten is right on songs of
which two windows are at hand, by one window and by both.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ccmusic.card import Metrics
from ccmusic.verdict import softmax
from ccmusic.workshop.data import Recording, read_soft_targets
from ccmusic.workshop.evaluate import measure, predict_split
from ccmusic.zoo import SHIPPED
from gather import SONGS
from networks import names
from shared import checkpoint, parser_of, write_results


def main(material: Path, out: Path, checkpoints: Path) -> None:
    """Measure and write everything."""
    panel = [checkpoint(checkpoints, name) for name in names()]
    classes = panel[0].card.classes
    sure, of_sure = predict_split(panel, material / "songs.csv", "high")
    unsure, of_unsure = predict_split(panel, material / "songs.csv", "medium")
    recordings = [*sure, *unsure]
    shares = {}
    for member, *logits in zip(panel, of_sure, of_unsure, strict=True):
        rows = np.concatenate([*logits[0], *logits[1]])
        shares[member.card.name] = softmax(rows / member.card.temperature)
    for transform in ("cqt", "mel"):
        shares[f"mean of {transform}"] = np.mean(
            [shares[name] for name in names(transform)], axis=0
        )
    shares["mean of all"] = np.mean([shares[name] for name in names()], axis=0)
    verdicts, _ = read_soft_targets(material / "verdicts.csv")
    shares["teacher"] = np.stack([verdicts[recording.key] for recording in recordings])
    found: dict[str, Any] = {
        name: _figures(each[: len(sure)], sure, classes) for name, each in shares.items()
    }
    windows = defaultdict(list)
    for number, recording in enumerate(recordings):
        windows[recording.piece].append(number)
    twice = [number for numbers in windows.values() if len(numbers) == 2 for number in numbers]
    both = [recordings[number] for number in twice]
    one = [replace(recording, recording=recording.key) for recording in both]
    found["windows"] = {
        name: _figures(shares["mean of all"][twice], chosen, classes)
        for name, chosen in (("one", one), ("two", both))
    }
    write_results(out, found, [member.card for member in panel])


def _figures(
    shares: npt.NDArray[np.floating[Any]], recordings: Sequence[Recording], classes: Sequence[str]
) -> dict[str, Any]:
    metrics: Metrics = measure(
        np.log(shares + 1e-9), recordings, classes, temperature=1, split=SONGS, refit=False
    )
    return {
        "songs": metrics.recordings,
        **{
            key: round(getattr(metrics, key), 3)
            for key in ("accuracy", "macro_recall", "calibration_error")
        },
        "recall": {genre: round(recall, 3) for genre, recall in metrics.recall.items()},
        "support": metrics.support,
    }


if __name__ == "__main__":
    parser = parser_of(__doc__, "material", "out")
    parser.add_argument("--checkpoints", type=Path, default=SHIPPED)
    main(**vars(parser.parse_args()))
