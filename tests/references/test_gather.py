import csv
from pathlib import Path

import numpy as np
import pytest
import torch

from ccmusic.workshop.data import read_manifest, read_soft_targets
from ccmusic.workshop.initialise import widen
from earlier import narrow
from gather import gather

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


def _said(folder: Path, keys: list[str], tags: str, musicnn: str, yamnet: str) -> None:
    """What two taggers say of clips, under the given names of files."""
    rng = np.random.default_rng(0)
    _table(folder / tags, [{"path": key, "rock": "0.25", "jazz": "0.5"} for key in keys])
    np.savez(folder / musicnn, path=keys, features=rng.random((len(keys), 4)))
    scores = rng.random((len(keys), 521))
    np.savez(folder / yamnet, path=keys, features=rng.random((len(keys), 4)), scores=scores)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    clip = {"genre": "rock", "source": "a", "group": "g", "split": "train", "licence": "MIT"}
    _table(folder / "clips.csv", [{"path": "audio/one.ogg", **clip}])
    _table(folder / "gtzan_mel.csv", [{"path": "gtzan_mel/two.png", **clip, "group": "rock.1"}])
    (folder / "gtzan_mel.py").write_text(SYNTHESIS)
    names = "teacher_tags.csv", "teacher_features.npz", "yamnet_features.npz"
    _said(folder, ["audio/one.ogg", "gtzan_mel/two.png"], *names)
    return folder


def test_everything_is_under_the_paths_of_one_manifest(data: Path, tmp_path: Path) -> None:
    pool = tmp_path / "pool"
    pool.mkdir()
    row = {"source": "b", "group": "h", "licence": "MIT"}
    of_known = {**row, "path": "audio/known.wav", "known": "source"}
    _table(pool / "pool.csv", [{**row, "path": "audio/new.wav", "known": ""}, of_known])
    names = "tags.csv", "musicnn.npz", "yamnet.npz"
    _said(pool, ["audio/new.wav", "audio/known.wav"], *names)

    manifest = gather(data, tmp_path / "out", pool)

    recordings = read_manifest(manifest)
    assert [r.path.name for r in recordings] == ["one.ogg", "rock.1.wav", "new.wav"]
    assert [r.split for r in recordings] == ["train", "train", "pool"]
    assert recordings[1].path.is_file()
    keys = {r.key for r in recordings}
    soft, columns = read_soft_targets(tmp_path / "out" / "soft.csv")
    assert set(soft) == keys
    assert len(columns) == 2 + 145
    for name in ("musicnn.npz", "yamnet.npz"):
        with np.load(tmp_path / "out" / name) as file:
            assert set(file["path"].tolist()) == keys


def test_narrow_undoes_widen() -> None:
    kernel = torch.randn(4, 6, 3, 3)
    shape = torch.Size((16, 24, 3, 3))
    torch.testing.assert_close(narrow(widen(kernel, shape), kernel.shape), kernel)
