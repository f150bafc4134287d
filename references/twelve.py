"""Judge the pieces of the article: ``python references/twelve.py FOLDER``.

FOLDER has ``twelve.csv`` and the windows of each piece that it names; their sound may not be
published. ``references/results/twelve.json`` gets what each of the ten networks says of a piece:
the mean of its windows.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path

from ccmusic import Panel
from ccmusic.workshop.data import read_table
from shared import RESULTS, write_results


def main(folder: str) -> None:
    """Judge all windows and write the results."""
    pieces = defaultdict(list)
    for row in read_table(Path(folder, "twelve.csv"), {"path", "artist", "title", "genre"}):
        pieces[row["artist"], row["title"], row["genre"]].append(Path(folder, row["path"]))
    found = []
    with Panel.open("both") as panel:
        for (artist, title, genre), windows in pieces.items():
            said = defaultdict(list)
            for window in windows:
                analysis = panel.analyze(window)
                for name, verdict in analysis.verdicts.items():
                    said[name].append(verdict.probabilities)
                said["mean of all"].append(analysis.mean)
            verdicts = {
                name: {
                    choice: round(sum(each[choice] for each in those) / len(those), 3)
                    for choice in those[0]
                }
                for name, those in said.items()
            }
            piece = {"artist": artist, "title": title, "genre": genre, "windows": len(windows)}
            found.append({**piece, "verdicts": verdicts})
            print(title, genre, verdicts["mean of all"], flush=True)
        write_results(RESULTS / "twelve.json", found, panel.cards)


if __name__ == "__main__":
    main(*sys.argv[1:])
