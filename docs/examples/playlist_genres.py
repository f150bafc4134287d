"""The genres of a folder of music as a plot, on all cores.

Run ``python docs/examples/playlist_genres.py [FOLDER] [OUT.png]``.
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt

import ccmusic

EXAMPLES = Path(__file__).parents[2] / "examples"
AUDIO = {".wav", ".flac", ".ogg", ".opus", ".mp3", ".m4a"}


def main(folder: str = str(EXAMPLES), out: str = "playlist.png") -> None:
    songs = sorted(path for path in Path(folder).rglob("*") if path.suffix.lower() in AUDIO)
    shares: dict[str, dict[str, float]] = {}  # song, genre, mean probability of the five models
    for song, found in zip(songs, ccmusic.analyze_many(songs), strict=True):
        if isinstance(found, ccmusic.CCMusicError):
            print(found, file=sys.stderr)
        elif found.agreement:  # none for silence
            print(f"{song.name}: {found.message()}")
            shares[song.stem] = found.mean
    if not shares:
        sys.exit(f"{folder}: no music that could be judged")

    genres = sorted({genre for mean in shares.values() for genre in mean})
    figure, ax = plt.subplots(figsize=(10, 1 + 0.4 * len(shares)), layout="constrained")
    left = [0.0] * len(shares)
    for number, genre in enumerate(genres):
        widths = [mean.get(genre, 0.0) for mean in shares.values()]
        ax.barh(list(shares), widths, left=left, label=genre, color=plt.cm.tab20(number % 20))
        left = [before + width for before, width in zip(left, widths, strict=True)]
    ax.set(xlim=(0, 1), xlabel="mean probability")
    ax.invert_yaxis()
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize="small")
    figure.savefig(out)
    print(out)


if __name__ == "__main__":
    main(*sys.argv[1:])
