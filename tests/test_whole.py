"""A whole piece: the mean over its windows, told alike by every front end."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from ccmusic import report, schema
from ccmusic.cli import app
from ccmusic.errors import CheckpointError
from ccmusic.panel import Panel
from ccmusic.texts import LANGUAGES, Language
from ccmusic.verdict import average
from ccmusic.whole import WholePiece
from small_models import make_checkpoint

WriteSound = Callable[..., Path]


@pytest.fixture
def panel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Panel]:
    """Three models that see more of their genre in brighter pictures."""
    monkeypatch.setenv("CCMUSIC_HOME", str(tmp_path))
    folder = tmp_path / "checkpoints"
    make_checkpoint(folder, "one", favourite="jazz", strength=2.0)
    make_checkpoint(folder, "two", favourite="jazz", strength=1.0)
    make_checkpoint(folder, "three", favourite="rock", strength=1.5)
    with Panel.open("cqt", ["one", "two", "three"]) as opened:
        yield opened


@pytest.fixture(scope="module")
def song(write_sound: WriteSound) -> Path:
    """A tone, silence, noise: windows of 0, 10, 20 and 24 s, of which the second is silent."""
    rate = 22_050
    time = np.arange(34 * rate) / rate
    sound = 0.2 * np.sin(2 * np.pi * 440 * time)
    sound[20 * rate :] = np.random.default_rng(0).normal(0, 0.1, 14 * rate)
    sound[10 * rate : 20 * rate] = 0
    return write_sound("song.wav", sound.astype(np.float32), rate)


def test_it_is_the_mean_over_windows_with_a_verdict(panel: Panel, song: Path) -> None:
    piece = panel.analyze_whole(song)
    assert [w.clip.info.window_start for w in piece.windows] == pytest.approx([0, 10, 20, 24])
    assert [w.judged for w in piece.windows] == ["yes", "silent", "yes", "yes"]
    assert (piece.clip.info.window_start, piece.clip.info.window_end) == pytest.approx((0, 34))
    heard = [w for w in piece.windows if w.verdicts]
    assert len({w.mean["jazz"] for w in heard}) == 3
    for name, verdict in piece.verdicts.items():
        of_windows = [w.verdicts[name].probabilities["jazz"] for w in heard]
        assert verdict.probabilities["jazz"] == pytest.approx(np.mean(of_windows), abs=1e-6)
        assert sum(verdict.votes.values()) == 3
    for genre, share in piece.mean.items():
        expected = np.mean([w.mean[genre] for w in heard])
        assert share == pytest.approx(expected, abs=1e-6)
    assert piece.agreement is not None
    assert (piece.agreement.top, piece.agreement.votes, piece.agreement.models) == ("jazz", 2, 3)
    (genre, share), *_ = piece.top()
    assert f"(4 windows): Jazz {share:.0%}, " in piece.message("en")
    assert genre == "jazz"
    assert "全曲（4 个片段）：爵士" in piece.message("zh")
    assert panel.analyze_whole(song.read_bytes(), name="a song").file == "a song"


def test_models_can_be_left_out(panel: Panel, song: Path) -> None:
    piece = panel.analyze_whole(song)
    rock = piece.select(["three"])
    assert list(rock.verdicts) == ["three"]
    assert rock.top(1)[0][0] == "rock"
    with Panel.open("cqt", ["three"]) as alone:
        assert alone.analyze_whole(song) == rock


def test_windows_weigh_little(panel: Panel, song: Path) -> None:
    for window in panel.analyze_whole(song).windows:
        arrays = [
            window.clip.samples,
            window.clip.original,
            *(drawn.values for drawn in window.spectrograms.values()),
        ]
        assert not window.pictures
        assert sum(array.size for array in arrays) == 0
        assert all(v.maps is None for v in window.verdicts.values())


def test_warnings_are_those_of_most_windows(
    panel: Panel, write_sound: WriteSound, tone: Callable[..., np.ndarray]
) -> None:
    rate = 22_050
    loud = np.clip(8 * tone(440, 30, rate), -1, 1)
    quiet = 0.1 * tone(440, 20, rate)
    mostly = panel.analyze_whole(write_sound("a.wav", np.concatenate([loud, quiet]), rate))
    hardly = panel.analyze_whole(write_sound("b.wav", np.concatenate([quiet, quiet, loud]), rate))
    assert "clipping" in [warning.code for warning in mostly.warnings]
    assert "clipping" not in [warning.code for warning in hardly.warnings]
    assert any("clipping" in [w.code for w in window.warnings] for window in hardly.windows)


def test_silence_and_scraps_have_no_verdict(
    panel: Panel, write_sound: WriteSound, tone: Callable[..., np.ndarray]
) -> None:
    rate = 22_050
    silence = np.zeros(24 * rate, np.float32)
    rest = panel.analyze_whole(write_sound("rest.wav", silence, rate))
    assert (rest.judged, rest.verdicts, rest.mean, rest.agreement) == ("silent", {}, {}, None)
    assert rest.message("en") == "silence: there is nothing to judge"
    silence[: rate // 2] = tone(440, 0.5, rate)
    scrap = panel.analyze_whole(write_sound("scrap.wav", silence, rate))
    assert scrap.judged == "too_short"
    assert "0.5 s of sound" in scrap.message("en")
    assert scrap.document().mean == {}


def test_a_model_that_fails_everywhere_has_its_error(panel: Panel, song: Path) -> None:
    window = panel.analyze(song, crop="start")
    error = CheckpointError("not_finite", file="one.onnx")
    (broken,) = [
        type(v)(v.card, error=error) for name, v in window.verdicts.items() if name == "one"
    ]
    good = window.verdicts["one"]
    assert average([broken, broken]).error is error
    assert average([broken, good]).probabilities == pytest.approx(good.probabilities, abs=1e-6)


def test_the_command_line_prints_it(panel: Panel, song: Path) -> None:
    asked = ["classify", str(song), "--models", "one,two,three", "--crop", "whole"]
    piece = panel.analyze_whole(song)
    told = CliRunner().invoke(app, asked)
    assert told.exit_code == 0, told.output
    said = " ".join(told.output.split())
    assert " ".join(piece.message("en").split()) in said
    for start, window in zip(("0:00", "0:10", "0:20", "0:24"), piece.windows, strict=True):
        (row,) = [line for line in told.output.splitlines() if line.strip().startswith(start)]
        assert f"Jazz {window.mean['jazz']:.0%}" in row if window.mean else "silent" in row
    as_json = json.loads(CliRunner().invoke(app, [*asked, "--json"]).output)
    assert schema.read(json.dumps(as_json)).to_dict() == as_json
    expected = piece.to_dict()
    assert [w["start"] for w in as_json["windows"]] == pytest.approx([0, 10, 20, 24])
    for key in ("mean", "agreement", "windows", "message", "clip", "judged"):
        assert as_json[key] == expected[key]
    assert as_json["windows"][1] == {
        "start": 10.0, "end": 20.0, "judged": "silent", "mean": {}, "choices": {},
    }  # fmt: skip
    assert as_json["windows"][0]["choices"]["three"]["genre"] == "rock"


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_report_tells_the_piece_and_its_windows(
    panel: Panel, song: Path, tmp_path: Path, language: Language
) -> None:
    piece = panel.analyze_whole(song)
    output = tmp_path / "song.html"
    asked = ["report", str(song), "-o", str(output), "--crop", "whole", "--language", language]
    told = CliRunner().invoke(app, [*asked, "--models", "one,two,three"])
    assert told.exit_code == 0, told.output
    page = output.read_text("utf-8")
    opinion = piece.message(language)
    assert opinion[:1].upper() + opinion[1:] in page
    assert page.count("<tr>") == (1 + 3 + 1) + (1 + 4)
    assert "<svg" not in page
    rows = list(csv.DictReader(io.StringIO(report.to_csv(piece))))
    jazz = [r for r in rows if (r["model"], r["class"]) == ("mean", "jazz")]
    assert float(jazz[0]["probability"]) == piece.mean["jazz"]


def test_the_windows_of_a_stream_are_summed_up_as_they_come(panel: Panel, song: Path) -> None:
    assert WholePiece.of(panel.timeline(song, hop=10)) == panel.analyze_whole(song)
