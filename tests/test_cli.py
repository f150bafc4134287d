import csv
import importlib.util
import io
import json
import os
import platform
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from PIL import Image
from rich.cells import cell_len
from typer.core import TyperGroup
from typer.testing import CliRunner

import ccmusic
from ccmusic import panel, zoo
from ccmusic.cli import app, main
from ccmusic.cli.options import complain
from ccmusic.errors import CheckpointError
from ccmusic.prepare import Prepared, prepare
from small_models import make_checkpoint

EXAMPLES = Path(__file__).parent.parent / "examples"
SONG = str(EXAMPLES / "vibe_ace.ogg")
needs_torch = pytest.mark.skipif(not importlib.util.find_spec("torch"), reason="needs PyTorch")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CCMUSIC_HOME", str(tmp_path))
    monkeypatch.setattr(zoo, "SHIPPED", tmp_path / "none")
    for favourite in ("jazz", "rock"):
        make_checkpoint(
            tmp_path / "checkpoints", f"{favourite}_cqt", favourite=favourite, backbone=favourite
        )
    return tmp_path / "checkpoints"


def _run(
    *arguments: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[int, str, str]:
    """Run as the console script does; exit status, standard output, standard error."""
    monkeypatch.setattr(sys, "argv", ["ccmusic", *arguments])
    with pytest.raises(SystemExit) as caught:
        main()
    out, err = capsys.readouterr()
    return int(caught.value.code or 0), out, err


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    return lambda *arguments: _run(*arguments, monkeypatch=monkeypatch, capsys=capsys)


def test_classify_prints_tables(folder: Path, run) -> None:
    status, out, err = run("classify", SONG, "--top-k", "2")
    assert status == 0
    assert "Jazz" in out
    assert "Mean" in out
    assert "divergence" in out
    assert "Against: " in out
    assert err == ""


@pytest.mark.parametrize(
    ("variables", "mean"),
    [
        ({"LANG": "zh_CN.UTF-8"}, "平均"),
        ({"CCMUSIC_LANGUAGE": "zh", "LANG": "en_GB.UTF-8"}, "平均"),
        ({"CCMUSIC_LANGUAGE": "en", "LANG": "zh_CN.UTF-8"}, "Mean"),
        ({"LANG": "de_DE.UTF-8"}, "Mean"),
    ],
)
def test_the_table_fits_a_terminal_in_the_language_of_its_user(
    run, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], mean: str
) -> None:
    for name in ("LC_ALL", "LC_MESSAGES", "LANG", "CCMUSIC_LANGUAGE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("COLUMNS", "80")
    status, out, _ = run("classify", SONG, "--transform", "both")
    assert status == 0
    lines = out.splitlines()
    assert max(map(cell_len, lines)) <= 80
    # One line for each of the ten models.
    rows = [line for line in lines if "CQT" in line or "Mel" in line.partition("%")[0]]
    assert len([row for row in rows if row.count("%") == 4]) == 10
    assert any(line.startswith(mean) for line in lines)


def test_classify_json_has_the_fixed_form(folder: Path, run) -> None:
    status, out, _ = run("classify", SONG, "--json")
    assert status == 0
    result = json.loads(out)
    assert list(result) == [
        "schema", "version", "file", "clip", "edits", "transform", "judged", "message", "models",
        "mean", "agreement", "advice", "elapsed_ms", "windows",
    ]  # fmt: skip
    assert result["windows"] is None
    assert result["file"] == SONG
    assert {"codec", "bit_rate", "sample_rate", "channels", "duration", "warnings"} <= set(
        result["clip"]
    )
    assert set(result["models"]) == {"jazz_cqt", "rock_cqt"}
    assert {"sha256", "probabilities", "latency_ms"} <= set(result["models"]["jazz_cqt"])
    assert {"top", "votes", "divergence", "split", "message"} <= set(result["agreement"])
    assert result["message"] == result["agreement"]["message"]
    assert result["agreement"]["split"] == ["jazz", "rock"] or result["agreement"]["split"] == [
        "rock",
        "jazz",
    ]
    assert sum(result["mean"].values()) == pytest.approx(1)


def test_one_bad_file_does_not_stop_the_others(folder: Path, tmp_path: Path, run) -> None:
    text = tmp_path / "notes.mp3"
    text.write_text("not music")
    status, out, err = run("classify", str(text), "missing.wav", SONG, "--json")
    assert status == 1
    lines = [json.loads(line) for line in out.splitlines()]
    assert ["error" in line for line in lines] == [True, True, False]
    assert lines[1] == {
        "schema": "ccmusic.analysis",
        "version": 1,
        "file": "missing.wav",
        "error": "missing.wav: no such file",
    }
    assert "Traceback" not in err


def test_top_k_holds_for_json_too(folder: Path, run) -> None:
    _, out, _ = run("classify", SONG, "--json", "--top-k", "2")
    model = json.loads(out)["models"]["jazz_cqt"]
    assert len(model["top"]) == 2
    assert model["top"][0]["probability"] == max(model["probabilities"].values())


def test_silence_and_scraps_get_no_verdict(folder: Path, run, write_sound, tone) -> None:
    silence = str(write_sound("silence.wav", tone(440, 10, amplitude=0)))
    scrap, short = (str(write_sound(f"{n}.wav", tone(440, n))) for n in (0.2, 1.6))
    status, out, err = run("classify", silence, scrap, short)
    assert (status, err.count("Traceback")) == (0, 0)
    words = " ".join(out.split())
    assert "silence: there is nothing to judge" in words
    assert "only 0.2 s of sound: too short to judge" in words
    assert "doubtful, for there is only 1.6 s of sound: split: 1 × " in words
    assert words.count("Mean") == 1
    assert "\\" not in out


def test_an_odd_error_over_one_file_does_not_stop_the_others(
    folder: Path, run, monkeypatch: pytest.MonkeyPatch
) -> None:

    def odd(source: str, *arguments: Any, **options: Any) -> Prepared:
        if source == "odd.wav":
            raise MemoryError
        return prepare(source, *arguments, **options)

    monkeypatch.setattr(panel, "prepare", odd)
    status, out, err = run("classify", "odd.wav", SONG, "--json")
    assert status == 1
    first, second = [json.loads(line) for line in out.splitlines()]
    assert (first["file"], first["error"]) == ("odd.wav", "odd.wav: unexpected MemoryError")
    assert second["file"] == SONG
    status, out, err = run("classify", "odd.wav", SONG)
    assert "odd.wav: unexpected MemoryError" in err
    assert "vibe_ace" in out


@pytest.mark.skipif(os.name != "posix", reason="such names are none elsewhere")
def test_a_name_has_no_power_over_the_terminal(folder: Path, tmp_path: Path, run) -> None:
    name = "a\x1b[31mred\nccmusic: all is well\r\x9b2J\u202e.ogg"
    good, bad = tmp_path / name, tmp_path / f"{name}.mp3"
    good.write_bytes(Path(SONG).read_bytes())
    bad.write_text("not music")
    for options in ([], ["--json"]):
        _, out, err = run("classify", str(good), str(bad), *options)
        assert not set("\x1b\r\x9b\u202e") & set(out + err)
        assert "\nccmusic: all is well" not in out + err
    assert [Path(json.loads(line)["file"]).name for line in out.splitlines()] == [
        good.name, bad.name
    ]  # fmt: skip


@pytest.mark.parametrize("kind", ["html", "json", "csv"])
def test_report_writes_each_kind(folder: Path, tmp_path: Path, run, kind: str) -> None:
    output = tmp_path / f"report.{kind}"
    status, out, err = run("report", SONG, "-o", str(output), "--language", "en")
    assert (status, out, err) == (0, "", "")
    text = output.read_text(encoding="utf-8")
    if kind == "html":
        assert text.startswith("<!doctype html>")
        assert '<html lang="en">' in text
        assert "vibe_ace.ogg" in text
        assert "jazz_cqt" in text
    elif kind == "json":
        assert set(json.loads(text)["models"]) == {"jazz_cqt", "rock_cqt"}
    else:
        models = {row["model"] for row in csv.DictReader(io.StringIO(text))}
        assert models == {"jazz_cqt", "rock_cqt", "mean"}


def test_report_honours_crop_and_transform_and_refuses_other_kinds(
    folder: Path, tmp_path: Path, run
) -> None:
    output = tmp_path / "report.json"
    assert run("report", SONG, "-o", str(output), "--crop", "start")[0] == 0
    assert json.loads(output.read_text(encoding="utf-8"))["clip"]["window_start"] == 0
    status, _, err = run("report", SONG, "-o", str(tmp_path / "x.pdf"))
    assert (status, err.count("\n")) == (1, 1)
    assert "must end in .html, .json or .csv" in err
    status, _, err = run("report", SONG, "-o", str(output), "--transform", "mel")
    assert status == 1
    assert "no checkpoints for mel" in err


def test_a_failing_model_is_reported_and_the_status_is_1(folder: Path, run) -> None:
    path = folder / "rock_cqt.onnx"
    path.write_bytes(b"damaged")
    status, out, _ = run("classify", SONG, "--json")
    assert status == 1
    result = json.loads(out)
    assert "sha256" in result["models"]["rock_cqt"]["error"]
    assert result["agreement"]["top"] == "jazz"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["classify", "missing.wav"], "missing.wav: no such file"),
        (["classify", ""], "the name of the recording is empty"),
        (["batch", "", "-o", "x.csv"], "the name of a file or folder is empty"),
        (["classify", SONG, "--models", "tuba"], "unknown model tuba; known: jazz_cqt, rock_cqt"),
        (["classify", SONG, "--transform", "mel"], "no checkpoints for mel yet"),
        (["spectrogram", "missing.wav", "-o", "x.png"], "missing.wav: no such file"),
        pytest.param(
            ["evaluate", "tuba", "--data", "x.csv"], "unknown model tuba", marks=needs_torch
        ),
        pytest.param(
            ["train", "--data", "no.csv", "--backbone", "resnet50", "-o", "run"],
            "no.csv: cannot be read",
            marks=needs_torch,
        ),
    ],
    ids=lambda value: " ".join(value)[:30] if isinstance(value, list) else "",
)
def test_expected_errors_are_one_line(
    folder: Path, tmp_path: Path, run, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said
) -> None:
    monkeypatch.chdir(tmp_path)
    status, out, err = run(*arguments)
    assert (status, out) == (1, "")
    assert err.startswith("ccmusic: ")
    assert said in err
    assert err.count("\n") == 1


