"""One song as CQT and as Mel: what each model says, and a picture of both.

Run ``python docs/examples/compare_transforms.py [SONG] [OUT.png]``.
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt

import ccmusic

EXAMPLES = Path(__file__).parents[2] / "examples"


def main(song: str = str(EXAMPLES / "vibe_ace.ogg"), out: str = "transforms.png") -> None:
    figure, axes = plt.subplots(1, 2, figsize=(12, 5), layout="constrained")
    for transform, ax in zip(("cqt", "mel"), axes, strict=True):
        analysis = ccmusic.analyze(song, transform=transform)
        print(f"{transform}: {analysis.message()}")
        for verdict in analysis.verdicts.values():
            first = ", ".join(f"{genre} {share:.0%}" for genre, share in verdict.top(3))
            print(f"  {verdict.card.title():<18} {first}")
        start = analysis.clip.info.window_start
        # Time to the right in both, so that the two can be compared.
        (spectrogram,) = analysis.spectrograms.values()
        spectrogram.plot(ax, start=start, orientation="time_along_x")
        ax.set_title(f"{transform}: {analysis.message()}")
    figure.savefig(out)
    print(out)


if __name__ == "__main__":
    main(*sys.argv[1:])
