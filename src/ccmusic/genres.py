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

# Found by search. Each has a contrast of 3 or more to the page, light and dark (WCAG 2, 1.4.11),
# which leaves lightnesses from 42 to 60. Any two differ in CIELAB (1976) by 30 or more to the usual
# eye, and by 17 or more, by the simulation of G. Machado et al. (2009), to eyes without one kind of
# cones.
_COLOURS: dict[str, str] = {
    "rock": "#C80800",
    "jazz": "#1898D0",
    "electronic": "#8078F8",
    "classical": "#D87810",
    "hiphop": "#9830C0",
    "folk": "#885838",
    "metal": "#686098",
    "rnb": "#C878A0",
    "reggae": "#989048",
    "world": "#E01870",
    "pop": "#F838C8",
    "environment": "#307060",
    "blues": "#8818F8",
}

# Of classes that are none of the thirteen; as bright, and to the usual eye 26 or more from one
# another and from the above.
_OTHER_COLOURS = (
    "#1652FE", "#008AF0", "#427230", "#00A27E", "#C072D2", "#FC184E", "#009C48", "#00A800",
    "#F600FC", "#789C06", "#AE3084", "#EA664E", "#7E5A66", "#90907E", "#AE3C4E", "#AE8A00",
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
    always the same. All stand out from a light and from a dark page.
    """
    if genre in _COLOURS:
        return _COLOURS[genre]
    place = list(CCMUSIC_CLASSES).index(genre) if genre in CCMUSIC_CLASSES else sum(genre.encode())
    return _OTHER_COLOURS[place % len(_OTHER_COLOURS)]
