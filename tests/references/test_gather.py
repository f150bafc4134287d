import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ccmusic.workshop.data import read_manifest, read_soft_targets
from gather import gather, weigh

SYNTHESIS = """import numpy as np
def decibels(row):
    return np.zeros((128, 40))
def sound(values):
    return np.zeros(22_050)
"""


def _table(path: Path, rows: list[dict[str, str]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def _said(folder: Path, keys: list[str]) -> None:
    """What two taggers say of clips."""
    rng = np.random.default_rng(0)
    _table(folder / "teacher_tags.csv", [{"path": k, "rock": "0.25", "jazz": "0.5"} for k in keys])
    features: dict[str, Any] = {"path": keys, "features": rng.random((len(keys), 4))}
    np.savez(folder / "teacher_features.npz", **features)
    np.savez(folder / "yamnet_features.npz", **features, scores=rng.random((len(keys), 521)))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    clip = {"genre": "rock", "group": "g", "split": "train", "licence": "MIT"}
    other = {**clip, "path": "audio/one.ogg", "source": "a", "confidence": ""}
    song = {**clip, "source": "songs", "group": "artist", "confidence": "high"}
    windows = [{**song, "path": f"audio/songs/ab-{start:04}.opus"} for start in (10, 60)]
    strange = {**song, "path": "audio/songs/cd-0010.opus", "group": "other", "split": "valid"}
    unsure = {**strange, "path": "audio/songs/ef-0010.opus", "confidence": "medium"}
    _table(folder / "clips.csv", [other, *windows, strange, unsure])
    picture = {"path": "gtzan_mel/two.png", "source": "gtzanmel", "kept": "1"}
    _table(folder / "gtzan_mel.csv", [{**clip, **picture, "group": "rock.1"}])
    (folder / "gtzan_mel.py").write_text(SYNTHESIS)
    _said(folder, [row["path"] for row in (other, *windows, strange, unsure, picture)])
    return folder


def test_everything_is_under_the_paths_of_one_manifest(data: Path, tmp_path: Path) -> None:
    manifest = gather(data, tmp_path / "out")
    recordings = read_manifest(manifest)
    assert [r.path.name for r in recordings] == [
        *("one.ogg", "ab-0010.opus", "ab-0060.opus", "cd-0010.opus", "ef-0010.opus", "rock.1.wav")
    ]
    assert recordings[-1].path.is_file()
    assert [r.piece for r in recordings] == ["g", "ab", "ab", "cd", "ef", "rock.1"]
    keys = {r.key for r in recordings}
    soft, columns = read_soft_targets(tmp_path / "out" / "soft.csv")
    assert set(soft) == keys
    assert len(columns) == 2 + 145
    for name in ("musicnn.npz", "yamnet.npz"):
        with np.load(tmp_path / "out" / name) as file:
            assert set(file["path"].tolist()) == keys
    songs = read_manifest(tmp_path / "out" / "songs.csv")
    assert [(r.piece, r.split) for r in songs] == [("cd", "high"), ("ef", "medium")]


def test_songs_lead_and_no_artist_does() -> None:
    clips = [("songs", "a")] * 4 + [("songs", "b"), ("other", "c")]
    weights = weigh(clips)
    assert sum(weights[:5]) == pytest.approx(5)
    assert weights[4] == pytest.approx(2 * weights[0])
    assert weights[5] == 0.5
