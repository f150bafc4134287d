from pathlib import Path

import numpy as np
import pytest

from ccmusic import audio
from ccmusic.errors import DataError
from ccmusic.genres import GENRES
from ccmusic.picture import Preprocessing
from ccmusic.spectrogram import Mel, TransformName
from ccmusic.workshop.augment import random_picture
from ccmusic.workshop.data import (
    LONGEST,
    Recording,
    classes_of,
    load_material,
    load_pictures,
    read_manifest,
    read_soft_targets,
)


def _write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("path,genre\na,b\n", "has no column group, split"),
        ("path,genre,group,split\na,x,1,train\nb,x,1,valid\n", "is in train and in valid"),
        ("", "has no column"),
    ],
)
def test_an_unusable_manifest_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        read_manifest(_write(tmp_path / "m.csv", text))
    with pytest.raises(DataError, match="cannot be read"):
        read_manifest(tmp_path)


def test_classes_are_the_genres_that_are_there() -> None:
    def classes(*genres: str, split: str = "train") -> tuple[str, ...]:
        return classes_of([Recording(g, Path(g), g, "", "", g, split) for g in (*genres, "")])

    names = tuple(GENRES)
    assert classes("jazz", "rock") == ("rock", "jazz")
    assert classes(*reversed(names)) == names
    assert classes(*names[:-1]) == names[:-1]
    assert classes("rock", "tango") == ("rock", "tango")
    assert classes("tango", "fado") == ("fado", "tango")
    for too_few in (("rock",), ("rock", "rock"), ()):
        with pytest.raises(DataError, match="at least two genres"):
            classes(*too_few)
    with pytest.raises(DataError, match="at least two genres"):
        classes("rock", "jazz", split="valid")


@pytest.mark.parametrize("text", ["", "path,a\nx,2\n", "path,a,b\nx,1\n", "path,a\nx,word\n"])
def test_unusable_soft_targets_are_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(DataError, match=r"s\.csv"):
        read_soft_targets(_write(tmp_path / "s.csv", text))


def test_a_broken_clip_is_named_and_left_out(
    manifest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _write(tmp_path / "broken.wav", "no sound")
    good = read_manifest(manifest)[1]
    path = _write(
        tmp_path / "m.csv",
        f"path,genre,group,split\nbroken.wav,hum,b,train\n{good.path},hum,g,train\n",
    )
    recordings = read_manifest(path)
    preprocessing = Preprocessing.default("cqt")
    material = load_material(recordings, preprocessing)
    assert [r.group for r in material.recordings] == ["g"]
    assert material.values[0].shape == (84, 1 + 3 * 22_050 // 512)
    assert len(load_pictures(recordings, preprocessing)[1]) == 1
    assert "left out" in capsys.readouterr().out


def test_sound_is_transformed_at_the_rate_of_the_transform(manifest: Path) -> None:
    recording = read_manifest(manifest)[1]
    clip = audio.load(recording.path, seconds=LONGEST, loop=False)
    for rate in (16_000, 44_100):
        mel = Mel(sample_rate=rate)
        preprocessing = Preprocessing(transform=mel, orientation="time_along_x")
        (values,) = load_material([recording], preprocessing).values
        expected = np.log(np.maximum(mel(clip.samples_at(rate)).values, 1e-9))
        np.testing.assert_allclose(values, expected, atol=0.01)


def test_networks_that_see_levels_are_not_measured(manifest: Path) -> None:
    preprocessing = Preprocessing(transform=Mel(), orientation="time_along_x", scaling="none")
    with pytest.raises(DataError, match="this one sees levels"):
        load_pictures(read_manifest(manifest), preprocessing)


@pytest.mark.parametrize("transform", ["cqt", "mel"])
def test_random_pictures_differ_and_repeat_with_the_seed(transform: TransformName) -> None:
    preprocessing = Preprocessing.default(transform)
    sound = np.random.default_rng(0).normal(0, 0.1, 3 * 22_050).astype(np.float32)
    values = np.log(preprocessing.transform(sound).values + 1e-9).astype(np.float16)

    def drawn(seed: int) -> np.ndarray:
        return random_picture(values, preprocessing, length=64, rng=np.random.default_rng(seed))

    assert drawn(1).shape == ((64, 224) if transform == "cqt" else (224, 64))
    assert drawn(1).dtype == np.uint8
    np.testing.assert_array_equal(drawn(1), drawn(1))
    assert (drawn(1) != drawn(2)).mean() > 0.5


def test_a_mixed_picture_holds_both_recordings() -> None:
    preprocessing = Preprocessing.default("cqt")
    low, high = (np.full((84, 400), -12, np.float16) for _ in range(2))
    low[20], high[60] = 0, 0

    def columns(values: np.ndarray, other: np.ndarray | None) -> np.ndarray:
        rng = np.random.default_rng(3)
        picture = random_picture(values, preprocessing, length=64, rng=rng, mixed_with=other)
        return np.asarray(picture.mean(axis=0))

    at_low, at_high = (round(bin_ * 224 / 84) for bin_ in (20.5, 60.5))
    alone, mixed = columns(low, None), columns(low, high)
    assert alone[at_low - 4 : at_low + 5].max() > 200 > 100 > alone[at_high - 4 : at_high + 5].max()
    assert min(mixed[at - 4 : at + 5].max() for at in (at_low, at_high)) > 150


def test_optional_columns_are_found_whatever_their_capitals(tmp_path: Path) -> None:
    path = tmp_path / "clips.csv"
    path.write_text("Path,Genre,Group,Split,Recording,Weight\na.wav,jazz,a,train,song,0.5\n")
    (recording,) = read_manifest(path)
    assert (recording.piece, recording.weight) == ("song", 0.5)
