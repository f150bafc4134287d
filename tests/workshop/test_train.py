"""From labelled sounds to a checkpoint in the panel, with the smallest backbone."""

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from typer.testing import CliRunner

from ccmusic import analyze, zoo
from ccmusic.card import PanelCard
from ccmusic.cli import app
from ccmusic.errors import DataError
from ccmusic.options import ExportOptions, TrainOptions
from ccmusic.workshop import train as training
from ccmusic.workshop.data import Material, read_manifest
from ccmusic.workshop.evaluate import evaluate
from ccmusic.workshop.export import export
from ccmusic.workshop.runs import Plan, load_weights
from ccmusic.workshop.train import _Targets, sample_pass, train

OPTIONS = {
    "backbone": "mobilenet_v3_large",
    "width_divisor": 8,
    "epochs": 6,
    "crop_width": 112,
    "final_epochs": 3,
    "batch_size": 8,
    "learning_rate": 8e-3,
}


@pytest.fixture(scope="module")
def weights(manifest: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run")
    return train(manifest, out, TrainOptions(**OPTIONS))


def _log(out: Path) -> list[dict[str, str]]:
    with (out / "log.csv").open() as file:
        return list(csv.DictReader(file))


def test_it_learns(weights: Path) -> None:
    log = _log(weights.parent)
    assert [int(row["epoch"]) for row in log] == list(range(1, 10))
    assert float(log[5]["loss"]) < 0.9 * float(log[0]["loss"])
    assert float(log[8]["valid_accuracy"]) >= 0.75
    network, plan = load_weights(weights)
    assert plan.classes == ("hiss", "hum")
    assert not network.training


def test_interrupted_it_goes_on_where_it_was(
    manifest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {
        **OPTIONS,
        "epochs": 2,
        "final_epochs": 1,
        "soft_targets": manifest.with_name("soft.csv"),
    }
    finish = training._Run._log

    def interrupt(run: training._Run, line: dict[str, object]) -> None:
        finish(run, line)
        raise KeyboardInterrupt

    monkeypatch.setattr(training._Run, "_log", interrupt)
    with pytest.raises(KeyboardInterrupt):
        train(manifest, tmp_path, TrainOptions(**options))
    monkeypatch.undo()
    assert not (tmp_path / "weights.pt").exists()
    with pytest.raises(DataError, match="other options"):
        train(manifest, tmp_path, TrainOptions(**{**options, "seed": 1}))
    train(manifest, tmp_path, TrainOptions(**options))
    assert [row["epoch"] for row in _log(tmp_path)] == ["1", "2", "3"]
    network, _ = load_weights(tmp_path / "weights.pt")
    assert network.soft_head is None  # it only helped to learn


def test_a_guides_features_are_learnt(weights: Path, manifest: Path, tmp_path: Path) -> None:
    guide = training._FeatureTeacher(weights, "cqt", 120)
    pictures = torch.rand(4, 3, 224, 80)
    features = guide.network.features(pictures)
    optimizer = torch.optim.Adam(guide.translate.parameters(), 1e-2)
    distances = []
    for _ in range(40):
        distance = guide(features, pictures)
        optimizer.zero_grad()
        distance.backward()
        optimizer.step()
        distances.append(float(distance.detach()))
    assert distances[-1] < 0.3 * distances[0]

    options = {
        **OPTIONS,
        "epochs": 1,
        "final_epochs": 0,
        "feature_teacher": weights,
        "crop_width": 80,
    }
    led = train(manifest, tmp_path / "led", TrainOptions(**options))
    assert load_weights(led)[1].feature_teacher.startswith("weights.pt ")
    train(
        manifest, tmp_path / "led", TrainOptions(**options)
    )  # finished: nothing to do, and no complaint
    with pytest.raises(DataError, match="other options"):
        train(manifest, tmp_path / "led", TrainOptions(**{**options, "feature_teacher": None}))
    with pytest.raises(DataError, match="was trained on cqt, not on mel"):
        train(manifest, tmp_path / "mel", TrainOptions(**{**options, "transform": "mel"}))


@pytest.fixture(scope="module")
def exported(
    weights: Path, manifest: Path, tmp_path_factory: pytest.TempPathFactory
) -> zoo.Checkpoint:
    return export(
        weights,
        manifest,
        ExportOptions(name="own", data_note="generated sounds", licence="MIT"),
        out=tmp_path_factory.mktemp("exported"),
    )


@pytest.fixture
def stored(
    exported: zoo.Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], zoo.Checkpoint]:
    """Put the exported checkpoint into a folder of the test's own, under any name."""
    monkeypatch.setenv("CCMUSIC_HOME", str(tmp_path))

    def store(name: str) -> zoo.Checkpoint:
        card = exported.card.renamed(name)
        return zoo.store(card, exported.path.read_bytes(), zoo.user_folder())

    return store


def test_from_weights_to_a_verdict(
    exported: zoo.Checkpoint, stored: Callable[[str], zoo.Checkpoint], manifest: Path
) -> None:
    checkpoint = exported
    assert sorted(p.name for p in checkpoint.path.parent.iterdir()) == ["own.json", "own.onnx"]
    stored("own")
    onnx.checker.check_model(onnx.load(checkpoint.path))
    assert b"site-packages" not in checkpoint.path.read_bytes()  # nothing of this machine
    card = zoo.find_one("own").card
    assert card.metrics is not None
    assert card.metrics.recordings == 8
    assert [(s.recordings, s.clips, s.unlabelled) for s in card.sources] == [
        (23, {"hiss": 12, "hum": 11}, 0)
    ]
    assert card.metrics.support == {"hiss": 4, "hum": 4}
    assert card.metrics.accuracy >= 0.75
    assert card.same_choice is not None
    assert card.same_choice >= 0.85
    assert card.relative_latency is not None
    assert 0.02 < card.relative_latency < 1  # of the shipped one, which is eight times as wide
    assert len(card.learning_curve) == 9
    assert card.width_divisor == 8
    assert 40_000 < card.parameters < 60_000
    size = checkpoint.path.stat().st_size
    assert size < 4 * card.parameters  # halves, and the graph itself
    assert evaluate([zoo.find_one("own")], manifest)[0] == [card.metrics]
    hiss = manifest.with_name("hiss25.wav")
    verdict = analyze(hiss, models=["own"]).verdicts["own"]
    assert set(verdict.probabilities) == {"hiss", "hum"}
    assert verdict.maps is not None
    assert verdict.logits is not None
    np.testing.assert_allclose(verdict.maps.mean(axis=(1, 2)), verdict.logits, atol=0.05)


def test_it_is_measured_drawn_and_calibrated(
    stored: Callable[[str], zoo.Checkpoint], manifest: Path, tmp_path: Path
) -> None:
    for name in ("one", "two"):
        stored(name)
    pictures, panel = tmp_path / "pictures", tmp_path / "panel.json"
    run = CliRunner().invoke(
        app,
        [
            *("evaluate", "one", "two", "--data", str(manifest)),
            *("-o", str(pictures), "--panel", str(panel)),
        ],
    )
    assert run.exit_code == 0, run.output
    assert {p.name for p in pictures.iterdir()} == {
        f"{name}-{what}.png"
        for name in ("one", "two", "mean")
        for what in ("confusion", "calibration")
    }
    together = PanelCard.model_validate_json(panel.read_text())
    cards = [zoo.find_one(name).card for name in ("one", "two")]
    assert together.describes(cards)
    assert not together.describes(cards[:1])
    # Two of the same are no better than one.
    (pair,) = together.pairs
    assert cards[0].metrics is not None
    assert pair.accuracy == pair.either == cards[0].metrics.accuracy
    assert together.metrics.recall == cards[0].metrics.recall
    asked = ["evaluate", "one", "--data", str(manifest), "--panel", str(panel)]
    assert CliRunner().invoke(app, asked).exit_code == 0
    assert PanelCard.model_validate_json(panel.read_text()).describes(cards[:1])

    card = zoo.find_one("one").card
    folder = zoo.user_folder()
    (folder / "one.json").write_text(card.model_copy(update={"temperature": 4.0}).to_json())
    run = CliRunner().invoke(
        app, ["calibrate", "one", "--data", str(manifest), "--store-as", "three"]
    )
    assert run.exit_code == 0, run.output
    assert zoo.find_one("three").card.temperature == card.temperature
    assert zoo.find_one("one").card.temperature == 4
    assert zoo.find_one("three").open()


@pytest.mark.parametrize(("share", "follows"), [(0.0, "label"), (1.0, "teacher")])
def test_label_and_teacher_have_their_shares(
    manifest: Path, tmp_path: Path, share: float, follows: str
) -> None:
    verdicts = tmp_path / "verdicts.csv"
    wrong = [
        f"{r.key},{float('hum' in r.key)},{float('hiss' in r.key)}" for r in read_manifest(manifest)
    ]
    verdicts.write_text("\n".join(["path,hiss,hum", *wrong]))
    # Six passes are too few on one core, where sums are rounded otherwise than on two.
    options = {**OPTIONS, "epochs": 9, "label_teacher": verdicts, "teacher_share": share}
    train(manifest, tmp_path / "run", TrainOptions(**options))
    accuracy = float(_log(tmp_path / "run")[-1]["valid_accuracy"])
    assert accuracy >= 0.75 if follows == "label" else accuracy <= 0.25


def test_clips_are_seen_as_often_as_they_weigh() -> None:
    rng = np.random.default_rng(0)
    weights = np.array([0.25, 1.0, 0.0, 1.5, 2.0])
    passes = [np.bincount(sample_pass(weights, rng), minlength=5) for _ in range(400)]
    np.testing.assert_allclose(np.mean(passes, axis=0), weights, atol=0.1)
    assert np.ptp([counts.sum() for counts in passes]) <= 1
    assert all(counts[1] == 1 and counts[4] == 2 for counts in passes)
    np.testing.assert_array_equal(np.sort(sample_pass(np.ones(9), rng)), np.arange(9))


def test_only_recordings_of_one_genre_are_mixed(manifest: Path) -> None:
    recordings = [r for r in read_manifest(manifest) if r.split != "valid"]
    material = Material(tuple(recordings), ())
    plan = Plan(
        **{**OPTIONS, "transform": "cqt", "classes": ("hiss", "hum"), "n_soft": 0, "taught": False},
        bf16=False,
        seed=0,
    )
    targets = _Targets(material, {}, {}, plan)
    batch = np.arange(len(recordings)).repeat(20)
    partners = targets.partners(batch, np.random.default_rng(0))
    mixed = [(i, j) for i, j in zip(batch, partners, strict=True) if i != j and recordings[i].genre]
    assert len(mixed) > 0.15 * len(batch)
    assert all(recordings[i].genre == recordings[j].genre for i, j in mixed)


def test_a_run_without_progress_stops_early(manifest: Path, tmp_path: Path) -> None:
    options = {**OPTIONS, "learning_rate": 0.0, "patience": 2}
    weights = train(manifest, tmp_path, TrainOptions(**options))
    # Only the statistics of the batches change: the best epoch is the first of its accuracy.
    accuracies = [float(row["valid_accuracy"]) for row in _log(tmp_path)]
    assert len(accuracies) == min(9, accuracies.index(max(accuracies)) + 1 + 2)
    load_weights(weights)
    before = weights.stat().st_mtime_ns
    assert train(manifest, tmp_path, TrainOptions(**options)).stat().st_mtime_ns == before


def test_what_is_missing_is_told_before_any_spectrogram(
    manifest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_late(*_: object) -> None:
        raise AssertionError("spectrograms are computed")

    monkeypatch.setattr(training, "load_material", too_late)
    rows = manifest.read_text().splitlines()
    head, rows = rows[0], [f"{manifest.parent}/{row}" for row in rows[1:]]
    nowhere = "nowhere.wav,rock,group,train"
    no_valid = [row for row in rows if not row.endswith(",valid")]
    for lines, options, said in (
        ([*rows, nowhere], OPTIONS, "no readable training recording of: rock"),
        (no_valid, {**OPTIONS, "patience": 2}, "`patience` needs recordings in valid"),
    ):
        (tmp_path / "m.csv").write_text("\n".join([head, *lines]))
        with pytest.raises(DataError, match=said):
            train(tmp_path / "m.csv", tmp_path / "run", TrainOptions(**options))
    assert not (tmp_path / "run").exists()


def test_folders_of_some_of_our_genres_can_be_trained_on(manifest: Path, tmp_path: Path) -> None:
    """As ``data index`` leaves rock/ and jazz/."""
    text = manifest.read_text().replace(",hum,", ",rock,").replace(",hiss,", ",jazz,")
    rows = [f"{manifest.parent}/{row}" for row in text.splitlines()[1:]]
    (tmp_path / "m.csv").write_text("\n".join([text.splitlines()[0], *rows]))
    options = {**OPTIONS, "epochs": 1, "final_epochs": 0, "crop_width": 32}
    weights = train(tmp_path / "m.csv", tmp_path / "run", TrainOptions(**options))
    assert load_weights(weights)[1].classes == ("rock", "jazz")


def test_unusable_data_is_refused(manifest: Path, tmp_path: Path) -> None:
    one = tmp_path / "one.csv"
    rows = manifest.read_text().splitlines()
    one.write_text("\n".join([rows[0], *(row for row in rows if ",hum," in row)]))
    with pytest.raises(DataError, match="at least two genres"):
        train(one, tmp_path / "run", TrainOptions(**OPTIONS))
    head, *lines = manifest.read_text().splitlines()
    weighed = manifest.with_name("weighed.csv")
    for weight, message in (("0.01", "fewer than two"), ("-1", "weight"), ("nan", "weight")):
        weighed.write_text("\n".join([f"{head},weight", *(f"{line},{weight}" for line in lines)]))
        with pytest.raises(DataError, match=message):
            train(weighed, tmp_path / "run", TrainOptions(**OPTIONS))
    (tmp_path / "junk.pt").write_bytes(b"junk")
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "state.pt").write_bytes(b"junk")
    with pytest.raises(DataError, match=r"state\.pt: not a file of ccmusic train"):
        train(manifest, tmp_path / "damaged", TrainOptions(**OPTIONS))
    with pytest.raises(DataError, match=r"junk\.pt: not a file of ccmusic train"):
        load_weights(tmp_path / "junk.pt")
