from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ccmusic import Checkpoint, CheckpointError, Importance, Panel, load
from ccmusic.errors import ClosedError
from ccmusic.picture import Preprocessing
from small_models import make_checkpoint
from sounds import noise, tone

RATE = 22_050
CLASSES = ["rock", "folk"]


def corner(pictures: Any) -> Any:
    """Folk, as the first sixth of the pictures' rows and columns is bright."""
    return [[0.0, float(picture[0, :32, 32:64].mean())] for picture in pictures]


def last(panel: Panel, source: Any, genre: str | None = None) -> dict[str, Importance]:
    return {part.model: part for part in panel.importance(source, genre)}


@pytest.mark.parametrize(("transform", "place"), [("cqt", (1, 0)), ("mel", (6, 1))])
def test_the_place_that_decides_is_found_upright(transform: Any, place: tuple[int, int]) -> None:
    preprocessing = Preprocessing.default(transform)
    model = Checkpoint.from_function(
        corner, name="corner", classes=CLASSES, preprocessing=preprocessing
    )
    # Sound in the first second, and above, so that the corner is unlike its surroundings.
    sound = 0.001 * noise(10, RATE)
    sound[: round(1.4 * RATE)] += tone(90 if transform == "cqt" else 9_000, 1.4, RATE)
    with Panel([model]) as panel:
        found = last(panel, (sound, RATE), "folk")["corner"]
    others = np.delete(found.coarse.ravel(), np.ravel_multi_index(place, found.coarse.shape))
    assert abs(found.coarse[place]) > 0.01
    assert np.abs(others).max() == 0
    assert found.genre == "folk"
    assert found.attention is None
    assert found.rank_correlation is None


def test_the_loss_is_that_of_the_logit_against_the_mean_genre(home: Path) -> None:
    with Panel.open("cqt", ["jazz"]) as panel:
        analysis = panel.analyze((noise(10, RATE), RATE))
        found = last(panel, analysis)["jazz_cqt"]
        picture, card = analysis.picture("jazz"), analysis.verdict("jazz").card
        covered = picture.input.copy()
        # The second second, lowest pitches: a row of the picture is a time.
        around = np.ones((3 * 32, 2 * 32), bool)
        around[32:64, :32] = False
        values = covered[:, :96, :64][:, around]
        covered[:, 32:64, :32] = np.median(values, axis=1)[:, None, None]
        # The network of the tests: a tenth of the mean of each channel.
        weaker = 0.1 * (picture.input - covered).mean(axis=(1, 2)).sum()
    wanted = weaker * (1 - 1 / len(card.classes)) / card.temperature
    assert found.coarse[0, 1] == pytest.approx(wanted, rel=1e-3, abs=1e-6)


def test_a_model_that_adds_its_map_up_loses_what_its_map_says(home: Path) -> None:
    sound = np.concatenate([noise(5, RATE), 0.01 * noise(5, RATE)])
    with Panel.open("cqt", ["jazz"]) as panel:
        found = last(panel, (sound, RATE))["jazz_cqt"]
    assert found.attention is not None
    assert found.rank_correlation == pytest.approx(
        np.corrcoef(
            found.coarse.ravel().argsort().argsort(),
            found.attention.coarse.ravel().argsort().argsort(),
        )[0, 1],
        abs=1e-6,
    )
    assert found.region is not None


def test_maps_grow_row_by_row_and_all_models_at_once(home: Path) -> None:
    with Panel.open("cqt") as panel:
        clip = load((noise(10, RATE), RATE))
        parts = list(panel.importance(clip))
    for name in ("jazz_cqt", "rock_cqt"):
        mine = [part for part in parts if part.model == name]
        assert [round(7 * part.done) for part in mine] == list(range(1, 8))
        assert [np.any(part.coarse != 0, axis=0).sum() for part in mine] == list(range(1, 8))
        assert all(part.rank_correlation is None for part in mine[:-1])
        assert -1 <= (mine[-1].rank_correlation or 0) <= 1
    assert {part.model for part in parts[:4]} == {"jazz_cqt", "rock_cqt"}


def test_an_edited_clip_and_slices_are_measured_too(home: Path) -> None:
    make_checkpoint(home, "slices_cqt", preprocessing=Preprocessing.ccmusic("cqt"))
    with Panel.open("cqt", ["slices_cqt"]) as panel:
        clip = load((noise(30, RATE), RATE)).changed(gain=-3)
        assert last(panel, clip)["slices_cqt"].done == 1


def test_models_that_do_not_know_the_genre_are_left_out(home: Path) -> None:
    make_checkpoint(home, "few_cqt", favourite="folk", classes=("folk", "polka"), backbone="few")
    with Panel.open("cqt") as panel:
        analysis = panel.analyze((noise(10, RATE), RATE))
        assert set(last(panel, analysis, "polka")) == {"few_cqt"}
        assert set(last(panel, analysis)) == {"few_cqt", "jazz_cqt", "rock_cqt"}
        with pytest.raises(ValueError, match="unknown genre"):
            panel.importance(analysis, "waltz")
        assert set(last(panel.select(["jazz"]), analysis)) == {"jazz_cqt"}
    with pytest.raises(ClosedError):
        panel.importance(analysis)


def test_silence_has_no_importance(home: Path) -> None:
    with Panel.open("cqt") as panel:
        assert not list(panel.importance((np.zeros(10 * RATE), RATE)))


def test_a_model_that_fails_on_covered_pictures_says_so() -> None:
    asked: list[int] = []

    def once(pictures: Any) -> Any:
        asked.append(len(pictures))
        if len(asked) > 1:
            raise RuntimeError("once is enough")
        return [[1.0, 0.0]]

    model = Checkpoint.from_function(
        once, name="once", classes=CLASSES, preprocessing=Preprocessing.default("cqt")
    )
    with Panel([model]) as panel, pytest.raises(CheckpointError, match="once is enough"):
        last(panel, (noise(10, RATE), RATE))


def test_it_is_drawn_like_an_activation_map(home: Path) -> None:
    pytest.importorskip("matplotlib")
    from matplotlib.figure import Figure

    with Panel.open("cqt", ["jazz"]) as panel:
        found = last(panel, (noise(10, RATE), RATE))["jazz_cqt"]
    cells = found.plot(Figure().subplots()).get_array()
    assert cells is not None
    assert cells.shape == found.values.T.shape
