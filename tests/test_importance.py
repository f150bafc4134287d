from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ccmusic import Checkpoint, CheckpointError, Importance, Panel, load
from ccmusic.errors import CCMusicError, ClosedError
from ccmusic.picture import Preprocessing
from ccmusic.verdict import softmax
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


def test_the_loss_is_that_of_the_log_odds(home: Path) -> None:
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
        _, session = panel._sessions[0]
        asked = np.stack([picture.input, covered])
        logits = session.result().run(["logits"], {"picture": asked})[0] / card.temperature
    shares = softmax(logits)[:, card.classes.index("jazz")]
    before, after = np.log(shares / (1 - shares))
    assert abs(before - after) > 1e-5
    assert found.coarse[0, 1] == pytest.approx(before - after, rel=1e-2)


def test_the_likely_rival_counts_not_the_mean_of_all_genres() -> None:
    """Both maps answer one question: what the place does for the genre against its rivals.

    Where the place speaks as much for the rival as for the genre, nothing is lost without it,
    however far the genres apart from these two fall behind.
    """
    genres = ["rock", "folk", *(f"genre{i}" for i in range(11))]

    def shared(pictures: Any) -> Any:
        corners = [float(picture[0, :32, 32:64].mean()) for picture in pictures]
        return [[1 + corner, 0.9 + corner, *[-9.0] * 11] for corner in corners]

    preprocessing = Preprocessing.default("cqt")
    model = Checkpoint.from_function(
        shared, name="corner", classes=genres, preprocessing=preprocessing
    )
    sound = 0.001 * noise(10, RATE)
    sound[: round(1.4 * RATE)] += tone(90, 1.4, RATE)
    with Panel([model]) as panel:
        found = last(panel, (sound, RATE), "rock")["corner"]
        covered = found.verdict.covered
    assert covered is not None
    assert np.ptp(covered[..., 0]) > 0.1
    assert np.abs(found.coarse).max() < 0.01


def test_of_several_slices_the_middle_one_is_what_is_compared(home: Path) -> None:
    make_checkpoint(home, "slices_cqt", preprocessing=Preprocessing.ccmusic("cqt"))
    sound = np.concatenate([noise(15, RATE), 0.001 * tone(440, 15, RATE)])
    with Panel.open("cqt", ["slices_cqt"]) as panel:
        analysis = panel.measure(panel.analyze((sound, RATE)))
    verdict = analysis.verdict("slices_cqt")
    assert verdict.covered is not None
    assert verdict.middle is not None
    assert not np.allclose(verdict.middle, np.asarray(verdict.logits))
    found = analysis.evidence("slices_cqt")
    assert isinstance(found, Importance)
    index = verdict.card.classes.index(found.genre)
    calibrated = np.array([verdict.middle, verdict.covered[-1, 0]]) / verdict.card.temperature
    shares = softmax(calibrated)[:, index]
    before, after = np.log(shares / (1 - shares))
    assert found.coarse[0, 0] == pytest.approx(before - after, abs=1e-5)


def test_measured_once_it_is_evidence_for_every_genre(home: Path) -> None:
    with Panel.open("cqt") as panel:
        analysis = panel.analyze((noise(10, RATE), RATE))
        parts: list[Importance] = []
        measured = panel.measure(analysis, on_part=parts.append)
        again = {part.model: part for part in panel.importance(measured, "rock")}
    assert [analysis.measured, measured.measured] == [False, True]
    assert len(parts) == 2 * 7
    for name, verdict in measured.verdicts.items():
        assert verdict.probabilities == analysis.verdicts[name].probabilities
        plain, best = analysis.evidence(name, "rock"), measured.evidence(name, "rock")
        assert plain is not None
        assert isinstance(best, Importance)
        assert best == again[name]
        assert (plain.kind, best.kind) == ("activation", "occlusion")
        assert plain == measured.attention(name, "rock") == best.attention
    compact = measured.compact()
    assert compact.evidence("jazz") is None
    assert compact.why() is not None


