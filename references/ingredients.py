"""Measure what each ingredient of the training brings, by leaving it out.

    python references/ingredients.py WORK
    python references/ingredients.py WORK --transform mel

WORK is the folder of ``references/make.py`` after its run. MobileNetV3's stand-ins
(``references/left_out.py``) learn once with everything and once without each ingredient; what they
recognise on unknown sources and on ``valid`` is written to ``references/results/ingredients.json``
once all stand-ins are there. With ``--transform`` only half of them are trained, for two cores.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from ccmusic.files import write
from left_out import INGREDIENTS, stand_in
from networks import TRANSFORMS

BACKBONE = "mobilenet_v3_large"
RESULTS = Path(__file__).parent / "results/ingredients.json"


def measure_all(work: Path, transforms: list[str]) -> None:
    """Train the stand-ins that are missing; write the results of all that are there."""
    found: dict[str, dict[str, object]] = {}
    for without in ("", *INGREDIENTS):
        for transform in transforms:
            figures = json.loads(stand_in(work, f"{BACKBONE}_{transform}", without).read_text())
            found.setdefault(without, {})[transform] = {
                part: {
                    key: figures[part]["metrics"][key]
                    for key in ("recordings", "accuracy", "accuracy_interval", "macro_recall")
                }
                for part in ("unknown", "valid")
            }
    if transforms == list(TRANSFORMS):
        write(RESULTS, (json.dumps(found, indent=1) + "\n").encode())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("work", type=Path)
    parser.add_argument("--transform", choices=TRANSFORMS)
    options = parser.parse_args()
    measure_all(options.work, [options.transform] if options.transform else list(TRANSFORMS))
