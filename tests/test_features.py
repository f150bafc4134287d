"""Maps inside the networks, and what of the picture a place of them really depends on."""

from __future__ import annotations

from copy import copy
from pathlib import Path

import numpy as np
import pytest

from ccmusic import zoo
from ccmusic.errors import CheckpointError
from ccmusic.features import stages
from ccmusic.picture import Picture, Preprocessing
from ccmusic.zoo import Checkpoint
from sounds import noise

BACKBONES = "densenet121", "efficientnet_b0", "mobilenet_v3_large", "resnet50", "vgg19_bn"


@pytest.fixture(scope="module")
def picture() -> Picture:
    preprocessing = Preprocessing.default("mel")
    spectrogram = preprocessing.transform(noise(10, 22_050))
    return Picture.from_spectrogram(spectrogram, preprocessing)


def seeing(picture: Picture, cells: np.ndarray) -> Picture:
    """The same with another input."""
    other = copy(picture)
    vars(other)["input"] = cells
    return other


@pytest.mark.parametrize("backbone", BACKBONES)
def test_four_stages_of_every_network(picture: Picture, backbone: str) -> None:
    found = stages(zoo.find_one(f"{backbone}_mel"), picture)
    assert [stage.maps.shape for stage in found] == [(8, n, n) for n in (56, 28, 14, 7)]
    assert [stage.step for stage in found] == [4, 8, 16, 32]
    fields = [stage.receptive_field for stage in found]
    assert fields == sorted(fields)
    for stage in found:
        means = stage.maps.mean(axis=(1, 2))
        assert np.all(np.diff(means) <= 0)
        assert means[0] > 0
        assert len({*stage.channels}) == 8 <= max(stage.channels) + 1 <= stage.of


def test_receptive_fields_are_those_that_are_known() -> None:
    """Of torchvision's ResNet50 and VGG19, as in tables of the literature."""
    empty = np.zeros((3, 224, 224), np.float32)
    preprocessing = Preprocessing.default("mel")
    black = Picture.from_spectrogram(
        preprocessing.transform(np.zeros(220_500, np.float32)), preprocessing
    )
    known = {"resnet50": [35, 91, 267, 427], "vgg19_bn": [48, 116, 252, 268]}
    for backbone, fields in known.items():
        found = stages(zoo.find_one(f"{backbone}_mel"), seeing(black, empty))
        assert [stage.receptive_field for stage in found] == fields


@pytest.mark.parametrize("backbone", ["resnet50", "vgg19_bn"])
def test_a_place_depends_on_its_square_alone(picture: Picture, backbone: str) -> None:
    checkpoint = zoo.find_one(f"{backbone}_mel")
    row, column = 30, 20
    before = stages(checkpoint, picture)[0]
    rows, columns = (
        slice(round(first), round(last) + 1)
        for first, last in (before.square(row), before.square(column))
    )
    assert rows.stop - rows.start == before.receptive_field

    def changed(seen: np.ndarray) -> float:
        other = np.where(seen, picture.input + 1, picture.input).astype(np.float32)
        after = stages(checkpoint, seeing(picture, other))[0]
        there = [after.channels.index(c) for c in before.channels if c in after.channels]
        here = [before.channels.index(c) for c in before.channels if c in after.channels]
        difference: np.ndarray = after.maps[there, row, column] - before.maps[here, row, column]
        return float(np.abs(difference).max())

    inside = np.zeros((224, 224), bool)
    inside[rows, columns] = True
    assert changed(~inside) < 1e-4
    assert changed(inside) > 0.1
    for edge in ((rows.start, slice(None)), (slice(None), columns.stop - 1)):
        line = np.zeros_like(inside)
        line[edge] = True
        assert changed(line & inside) > 1e-4


def test_the_file_stays_as_it_is_and_a_damaged_one_is_refused(
    picture: Picture, tmp_path: Path
) -> None:
    shipped = zoo.find_one("mobilenet_v3_large_mel")
    content = shipped.path.read_bytes()
    stages(shipped, picture)
    assert shipped.path.read_bytes() == content
    damaged = Checkpoint(shipped.card, tmp_path / shipped.path.name)
    damaged.path.write_bytes(content[:-1])
    with pytest.raises(CheckpointError):
        stages(damaged, picture)


def test_a_function_has_no_stages(picture: Picture) -> None:
    model = Checkpoint.from_function(
        lambda pictures: pictures.mean(axis=(1, 2))[:, :2],
        name="mean",
        classes=["rock", "jazz"],
        preprocessing=Preprocessing.default("mel"),
    )
    assert stages(model, picture) == []
