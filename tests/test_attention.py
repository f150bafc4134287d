from pathlib import Path

import numpy as np
import pytest

from ccmusic.attention import attend
from ccmusic.errors import CheckpointError
from ccmusic.picture import Picture, Preprocessing
from ccmusic.spectrogram import TransformName
from ccmusic.verdict import Verdict
from small_models import make_checkpoint

CLASSES = ("jazz", "rock", "blues")


def picture(transform: TransformName) -> Picture:
    preprocessing = Preprocessing.default(transform)
    sound = np.random.default_rng(0).normal(0, 0.1, 220_500).astype(np.float32)
    return Picture.from_spectrogram(preprocessing.transform(sound), preprocessing)


def verdict(
    tmp_path: Path, transform: TransformName, maps: np.ndarray, temperature: float = 1.0
) -> Verdict:
    card = make_checkpoint(tmp_path, "m", transform=transform, classes=CLASSES)
    card = card.model_copy(update={"temperature": temperature})
    logits = maps.mean(axis=(1, 2)).astype(np.float32)
    return Verdict(card, 1.0, logits, maps.astype(np.float32))


def spot(transform: str, early: bool, low: bool) -> np.ndarray:
    """Maps in which one corner of the picture speaks for jazz."""
    maps = np.zeros((3, 7, 7))
    time, pitch = (0 if early else 6), (0 if low else 6)
    # CQT: time downwards, pitch to the right. Mel: low at the bottom, time to the right.
    row, column = (time, pitch) if transform == "cqt" else (6 - pitch, time)
    maps[0, row, column] = 9
    return maps