def test_a_checkpoint_without_card_is_reported_by_classify_and_models(folder: Path, run) -> None:
    (folder / "rock_cqt.json").unlink()
    for arguments in (["classify", SONG], ["models"]):
        status, out, err = run(*arguments)
        assert status == 1
        assert "jazz" in out.lower()
        assert "rock_cqt.json: no model card" in err


def test_models_lists_what_is_known(folder: Path, run) -> None:
    status, out, _ = run("models", "--json")
    assert status == 0
    rows = json.loads(out)
    assert [row["name"] for row in rows] == ["jazz_cqt", "rock_cqt"]
    assert {"transform", "classes", "parameters", "size_bytes", "accuracy"} <= set(rows[0])
    assert "jazz_cqt" in run("models")[1]


def test_models_lead_with_unknown_sources(
    tmp_path: Path, run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CCMUSIC_HOME", str(tmp_path))
    shipped = {c.card.name: c.card for c in zoo.scan()[0]}
    for row in json.loads(run("models", "--json")[1]):
        unknown = shipped[row["name"]].unknown_sources
        assert unknown
        assert (row["accuracy"], row["measured_on"]) == (unknown.accuracy, unknown.split)
        maps = shipped[row["name"]].faithfulness
        assert maps
        assert row["maps"] == {kind: worth.removed for kind, worth in maps.items()}
        assert row["maps_better_than_chance"] == {
            kind: worth.better_than_chance for kind, worth in maps.items()
        }
    monkeypatch.setenv("COLUMNS", "200")
    chance = [
        worth
        for card in shipped.values()
        for worth in card.faithfulness.values()
        if not worth.better_than_chance
    ]
    assert run("models")[1].count("not surely better than chance") == len(chance)


@pytest.mark.parametrize("transform", ["cqt", "mel"])
@pytest.mark.parametrize("stage", ["raw", "picture"])
def test_spectrogram_draws_a_png(tmp_path: Path, run, transform: str, stage: str) -> None:
    out = tmp_path / "drawn.png"
    status, _, _ = run(
        "spectrogram", SONG, "-o", str(out), "--transform", transform, "--stage", stage
    )
    assert status == 0
    with Image.open(out) as image:
        assert image.format == "PNG"
        assert image.width > 500
    assert list(tmp_path.iterdir()) == [out]


def test_a_png_that_cannot_be_written_is_one_line(tmp_path: Path, run) -> None:
    status, _, err = run("spectrogram", SONG, "-o", str(tmp_path / "no" / "x.png"))
    assert status == 1
    assert "cannot be written" in err


@pytest.mark.parametrize(
    ("arguments", "library", "extra"),
    [
        (["train", "--data", "x", "--backbone", "resnet50", "-o", "run"], "torch", "torch"),
        (["serve"], "fastapi", "api"),
        (["batch", SONG, "-o", "x.csv", "--engine", "ray"], "ray", "ray"),
        (["tags", "x.csv"], "mutagen", "batch"),
    ],
)
def test_without_its_extra_a_command_says_what_to_install(
    folder: Path, tmp_path: Path, arguments: list[str], library: str, extra: str
) -> None:
    code = (
        f"import sys; sys.modules[{library!r}] = None; sys.argv = {['ccmusic', *arguments]!r}\n"
        "from ccmusic.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert f"pip install 'ccmusic[{extra}]'" in done.stderr


def test_nothing_but_plot_methods_needs_matplotlib(folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "output"
    output.mkdir()
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "import ccmusic\n"
        "from ccmusic.cli import app\n"
        f"song, folder = {SONG!r}, {str(output)!r}\n"
        "for words in (['classify', song], ['report', song, '-o', folder + '/report.html'],\n"
        "              ['spectrogram', song, '-o', folder + '/raw.png'],\n"
        "              ['spectrogram', song, '-o', folder + '/seen.png', '--stage', 'picture']):\n"
        "    app(words, standalone_mode=False)\n"
        "try:\n"
        "    ccmusic.load(song).plot()\n"
        "except ccmusic.MissingExtraError as error:\n"
        "    print(error)\n"
    )
    environment = {**os.environ, "PYTHONUTF8": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, encoding="utf-8", env=environment
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("pip install 'ccmusic[plot]'\n")
    made = sorted(path.name for path in output.iterdir())
    assert made == ["raw.png", "report.html", "seen.png"]


def test_batch_writes_a_table_and_shows_what_tags_would_change(
    folder: Path, tmp_path: Path, run, write_sound, tone
) -> None:
    song = write_sound("song.mp3", tone(440, 3), tags={"genre": "Noise"})
    content, table = song.read_bytes(), str(tmp_path / "genres.csv")
    asked = ("batch", str(song.parent), "-o", table)
    status, out, _ = run(*asked)
    assert (status, out) == (0, f"{table}: 1 recordings, 0 with errors\n")
    assert run(*asked)[0] == 0, "nothing is new"
    tagging = ("tags", table, "--threshold", "0.3")
    status, out, _ = run(*tagging)
    assert status == 0
    assert "Noise" in out
    assert "1 files differ; nothing was written" in out
    assert song.read_bytes() == content
    status, out, _ = run(*tagging, "--yes")
    assert status == 0
    assert song.read_bytes() != content
    assert "0 files differ" in run(*tagging)[1]


def test_batch_names_the_music_that_it_passes_over(
    folder: Path, tmp_path: Path, run, write_sound, tone
) -> None:
    song = write_sound("song.mp3", tone(440, 3))
    for name in ("b.KGM", "a.kgm", "c.mid"):
        (song.parent / name).touch()
    asked = ("batch", str(song.parent), "-o", str(tmp_path / "genres.csv"), "--recursive")
    passed_over = (
        f"passed over, because it is not read: 2 .kgm, 1 .mid; such as {song.parent}/a.kgm"
    )
    _, _, err = run(*asked)
    assert f"ccmusic: {passed_over}\n" in err
    song.unlink()
    status, _, err = run(*asked)
    assert status == 1
    assert passed_over in err
    assert "no recordings found" in err


def test_an_unexpected_error_is_one_line_too(run, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise RuntimeError("something unforeseen")

    monkeypatch.setattr(zoo, "scan", broken)
    status, _, err = run("models")
    assert status == 1
    assert "unexpected RuntimeError: something unforeseen" in err
    assert "Traceback" not in err


def test_every_command_explains_itself() -> None:
    for command in app.registered_commands:
        name = command.name or command.callback.__name__
        result = CliRunner().invoke(app, [name, "--help"])
        assert result.exit_code == 0
        assert len(result.stdout) > 200


def test_python_m_ccmusic_is_the_same_program(folder: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "ccmusic", "models", "--json"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "jazz_cqt" in {row["name"] for row in json.loads(result.stdout)}


def test_the_base_install_needs_no_extra() -> None:
    """Importing the package and its command line pulls in no heavy optional library."""
    project = tomllib.loads((EXAMPLES.parent / "pyproject.toml").read_text())
    heavy = ["torch", "streamlit", "matplotlib", "librosa", "scipy", "pandas"]
    heavy += ["fastapi", "uvicorn", "ray", "pyarrow", "mutagen"]
    assert not {"torch", "streamlit", "matplotlib"} & {
        d.split(">")[0] for d in project["project"]["dependencies"]
    }
    code = (
        "import sys, ccmusic, ccmusic.cli\n"
        f"loaded = [name for name in {heavy} if name in sys.modules]\n"
        "assert not loaded, loaded"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(("crop", "start"), [("end", 2), ("1.25", 1.25), ("0", 0), ("99", 2)])
def test_crop_is_a_place_or_a_second(
    folder: Path, tmp_path: Path, run, write_sound, tone, crop: str, start: float
) -> None:
    song, output = str(write_sound("song.wav", tone(440, 12))), tmp_path / "report.json"
    assert run("report", song, "-o", str(output), "--crop", crop)[0] == 0
    reported = json.loads(output.read_text(encoding="utf-8"))
    classified = json.loads(run("classify", song, "--json", "--crop", crop)[1])
    table = tmp_path / "genres.csv"
    assert run("batch", song, "-o", str(table), "--crop", crop)[0] == 0
    (row,) = csv.DictReader(table.read_text(encoding="utf-8").splitlines())
    starts = [reported["clip"]["window_start"], classified["clip"]["window_start"]]
    assert starts == pytest.approx([start, start], abs=0.001)
    assert float(row["window_start"]) == pytest.approx(start, abs=0.001)
    pictures = [tmp_path / "cropped.png", tmp_path / "centred.png"]
    for picture, options in zip(pictures, (["--crop", crop], []), strict=True):
        assert run("spectrogram", song, "-o", str(picture), *options)[0] == 0
    assert pictures[0].read_bytes() != pictures[1].read_bytes()


@pytest.mark.parametrize(
    ("command", "crop"),
    [
        *((c, k) for c in ("classify", "report", "spectrogram")
          for k in ("-1", "nan", "inf", "middle", "")),
        ("spectrogram", "whole"),
    ],
)  # fmt: skip
def test_a_crop_that_is_none_is_refused(run, command: str, crop: str) -> None:
    output = [] if command == "classify" else ["-o", "x.html"]
    status, out, err = run(command, SONG, *output, f"--crop={crop}")
    assert (status, out) == (2, "")
    assert "--crop" in err


def test_a_batch_crops_the_whole(folder: Path, tmp_path: Path, run, write_sound, tone) -> None:
    song, table = str(write_sound("song.wav", tone(440, 25))), tmp_path / "table.csv"
    status, _, _ = run("batch", song, "-o", str(table), "--crop", "whole")
    assert status == 0
    rows = list(csv.DictReader(table.read_text(encoding="utf-8-sig").splitlines()))
    assert [row["windows"] for row in rows] == ["3", "", "", ""]


def _pipe(content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))


def test_standard_input_is_read_like_the_file(
    folder: Path, tmp_path: Path, run, write_sound, tone, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The index of an MP4 is at its end: it cannot be read without going back.
    song = str(write_sound("song.m4a", tone(440, 12)))
    content = Path(song).read_bytes()
    from_file = json.loads(run("classify", song, "--json")[1])
    _pipe(content, monkeypatch)
    status, out, _ = run("classify", "-", "missing.wav", "--json")
    piped, missing = [json.loads(line) for line in out.splitlines()]
    assert status == 1
    assert piped["file"] == "standard input"
    assert piped["clip"] == from_file["clip"]
    assert piped["mean"] == from_file["mean"]
    assert "no such file" in missing["error"]
    report, by_name, by_pipe = (tmp_path / name for name in ("x.html", "name.png", "pipe.png"))
    _pipe(content, monkeypatch)
    assert run("report", "-", "-o", str(report))[0] == 0
    assert "standard input" in report.read_text(encoding="utf-8")
    assert run("spectrogram", song, "-o", str(by_name))[0] == 0
    _pipe(content, monkeypatch)
    assert run("spectrogram", "-", "-o", str(by_pipe))[0] == 0
    assert by_pipe.read_bytes() == by_name.read_bytes()


def test_standard_input_that_is_none_is_one_line(
    folder: Path, run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ccmusic.cli.options._STDIN_MOST", 2 << 20)
    for content, told in (
        (b"", "the file is empty"),
        (b"not music", "standard input: "),
        (bytes(3 << 20), "more than 2 MB"),
    ):
        _pipe(content, monkeypatch)
        status, out, err = run("classify", "-")
        assert (status, out, err.count("\n")) == (1, "", 1)
        assert err.startswith("ccmusic: standard input: ")
        assert told in err
    terminal = io.TextIOWrapper(io.BytesIO())
    terminal.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr(sys, "stdin", terminal)
    assert "nothing is piped into it" in run("classify", "-")[2]


@pytest.mark.parametrize("encoding", ["cp1252", "gbk", "ascii", "utf-8"])
def test_json_is_valid_in_every_encoding(tmp_path: Path, encoding: str) -> None:
    name = "caf\xe9 \u4e2d\u6587 \U0001f3b5.wav"
    done = subprocess.run(
        [sys.executable, "-m", "ccmusic", "classify", name, "--json"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"},
        stdout=subprocess.PIPE,
    )
    assert json.loads(done.stdout.decode(encoding))["file"] == name
    assert done.stdout.isascii() == (encoding != "utf-8")


def test_an_edited_verdict_says_so_and_carries_its_edits(folder: Path, run) -> None:
    asked = ("--without", "64-127Hz", "--without", "2-4s", "--pitch", "2", "--channel", "left")
    status, out, _ = run("classify", SONG, *asked)
    assert status == 0
    line = "edited: left channel alone; without 64–127 Hz; without 2.0–4.0 s; pitch +2 semitones"
    assert line in " ".join(out.split())
    status, out, _ = run("classify", SONG, *asked, "--json")
    assert status == 0
    document = json.loads(out)
    kinds = [edit["edit"] for edit in document["edits"]]
    assert kinds == ["channel", "without", "without", "change"]
    plain = json.loads(run("classify", SONG, "--json")[1])
    assert plain["edits"] == []
    assert plain["mean"] != document["mean"]


def test_every_kind_of_report_says_that_the_sound_was_edited(
    folder: Path, tmp_path: Path, run
) -> None:
    for kind in ("html", "json", "csv"):
        out = tmp_path / f"report.{kind}"
        asked = ("--lowpass", "4000", "--language", "en")
        assert run("report", SONG, "-o", str(out), *asked)[0] == 0
        assert ("lowpass" if kind == "json" else "low-pass 4000 Hz") in out.read_text("utf-8")


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (("--without", "127-64Hz"), "ends where it begins"),
        (("--without", "bass"), "'bass' is no region"),
        (("--without", "100-200s"), "outside the sound"),
        (("--pitch", "100"), "pitch cannot be 100"),
        (("--tempo", "nan"), "tempo cannot be nan"),
        (("--lowpass", "30000"), "beyond 22050 Hz"),
        (("--gain", "1", "--crop", "whole"), "--crop whole"),
    ],
)
def test_an_edit_that_cannot_be_is_one_line(folder: Path, run, asked, told: str) -> None:
    status, out, err = run("classify", SONG, *asked)
    assert status == 1
    assert not out.strip()
    assert told in err
    assert len(err.splitlines()) == 1


def test_version_is_that_of_the_package_everywhere(
    folder: Path, run, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("--version") == (0, f"ccmusic {ccmusic.__version__}\n", "")
    sources = EXAMPLES.parent.glob("src/ccmusic/**/*.py")
    texts = {path: path.read_text(encoding="utf-8") for path in sources}
    assert [path.name for path, text in texts.items() if ccmusic.__version__ in text] == [
        "version.py"
    ]
    assert not [path.name for path, text in texts.items() if 'version("ccmusic")' in text]


def test_doctor_tells_versions_folders_and_which_models_load(folder: Path, run) -> None:
    status, out, err = run("doctor", "--json")
    assert (status, err) == (0, "")
    found = json.loads(out)
    assert found["versions"]["ccmusic"] == ccmusic.__version__
    assert found["versions"]["python"] == platform.python_version()
    for library in ("onnxruntime", "av", "numpy"):
        assert found["versions"][library] == metadata.version(library)
    assert found["versions"]["ffmpeg"]
    assert "CPUExecutionProvider" in found["providers"]
    assert found["folders"]["own"] == str(folder)
    assert (found["models"], found["problems"]) == (["jazz_cqt", "rock_cqt"], [])
    status, out, err = run("doctor")
    assert (status, err) == (0, "")
    assert f"ccmusic:      {ccmusic.__version__}\n" in out
    assert "jazz_cqt, rock_cqt" in out


def test_doctor_names_the_models_that_do_not_load(folder: Path, run) -> None:
    (folder / "rock_cqt.onnx").write_bytes(b"damaged")
    make_checkpoint(folder, "blues_cqt", favourite="blues", backbone="blues")
    (folder / "blues_cqt.json").write_text("{")
    status, out, err = run("doctor")
    assert status == 1
    assert "jazz_cqt" in out
    assert "rock_cqt.onnx" in err
    assert "blues_cqt.json" in err
    assert "Traceback" not in err
    status, out, err = run("doctor", "--json")
    found = json.loads(out)
    assert (status, err, found["models"], len(found["problems"])) == (1, "", ["jazz_cqt"], 2)
    for path in folder.iterdir():
        path.unlink()
    status, out, _ = run("doctor", "--json")
    assert status == 1
    assert "install ccmusic again" in json.loads(out)["problems"][0]


def test_help_lists_the_commands_in_groups() -> None:
    text = CliRunner().invoke(app, ["--help"]).stdout
    groups = {
        "Use": ["classify", "report", "spectrogram", "batch", "tags", "doctor"],
        "Your own models": ["import", "models"],
        "Training": ["train", "evaluate", "calibrate", "export", "data"],
        "Servers": ["dashboard", "serve"],
    }
    expected = [word for group, names in groups.items() for word in (group, *names)]
    listed = re.findall(r"^(?:╭─ ([A-Z][a-z ]+) ─|│ ([a-z]+) )", text, re.MULTILINE)
    assert [group or name for group, name in listed if group != "Options"] == expected


def _commands(group: TyperGroup) -> Iterator[Any]:
    for command in group.commands.values():
        if isinstance(command, TyperGroup):
            yield from _commands(command)
        yield command


def test_one_name_for_one_idea() -> None:
    commands = list(_commands(typer.main.get_group(app)))
    assert {"index", "remove", "train"} <= {command.name for command in commands}
    for command in commands:
        options = {name for param in command.params for name in param.opts if name[0] == "-"}
        assert not {"--out", "--window", "--start"} & options, command.name
        assert ("-o" in options) == ("--output" in options), command.name


def test_completion_is_offered(tmp_path: Path) -> None:
    def completed(*words: str) -> list[str]:
        line = " ".join(("ccmusic", *words))
        code = "import sys; sys.argv = ['ccmusic']; from ccmusic.cli import main; main()"
        environment = {
            **os.environ,
            "_CCMUSIC_COMPLETE": "complete_bash",
            "COMP_WORDS": line,
            "COMP_CWORD": str(len(words)),
        }
        done = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True
        )
        return done.stdout.split()

    assert {"classify", "doctor", "batch"} <= set(completed(""))
    assert completed("classify", "--cr") == ["--crop"]
    assert completed("batch", "--crop", "e") == ["end"]
    assert completed("classify", "--transform", "m") == ["mel"]


def test_a_parameter_of_the_library_is_an_option_here(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CCMUSIC_LANGUAGE", "en")
    complain("nothing to do: give `epochs`, `final_epochs`, or `init_from`")
    expected = "ccmusic: nothing to do: give --epochs, --final-epochs, or --init-from\n"
    assert capsys.readouterr().err == expected
    monkeypatch.setenv("CCMUSIC_LANGUAGE", "zh")
    complain(CheckpointError("other_transform", name="jazz_cqt", transform="cqt"))
    assert "--transform" in capsys.readouterr().err


def test_silence_names_the_option_that_looks_elsewhere(run, write_sound, tone) -> None:
    pause = np.concatenate([tone(440, 12), tone(440, 20, amplitude=0), tone(440, 12)])
    _, out, _ = run("classify", str(write_sound("pause.wav", pause)))
    assert re.search(r"silent from 17.0 to 27.0\s+s: .* that\s+\(--crop\)", " ".join(out.split()))
