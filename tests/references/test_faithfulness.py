"""The measurement tells maps that matter from maps that do not; the cards have its figures."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import faithfulness
from ccmusic.card import Faithfulness, ModelCard
from ccmusic.picture import Preprocessing
from ccmusic.prepare import Prepared, prepare
from ccmusic.spectrogram import TransformName
from ccmusic.zoo import SHIPPED, Checkpoint
from networks import names
from small_models import make_checkpoint

CELLS = 7
CLASSES = ("jazz", "rock", "blues")


@dataclass(frozen=True)
class Planted(Checkpoint):
    """Jazz is as likely as the picture is bright in one cell; its map names that, or another."""

    heard: tuple[int, int]
    named: tuple[int, int]

    def open(self, *, threads: int = 0) -> Any:
        return self

    def run(self, outputs: list[str], inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        pictures = inputs["picture"]
        n, _, height, width = pictures.shape
        blocks = pictures[:, 0].reshape(n, CELLS, height // CELLS, CELLS, width // CELLS)
        bright = blocks.mean(axis=(2, 4))[(slice(None), *self.heard)]
        logits, maps = np.zeros((n, 3), np.float32), np.zeros((n, 3, CELLS, CELLS), np.float32)
        logits[:, 0] = 5 + bright
        maps[(slice(None), 0, *self.named)] = 5
        return [logits, maps]


def recordings(transform: TransformName, n: int) -> list[Prepared]:
    """Noise, and a tone where :class:`Planted` hears it."""
    rng = np.random.default_rng(0)
    sounds = rng.normal(0, 0.01, (n, 220_500)).astype(np.float32)
    frequency, start = {"cqt": (740, 1.5), "mel": (5100, 5.8)}[transform]
    tone = np.sin(2 * np.pi * frequency * np.arange(26_460) / 22_050)
    sounds[:, round(start * 22_050) :][:, :26_460] += tone
    return [prepare((sound, 22_050), {Preprocessing.default(transform)}) for sound in sounds]


@pytest.mark.parametrize("transform", ["cqt", "mel"])
@pytest.mark.parametrize("named", [(1, 4), (5, 2)])
def test_a_map_is_better_than_chance_if_it_names_what_counts(
    tmp_path: Path, transform: TransformName, named: tuple[int, int]
) -> None:
    card = make_checkpoint(tmp_path, "m", transform=transform, classes=CLASSES)
    planted = Planted(card, tmp_path / "m.onnx", heard=(1, 4), named=named)
    found = faithfulness.measure(planted, recordings(transform, 6), [])
    worth = Faithfulness(**faithfulness.shipped(found["kinds"])["activation"])
    assert worth.recordings == 6
    right = named == (1, 4)
    assert (worth.removed, worth.alone) == ((1, 1) if right else (0, 0))
    assert worth.better_than_chance == right
    # Occlusion finds the place whatever the map says.
    assert found["kinds"]["occlusion"]["removed"] == 1


@pytest.mark.parametrize("name", names())
def test_the_card_has_the_figures_of_its_file(name: str) -> None:
    card = ModelCard.read(SHIPPED / f"{name}.json")
    found = json.loads(faithfulness.RESULTS.read_text())[name]
    assert found["sha256"] == card.sha256, "run references/faithfulness.py"
    given = {kind: worth.model_dump(mode="json") for kind, worth in card.faithfulness.items()}
    assert list(given) == ["occlusion", "activation"]
    assert given == faithfulness.shipped(found["kinds"])


def test_what_is_drawn_where_there_is_time_names_better_regions() -> None:
    cards = [ModelCard.read(SHIPPED / f"{name}.json") for name in names()]
    measured, activation = (
        np.mean([card.faithfulness[kind].removed for card in cards]) for kind in faithfulness.DRAWN
    )
    assert measured > activation + 0.05


def test_what_was_measured_is_not_measured_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cards = {n: make_checkpoint(tmp_path, n) for n in ("resnet50_cqt", "vgg19_bn_cqt")}
    figures = {
        "recordings": 4,
        "removed": 0.75,
        "removed_interval": [0.3, 0.95],
        "alone": 0.5,
        "alone_interval": [0.15, 0.85],
    }
    measured: list[str] = []

    def measure(checkpoint: Checkpoint, *pictures: object) -> dict[str, Any]:
        measured.append(checkpoint.card.name)
        kinds = {"occlusion": {"recordings": 0}, "activation": figures}
        return {"sha256": checkpoint.card.sha256, "kinds": kinds}

    monkeypatch.setattr(faithfulness, "RESULTS", tmp_path / "results" / "faithfulness.json")
    monkeypatch.setattr(faithfulness, "measure", measure)
    monkeypatch.setattr(faithfulness, "recordings", lambda material: ([], []))
    (tmp_path / "results").mkdir()
    for _ in range(2):
        faithfulness.main(tmp_path, tmp_path, list(cards))
        assert measured == list(cards)
    card = ModelCard.read(tmp_path / "vgg19_bn_cqt.json")
    assert {kind: worth.removed for kind, worth in card.faithfulness.items()} == {
        "activation": 0.75
    }
    make_checkpoint(tmp_path, "vgg19_bn_cqt", favourite="rock")
    faithfulness.main(tmp_path, tmp_path, list(cards))
    assert measured == [*cards, "vgg19_bn_cqt"]