@pytest.mark.parametrize("transform", ["cqt", "mel"])
@pytest.mark.parametrize("early", [True, False])
@pytest.mark.parametrize("low", [True, False])
def test_a_corner_is_found_in_seconds_and_hertz(
    tmp_path: Path, transform: TransformName, early: bool, low: bool
) -> None:
    shown = picture(transform)
    attention = attend(verdict(tmp_path, transform, spot(transform, early, low)), shown)
    assert attention is not None
    assert attention.genre == "jazz"
    region = attention.region
    assert region is not None
    start, end = (0, 10 / 7) if early else (60 / 7, 10)
    assert (region.start, region.end) == pytest.approx((start, end), abs=0.05)
    frequencies = shown.spectrogram.frequencies
    if low:
        assert region.lowest == pytest.approx(frequencies[0], rel=0.05)
        assert region.highest < frequencies[len(frequencies) // 4]
    else:
        assert region.highest == pytest.approx(frequencies[-1], rel=0.05)
        assert region.lowest > frequencies[3 * len(frequencies) // 4]
    values = attention.values
    assert values.shape == shown.spectrogram.values.shape
    peak = np.unravel_index(values.argmax(), values.shape)
    assert (peak[0] < len(values) / 2) == low
    assert (peak[1] < values.shape[1] / 2) == early
    assert "s" in region.message("en")
    assert "\u79d2" in region.message("zh")


def test_what_all_genres_share_does_not_count(tmp_path: Path) -> None:
    maps = spot("cqt", True, True)
    alike = attend(verdict(tmp_path, "cqt", maps + 5 * np.eye(7)), picture("cqt"))
    alone = attend(verdict(tmp_path, "cqt", maps), picture("cqt"))
    assert alike is not None
    assert alone is not None
    np.testing.assert_allclose(alike.coarse, alone.coarse, atol=1e-5)
    cooler = attend(verdict(tmp_path, "cqt", maps, temperature=2.0), picture("cqt"))
    assert cooler is not None
    np.testing.assert_allclose(2 * cooler.coarse, alone.coarse, atol=1e-5)
    assert alone.coarse.max() == pytest.approx(9)


def test_only_likely_rivals_take_evidence_away(tmp_path: Path) -> None:
    maps = spot("cqt", True, True)
    maps[1] -= 30  # nobody takes it for rock
    alone = attend(verdict(tmp_path, "cqt", maps), picture("cqt"))
    for genre, likely in ((1, False), (2, True)):
        shared = maps.copy()
        shared[genre] += spot("cqt", True, True)[0] / 3
        found = attend(verdict(tmp_path, "cqt", shared), picture("cqt"), "jazz")
        assert alone is not None
        assert found is not None
        assert alone.coarse.max() == pytest.approx(9)
        assert found.coarse.max() == pytest.approx(6 if likely else 9)


def test_the_mean_of_a_map_is_the_slope_of_the_odds(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    maps, step = rng.normal(0, 1, (3, 7, 7)), 1e-3 * rng.normal(0, 1, (3, 7, 7))

    def odds(maps: np.ndarray) -> float:
        (jazz, *others) = maps.mean(axis=(1, 2))
        return float(jazz - np.log(np.exp(others).sum()))

    seen = verdict(tmp_path, "mel", maps)
    shift = [
        attend(
            Verdict(seen.card, 1.0, seen.logits, part.astype(np.float32)), picture("mel"), "jazz"
        )
        for part in (maps, maps + step)
    ]
    before, after = (float(at.coarse.mean()) for at in shift if at)
    assert after - before == pytest.approx(odds(maps + step) - odds(maps), rel=0.02)


def test_regions_hang_together(tmp_path: Path) -> None:
    maps = np.zeros((3, 7, 7))
    maps[0, 0:2, 3] = 9  # two neighbours in time
    maps[0, 6, 3] = 8  # as strong, but elsewhere
    attention = attend(verdict(tmp_path, "cqt", maps), picture("cqt"))
    assert attention is not None
    assert attention.region is not None
    assert attention.region.end == pytest.approx(20 / 7, abs=0.05)


def test_only_half_of_the_peak_belongs_to_the_strongest_place(tmp_path: Path) -> None:
    def columns(neighbour: float) -> float:
        maps = np.zeros((3, 7, 7))
        maps[0, 3, 3] = 6
        maps[0, 4, 3] = neighbour  # one step later
        found = attend(verdict(tmp_path, "cqt", maps), picture("cqt"))
        assert found is not None
        assert found.region is not None
        return (found.region.end - found.region.start) / (10 / 7)

    assert columns(3.1) == pytest.approx(2, abs=0.01)
    assert columns(2.9) == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize(
    ("column", "start", "end"),
    [(0, 0, 10 / 7), (2, 20 / 7, 4), (3, 30 / 7 - 4, 40 / 7 - 4), (6, 60 / 7 - 8, 10 - 8)],
)
def test_places_of_a_repeated_piece_lie_within_the_piece(
    tmp_path: Path, column: int, start: float, end: float
) -> None:
    maps = np.zeros((3, 7, 7))
    maps[0, column, 3] = 9
    found = attend(verdict(tmp_path, "cqt", maps), picture("cqt"), length=4.0)
    assert found is not None
    assert found.region is not None
    assert (found.region.start, found.region.end) == pytest.approx((start, end), abs=0.01)
    assert 0 <= found.region.start < found.region.end <= 4


def test_no_place_ends_after_the_sound(tmp_path: Path) -> None:
    maps = np.zeros((3, 7, 7))
    maps[0, :, :] = 9
    found = attend(verdict(tmp_path, "mel", maps), picture("mel"), start=30.0, length=10.0)
    assert found is not None
    assert found.region is not None
    assert (found.region.start, found.region.end) == (30.0, 40.0)


def test_without_maps_there_is_nothing_to_show(tmp_path: Path) -> None:
    shown = picture("cqt")
    seen = verdict(tmp_path, "cqt", spot("cqt", True, True))
    assert attend(seen, shown, "opera") is None
    against = attend(seen, shown, "rock")
    assert against is not None
    assert against.coarse.min() < -3
    flat = attend(verdict(tmp_path, "cqt", np.zeros((3, 7, 7))), shown)
    assert flat is not None
    assert flat.region is None
    failed = Verdict(seen.card, error=CheckpointError("no_weights", file="x"))
    assert attend(failed, shown) is None
