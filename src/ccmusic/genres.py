"""The thirteen genres of our own checkpoints, and the names of genres in both languages."""

from __future__ import annotations

GENRES: dict[str, tuple[str, str]] = {
    "rock": ("摇滚", "Rock"),
    "jazz": ("爵士", "Jazz"),
    "electronic": ("电子", "Electronic"),
    "classical": ("古典", "Classical"),
    "hiphop": ("说唱", "Hip-hop"),
    "folk": ("民谣", "Folk"),
    "metal": ("金属", "Metal"),
    "rnb": ("R&B", "R&B"),
    "reggae": ("雷鬼", "Reggae"),
    "world": ("世界音乐", "World"),
    "pop": ("流行", "Pop"),
    "environment": ("环境音", "Environment"),
    "blues": ("布鲁斯", "Blues"),
}
"""Genre id to its Chinese and English name, in the order of the checkpoints' classes."""


def genre_name(genre: str, language: str) -> str:
    """Name of a class in ``zh`` or ``en``; an unknown class is called by its id."""
    if genre not in GENRES:
        return genre.replace("_", " ")
    return GENRES[genre][0 if language == "zh" else 1]
