"""Where the example clips are: in the installed package, or beside the sources."""

from __future__ import annotations

from pathlib import Path

_FOLDERS = (Path(__file__).parents[1] / "examples", Path(__file__).parents[3] / "examples")

EXAMPLE_GENRES = {
    "celtica": "folk",
    "coherence": "electronic",
    "eastern_dreams": "world",
    "enemy_unknown": "electronic",
    "muldjord": "metal",
    "rain": "environment",
    "sugar_plum_fairy": "classical",
    "total_breakdown": "rock",
    "vibe_ace": "jazz",
}
"""By stem, the genre of the makers, as ``examples/CREDITS.md`` gives it."""


def find_examples() -> dict[str, Path]:
    """Example clips by their file's stem; empty where none came along."""
    for folder in _FOLDERS:
        if clips := sorted(folder.glob("*.ogg")):
            return {clip.stem: clip for clip in clips}
    return {}
