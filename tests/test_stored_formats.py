"""Files that an earlier version wrote are read by this one: cards, tables, JSON, runs.

``tests/formats/VERSION`` holds what that version wrote, and stays as it is when the version has
been released; ``python tests/test_stored_formats.py`` writes the folder of the present version.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import wave
from collections.abc import Iterable, Iterator
from contextlib import chdir
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from ccmusic import Panel, schema, zoo
from ccmusic.card import ModelCard, PanelCard

FORMATS = Path(__file__).parent / "formats"
VERSIONS = sorted(FORMATS.iterdir())
WRITTEN = 1_767_225_600  # when the recording was last changed, for the batch: 2026-01-01

pytestmark = pytest.mark.parametrize("folder", VERSIONS, ids=lambda path: path.name)


@pytest.fixture
def there(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder where the version has just been at work."""
    shutil.copytree(folder, tmp_path / "there")
    monkeypatch.chdir(tmp_path / "there")
    _record()
    monkeypatch.setenv("CCMUSIC_HOME", str(tmp_path / "there"))
    monkeypatch.setattr(zoo, "SHIPPED", tmp_path / "none")
    return tmp_path / "there"


def _record() -> None:
    with wave.open("tone.wav", "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(22_050)
        file.writeframes(bytes([0, 0, 0, 32, 0, 64, 0, 32, 0, 0, 0, 224, 0, 192, 0, 224]) * 27_563)
    os.utime("tone.wav", (WRITTEN, WRITTEN))


def test_a_checkpoint_judges(there: Path) -> None:
    with Panel.open("mel") as panel:
        assert panel.predict(["tone.wav"]) == ["jazz"]
        (card,) = panel.cards
    assert card.metrics
    assert card.metrics.band(0.9)
    assert card.sources[0].licence == "MIT"


def test_cards_are_read_and_written_again(there: Path) -> None:
    panel = PanelCard.read(there / "panel.json")
    assert panel.pairs
    assert json.loads(panel.to_json()) == json.loads((there / "panel.json").read_text("utf-8"))
    for path in (there / "checkpoints").glob("*.json"):
        card = ModelCard.read(path)
        assert ModelCard.model_validate_json(card.to_json()) == card


def test_the_json_of_analyses_is_read(there: Path) -> None:
    read = [schema.read(line) for line in (there / "analyses.jsonl").read_bytes().splitlines()]
    judged, failed = read
    assert isinstance(judged, schema.AnalysisDocument)
    assert judged.agreement
    assert judged.agreement.top == "jazz"
    assert isinstance(failed, schema.ErrorDocument)
    assert failed.file == "missing.mp3"


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_a_table_is_read(there: Path, suffix: str) -> None:
    if suffix == "parquet":
        pytest.importorskip("pyarrow")
    from ccmusic.batch import tables

    (row,) = tables.read(there / f"genres.{suffix}")
    assert (row["path"], row["genre"], row.get("error")) == ("tone.wav", "jazz", None)
    assert float(row["mean_jazz"]) > 0.4


def test_a_batch_goes_on_where_it_was(there: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ccmusic import batch
    from ccmusic.batch.rows import Options

    before = (there / "genres.csv").read_bytes()
    asked: list[str] = []

    def analyzed(_: Options, files: Iterable[str], workers: int) -> Iterator[tuple[str, list[Any]]]:
        for file in files:
            asked.append(file)
            yield file, []

    monkeypatch.setattr(batch.local, "analyzed", analyzed)
    summary = batch.run(["tone.wav"], Path("genres.csv"), Options("mel"))
    assert (summary.recordings, summary.failures, summary.damaged, asked) == (1, 0, 0, [])
    assert (there / "genres.csv").read_bytes() == before


def test_weights_of_a_training_run_are_read(there: Path) -> None:
    pytest.importorskip("torch")
    from ccmusic.workshop.runs import load_weights, read_log

    network, plan = load_weights(there / "run" / "weights.pt")
    assert (plan.backbone, plan.classes, plan.width_divisor) == ("vgg19_bn", ("hiss", "hum"), 64)
    assert sum(parameter.numel() for parameter in network.parameters()) > 1000
    assert len(read_log(there / "run")) == plan.epochs + plan.final_epochs


def write() -> None:
    """Write what this version stores."""
    from ccmusic import Band, __version__, batch, cli
    from ccmusic.batch.rows import Options
    from ccmusic.options import TrainOptions
    from ccmusic.workshop.train import train
    from small_data import write_manifest
    from small_models import make_checkpoint

    folder = FORMATS / ".".join(__version__.split(".")[:2])
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    card = make_checkpoint(folder / "checkpoints", "tiny_mel", transform="mel")
    assert card.metrics
    band = Band(level="high", above=0.8, accuracy=0.9, accuracy_interval=(0.8, 1), recordings=20)
    metrics = card.metrics.model_copy(update={"bands": (band,)})
    card = card.model_copy(update={"metrics": metrics, "unknown_sources": metrics})
    (folder / "checkpoints" / "tiny_mel.json").write_text(card.to_json(), "utf-8")
    shutil.copy(zoo.SHIPPED / "panels" / "cqt.json", folder / "panel.json")

    with (
        tempfile.TemporaryDirectory() as scratch,
        mock.patch.dict(os.environ, CCMUSIC_HOME=str(folder), CCMUSIC_LANGUAGE="en"),
        mock.patch.object(zoo, "SHIPPED", folder / "none"),
        chdir(folder),
    ):
        _record()
        for suffix in ("jsonl", "parquet", "csv"):
            batch.run(["tone.wav"], Path(f"genres.{suffix}"), Options("mel"))
        for name in ("genres.jsonl.sqlite", "genres.parquet.sqlite"):
            Path(name).unlink()
        with (
            Path("analyses.jsonl").open("w", encoding="utf-8") as out,
            mock.patch("sys.stdout", out),
        ):
            command = ["classify", "tone.wav", "missing.mp3", "--json", "--transform", "mel"]
            with pytest.raises(SystemExit), mock.patch("sys.argv", ["ccmusic", *command]):
                cli.main()
        Path("tone.wav").unlink()
        options = TrainOptions(
            backbone="vgg19_bn", width_divisor=64, epochs=1, final_epochs=1, batch_size=8
        )
        weights = train(write_manifest(Path(scratch)), Path(scratch) / "run", options)
        Path("run").mkdir()
        for path in (weights, weights.with_name("log.csv")):
            shutil.copy(path, "run")
        for leftover in ("spectrograms", "tried"):
            shutil.rmtree(leftover, ignore_errors=True)


if __name__ == "__main__":
    write()
