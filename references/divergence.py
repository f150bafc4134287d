"""How far the shipped panels diverge on ``valid``: ``python references/divergence.py CLIPS.csv``.

Writes ``references/results/divergence.json``, from which the words for a divergence are taken
(``ccmusic.agreement``).
"""

import sys
from pathlib import Path

import numpy as np

from ccmusic import zoo
from ccmusic.agreement import agree
from ccmusic.panel import Panel
from ccmusic.prepare import prepare
from ccmusic.workshop.data import read_manifest
from shared import RESULTS, write_results

QUANTILES = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)


def main(manifest: Path) -> None:
    """Judge every clip of ``valid`` and write the results."""
    checkpoints = zoo.find("both")
    members = {
        "cqt": {c.card.name for c in checkpoints if c.card.transform == "cqt"},
        "mel": {c.card.name for c in checkpoints if c.card.transform == "mel"},
        "both": {c.card.name for c in checkpoints},
    }
    found: dict[str, list[tuple[float, bool]]] = {name: [] for name in members}
    with Panel(checkpoints) as panel:
        preprocessings = {card.preprocessing for card in panel.cards}
        for recording in read_manifest(manifest):
            if recording.split != "valid" or not recording.genre:
                continue
            prepared = prepare(recording.path, preprocessings)
            verdicts = list(panel.run(prepared.pictures))
            for name, its in members.items():
                agreement = agree([v for v in verdicts if v.card.name in its])
                assert agreement is not None
                found[name].append((agreement.divergence, agreement.top == recording.genre))
    result = {}
    for name, rows in found.items():
        divergences, right = np.array([d for d, _ in rows]), np.array([r for _, r in rows])
        thirds = np.quantile(divergences, (1 / 3, 2 / 3))
        third = np.digitize(divergences, thirds)
        result[name] = {
            "clips": len(rows),
            "quantiles": {str(q): round(float(np.quantile(divergences, q)), 4) for q in QUANTILES},
            "thirds": [round(float(edge), 4) for edge in thirds],
            "right_by_third": [round(float(right[third == i].mean()), 3) for i in range(3)],
        }
    write_results(RESULTS / "divergence.json", result, [c.card for c in checkpoints])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
