import csv
from pathlib import Path

import numpy as np
import pytest

from ccmusic.errors import DataError
from ccmusic.options import TrainOptions
from ccmusic.workshop.data import read_manifest, read_soft_targets
from ccmusic.workshop.train import train
from teach import Views, teach


@pytest.fixture
def features(manifest: Path, tmp_path: Path) -> Path:
    """Eight numbers per recording, of which one tells a hum from a hiss."""
    recordings = read_manifest(manifest)
    rng = np.random.default_rng(0)
    values = rng.normal(size=(len(recordings), 8)).astype(np.float32)
    values[:, 0] += [10 if "hum" in r.key else -10 for r in recordings]
    path = tmp_path / "features.npz"
    np.savez(path, path=[r.key for r in recordings], features=values)
    return path


def test_every_recording_gets_a_verdict(manifest: Path, features: Path, tmp_path: Path) -> None:
    out = teach(manifest, tmp_path / "verdicts.csv", [[features]])
    verdicts, names = read_soft_targets(out)
    assert names == ["hiss", "hum"]
    assert set(verdicts) == {r.key for r in read_manifest(manifest)}
    for key, shares in verdicts.items():
        assert shares.sum() == pytest.approx(1, abs=1e-3)
        assert names[shares.argmax()] in key


def test_a_label_is_not_judged_by_a_teacher_that_has_seen_it(
    manifest: Path, features: Path, tmp_path: Path
) -> None:
    rows = list(csv.DictReader(manifest.open()))
    wrong = next(row for row in rows if row["genre"] == "hum" and row["split"] == "train")
    wrong["genre"] = "hiss"
    changed = manifest.with_name("changed.csv")
    with changed.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(wrong))
        writer.writeheader()
        writer.writerows(rows)
    verdicts, names = read_soft_targets(teach(changed, tmp_path / "verdicts.csv", [[features]]))
    assert names[verdicts[wrong["path"]].argmax()] == "hum"


def test_files_that_do_not_fit_together_are_refused(
    manifest: Path, features: Path, tmp_path: Path
) -> None:
    np.savez(tmp_path / "other.npz", path=["elsewhere.wav"], features=np.zeros((1, 8)))
    with pytest.raises(DataError, match="labelled training recording"):
        teach(manifest, tmp_path / "v.csv", [[tmp_path / "other.npz"]])
    (tmp_path / "junk.npz").write_bytes(b"junk")
    with pytest.raises(DataError, match="cannot be read as features"):
        teach(manifest, tmp_path / "v.csv", [[tmp_path / "junk.npz"]])
    (tmp_path / "v.csv").write_text("path,hum,hiss\nx,0.5,0.5\n")
    options = TrainOptions(backbone="resnet50", label_teacher=tmp_path / "v.csv")
    with pytest.raises(DataError, match="expected the columns path, hiss, hum"):
        train(manifest, tmp_path / "run", options)


def test_views_are_averaged_and_may_have_several_files(
    manifest: Path, features: Path, tmp_path: Path
) -> None:
    recordings = read_manifest(manifest)
    columns = tmp_path / "columns.csv"
    with columns.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "tonal"])
        writer.writerows([r.key, 0.9 if "hum" in r.key else 0.1] for r in recordings)
    views = [[features], [columns], [features, columns]]
    judged = []
    for chosen in (views, *([view] for view in views)):
        known = Views(manifest, chosen)
        judged.append(known.judge(known.labelled))
        truth = ["hum" in r.key for r in known.recordings]
        assert (judged[-1].argmax(axis=1) == truth).all()
    together = np.exp(np.mean(np.log(judged[1:]), axis=0))
    assert judged[0] == pytest.approx(together / together.sum(axis=1, keepdims=True), abs=1e-4)
