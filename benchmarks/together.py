"""Several pictures of one file: ``python benchmarks/together.py``.

Each network on one core, so many pictures in one inference: whether that is faster than one after
the other. Then what is asked of a file that was judged before: the importance of all places, and a
judgement without a region, from the clip to the JSON; all five networks.
"""

import json
from pathlib import Path

import numpy as np

from ccmusic import Clip, Panel, load
from ccmusic.zoo import Session, find
from timing import keep, median_ms

SONG = Path(__file__).parent.parent / "examples" / "celtica.ogg"
SIZES = (1, 2, 4, 8, 16)


def picture_ms(session: Session, *, repeats: int) -> dict[int, float]:
    """Milliseconds of a picture by the number in one inference."""
    pictures = np.random.default_rng(1).random((max(SIZES), 3, 224, 224), np.float32)

    def run(size: int) -> None:
        for first in range(0, max(SIZES), size):
            session.run(["logits"], {"picture": pictures[first : first + size]})

    times = median_ms(*(lambda size=size: run(size) for size in SIZES), repeats=repeats)
    return {size: ms / max(SIZES) for size, ms in zip(SIZES, times, strict=True)}


def without_ms(panel: Panel, clip: Clip, *, repeats: int) -> float:
    """Milliseconds of a judgement without a region, of another place each time."""
    places = iter(range(repeats + 1))

    def ask() -> None:
        start = clip.info.window_start + next(places) % 8
        edited = clip.without(seconds=(start, start + 1), band=(200, 2_000))
        json.dumps(panel.analyze(edited).to_dict())

    (ms,) = median_ms(ask, repeats=repeats)
    return ms


def main() -> None:
    with Panel.open("cqt") as panel:
        clip = load(SONG)
        analysis = panel.analyze(clip)
        (importance_ms,) = median_ms(lambda: list(panel.importance(analysis)), repeats=3)
        rows = {
            "importance_ms": importance_ms,
            "without_ms": without_ms(panel, clip, repeats=15),
        }
    stacks = {c.card.backbone: picture_ms(c.open(threads=1), repeats=5) for c in find("cqt")}
    keep("together", {**rows, "stacks": stacks})


if __name__ == "__main__":
    main()
