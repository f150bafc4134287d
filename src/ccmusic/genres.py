"""The thirteen genres of our own checkpoints, CCMusic's sixteen; their names and colours."""

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


CCMUSIC_CLASSES: dict[str, tuple[str, str]] = {
    "symphony": ("交响乐", "Symphony"),
    "opera": ("戏曲", "Opera"),
    "solo": ("独奏", "Solo"),
    "chamber": ("室内乐", "Chamber"),
    "pop_vocal_ballad": ("芭乐", "Pop vocal ballad"),
    "adult_contemporary": ("成人时代", "Adult contemporary"),
    "teen_pop": ("青少年流行", "Teen pop"),
    "contemporary_dance_pop": ("当代流行舞曲", "Contemporary dance pop"),
    "dance_pop": ("流行舞曲", "Dance pop"),
    "classic_indie_pop": ("经典独立流行", "Classic indie pop"),
    "chamber_cabaret_and_art_pop": ("室内卡巴莱与艺术流行乐", "Chamber cabaret and art pop"),
    "soul_or_r_and_b": ("灵魂乐或节奏布鲁斯", "Soul or R&B"),
    "adult_alternative_rock": ("成人另类摇滚", "Adult alternative rock"),
    "uplifting_anthemic_rock": ("迷幻民族摇滚", "Uplifting anthemic rock"),
    "soft_rock": ("慢摇滚", "Soft rock"),
    "acoustic_pop": ("原声流行", "Acoustic pop"),
}
"""Classes of the original CCMusic checkpoints, in their order, with Chinese and English names."""

_NAMES = GENRES | CCMUSIC_CLASSES

# Found by search: any two differ by 25 or more in CIELAB (1976), to the usual eye and, by the
# simulation of G. Machado et al. (2009), to eyes without red or without green cones.
_COLOURS: dict[str, str] = {
    "rock": "#CA2F05",
    "jazz": "#1D64DB",
    "electronic": "#7AA6FF",
    "classical": "#F6CF27",
    "hiphop": "#891D26",
    "folk": "#1B826E",
    "metal": "#462644",
    "rnb": "#BCA8C9",
    "reggae": "#969C5E",
    "world": "#DCD874",
    "pop": "#875398",
    "environment": "#CAD3B8",
    "blues": "#0E00B7",
}

# Of classes that are none of the thirteen; found in the same way for the usual eye, 30 or more from
# one another and from the above.
_OTHER_COLOURS = (
    "#24EC1E", "#EB1CD9", "#25E89A", "#EE1483", "#EF967C", "#1D8010", "#2AC8ED", "#544022",
    "#AEDD18", "#DD8318", "#1F6284", "#EA7DEA", "#852CB0", "#D8749A", "#2BE7D5", "#154914",
)  # fmt: skip


def genre_name(genre: str, language: str) -> str:
    """Name of a class in ``zh`` or ``en``; the id of an unknown class."""
    if genre not in _NAMES:
        return genre.replace("_", " ")
    return _NAMES[genre][0 if language == "zh" else 1]


def genre_colour(genre: str) -> str:
    """Colour of a class, ``#RRGGBB``, the same wherever it is drawn.

    The thirteen genres differ to colour-blind eyes as well, and no other class has a colour of
    theirs. CCMusic's sixteen have one each; a class of another list has one of these sixteen,
    always the same.
    """
    if genre in _COLOURS:
        return _COLOURS[genre]
    place = list(CCMUSIC_CLASSES).index(genre) if genre in CCMUSIC_CLASSES else sum(genre.encode())
    return _OTHER_COLOURS[place % len(_OTHER_COLOURS)]