def test_who_stops_listening_stops_the_measurement(home: Path) -> None:
    """At most as many rows wait in the pool as it can take: others come in between."""
    asked: list[int] = []

    def counting(pictures: Any) -> Any:
        asked.append(len(pictures))
        return [[1.0, 0.0]] * len(pictures)

    model = Checkpoint.from_function(
        counting, name="counting", classes=CLASSES, preprocessing=Preprocessing.default("cqt")
    )
    with Panel([model]) as panel:
        analysis = panel.analyze((noise(10, RATE), RATE))
        asked.clear()
        parts = panel.importance(analysis)
        next(parts)
        panel.analyze((noise(10, RATE), RATE))  # the pool has one worker: its turn comes
        parts.close()  # type: ignore[attr-defined]
    assert sum(asked) < 49


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


@pytest.mark.parametrize(("then", "said"), [(None, "once is enough"), (np.nan, "not numbers")])
def test_a_model_that_fails_on_covered_pictures_says_so(then: float | None, said: str) -> None:
    asked: list[int] = []

    def once(pictures: Any) -> Any:
        asked.append(len(pictures))
        if len(asked) > 1 and then is None:
            raise RuntimeError("once is enough")
        return [[1.0, 0.0]] if len(asked) == 1 else [[then, 0.0]] * len(pictures)

    model = Checkpoint.from_function(
        once, name="once", classes=CLASSES, preprocessing=Preprocessing.default("cqt")
    )
    with Panel([model]) as panel, pytest.raises(CheckpointError, match=said):
        last(panel, (noise(10, RATE), RATE))


@pytest.mark.parametrize(
    "error", [CheckpointError("not_finite", file="own"), ClosedError("panel_forked")]
)
def test_errors_that_say_what_is_wrong_stay_as_they_are(error: CCMusicError) -> None:
    asked: list[int] = []

    def once(pictures: Any) -> Any:
        asked.append(len(pictures))
        if len(asked) > 1:
            raise error
        return [[1.0, 0.0]]

    model = Checkpoint.from_function(
        once, name="once", classes=CLASSES, preprocessing=Preprocessing.default("cqt")
    )
    with Panel([model]) as panel, pytest.raises(type(error)) as raised:
        last(panel, (noise(10, RATE), RATE))
    assert raised.value is error


def test_a_model_that_fails_leaves_the_others_measured(home: Path) -> None:
    asked: list[int] = []

    def twice(pictures: Any) -> Any:
        asked.append(len(pictures))
        if len(asked) > 2:
            raise RuntimeError("twice is enough")
        return [[1.0, 0.0]]

    model = Checkpoint.from_function(
        twice, name="twice", classes=CLASSES, preprocessing=Preprocessing.default("cqt")
    )
    with Panel([model]) as alone, Panel.open("cqt") as panel:
        both = alone.combine(panel)
        analysis = both.analyze((noise(10, RATE), RATE))
        measured = both.measure(analysis)
        with pytest.raises(CheckpointError, match="twice is enough"):
            list(both.importance(analysis))
        with pytest.raises(CheckpointError, match="twice is enough"):
            alone.measure(analysis.select(["twice"]))
    assert measured.measured
    assert {name: v.covered is not None for name, v in measured.verdicts.items()} == {
        "twice": False,
        "jazz_cqt": True,
        "rock_cqt": True,
    }
    assert measured.verdicts["twice"] == analysis.verdicts["twice"]


def test_it_is_drawn_like_an_activation_map(home: Path) -> None:
    pytest.importorskip("matplotlib")
    from matplotlib.figure import Figure

    with Panel.open("cqt", ["jazz"]) as panel:
        found = last(panel, (noise(10, RATE), RATE))["jazz_cqt"]
    cells = found.plot(Figure().subplots()).get_array()
    assert cells is not None
    assert cells.shape == found.values.T.shape
