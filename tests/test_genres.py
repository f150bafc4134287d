import numpy as np
import pytest

from ccmusic.genres import CCMUSIC_CLASSES, GENRES, genre_colour

# G. Machado, M. Oliveira, L. Fernandes, "A physiologically-based model for simulation of color
# vision deficiency", 2009: linear RGB as eyes without red, green or blue cones see it.
SIGHTS = {
    "usual": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
TO_XYZ = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.072175],
        [0.0193339, 0.119192, 0.9503041],
    ]
)


def linear(colour: str) -> np.ndarray:
    levels = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)


def lab(colour: str, sight: str) -> np.ndarray:
    seen = np.clip(np.asarray(SIGHTS[sight]) @ linear(colour), 0, 1)
    share = TO_XYZ @ seen / [0.95047, 1, 1.08883]
    root = np.where(share > 0.008856, np.cbrt(share), 7.787 * share + 16 / 116)
    return np.array([116 * root[1] - 16, 500 * (root[0] - root[1]), 200 * (root[1] - root[2])])


@pytest.mark.parametrize(("sight", "least"), [("usual", 30), *((s, 17) for s in list(SIGHTS)[1:])])
def test_no_two_genres_look_alike_to_anybody(sight: str, least: float) -> None:
    seen = [lab(genre_colour(genre), sight) for genre in GENRES]
    assert min(np.linalg.norm(a - b) for i, a in enumerate(seen) for b in seen[:i]) > least


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_bar_stands_out_from_the_page(theme: str) -> None:
    dashboard = pytest.importorskip("ccmusic.dashboard")
    page = dashboard._OPTIONS[f"theme_{theme}_backgroundColor"]
    for genre in (*GENRES, *CCMUSIC_CLASSES):
        lights = sorted(0.05 + linear(c) @ TO_XYZ[1] for c in (genre_colour(genre), page))
        assert lights[1] / lights[0] >= 3, genre


def test_other_classes_have_colours_of_their_own() -> None:
    ours = {genre_colour(genre) for genre in GENRES}
    theirs = {genre_colour(name) for name in CCMUSIC_CLASSES}
    assert len(theirs) == len(CCMUSIC_CLASSES)
    seen = [lab(colour, "usual") for colour in (*ours, *theirs)]
    assert min(np.linalg.norm(a - b) for i, a in enumerate(seen) for b in seen[:i]) > 25
    assert {genre_colour(name) for name in ("fado", "morna", "samba", "Jazz")} <= theirs
    assert genre_colour("fado") == genre_colour("fado")
