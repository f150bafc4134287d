"""Measure the shipped panel on short pieces.

    python references/short_pieces.py WORK

WORK is the folder of ``references/make.py`` after its run. The middle second, two seconds and so on
of each clip of ``valid`` are given to the ten networks as if they were the whole piece, which is
looped then; ``references/results/short_pieces.json`` gets what the mean of the ten is worth.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from ccmusic import Panel, load
from ccmusic.audio import SAMPLE_RATE, Clip
from ccmusic.genres import GENRES
from ccmusic.workshop.data import read_manifest
from ccmusic.workshop.evaluate import measure
from shared import RESULTS, write_results

SECONDS = (1, 2, 3, 5, 10)
CLASSES = tuple(GENRES)


def main(work: str) -> None:
    """Judge every clip at every length and write the results."""
    recordings = read_manifest(Path(work, "material", "clips.csv"))
    recordings = [r for r in recordings if r.split == "valid" and r.genre]
    clips = [(recording, load(recording.path, loop=False)) for recording in recordings]
    clips = [(recording, clip) for recording, clip in clips if clip.info.duration >= max(SECONDS)]
    found = {}
    with Panel.open("both") as panel:
        for seconds in SECONDS:
            judged, means = [], []
            for recording, clip in clips:
                n = round(seconds * SAMPLE_RATE)
                begin = max(0, (len(clip.samples) - n) // 2)
                part = Clip.from_samples(clip.samples[begin : begin + n], SAMPLE_RATE)
                analysis = panel.analyze(part)
                if analysis.mean:
                    judged.append(recording)
                    means.append([analysis.mean[genre] for genre in CLASSES])
            metrics = measure(
                np.log(np.asarray(means)), judged, CLASSES, temperature=1, split="valid",
                refit=False,
            )  # fmt: skip
            found[seconds] = {
                "recordings": metrics.recordings,
                "accuracy": metrics.accuracy,
                "confidence": float(np.max(means, axis=1).mean()),
                "calibration_error": metrics.calibration_error,
            }
            print(seconds, found[seconds], flush=True)
        write_results(RESULTS / "short_pieces.json", found, panel.cards)


if __name__ == "__main__":
    main(*sys.argv[1:])
