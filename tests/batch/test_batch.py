import contextlib
import csv
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
import zlib
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyarrow import parquet

from ccmusic import batch
from ccmusic.api import analyze
from ccmusic.batch import local
from ccmusic.batch.rows import Options
from ccmusic.batch.rows import row as row_of
from ccmusic.engine import Engine
from ccmusic.errors import CheckpointError, DataError, SandboxError
from ccmusic.panel import Panel
from ccmusic.result import PanelResult
from databases import database_of, kept, spoil

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture
def music(tmp_path: Path, write_sound, tone) -> Path:
    """Six recordings that differ, one file that is none, and things to be passed over."""
    folder = tmp_path / "music"
    (folder / "deep").mkdir(parents=True)
    for i in range(6):
        sound = write_sound(f"{i}.flac", tone(220 * (i + 1), 11 + i))
        sound.rename(folder / ("deep" if i > 3 else "") / f"{i}.flac")
    (folder / "broken.MP3").write_bytes(b"not music")
    for leavings in ("._0.flac", "@eaDir/0.flac", "__MACOSX/0.flac", "$RECYCLE.BIN/0.flac",
                     ".Trash-1000/0.flac", "System Volume Information/0.flac",
                     "lost+found/0.flac", "#recycle/0.flac", "#snapshot/0.flac",
                     "@Recycle/0.flac", "$Recycle.Bin/1.flac"):  # fmt: skip
        (folder / leavings).parent.mkdir(exist_ok=True)
        (folder / leavings).write_bytes(b"of a file manager or system")
    (folder / "notes.txt").write_text("not music either")
    return folder


def _rows(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".parquet":
        return list(parquet.read_table(path).to_pylist())
    if path.suffix == ".csv":
        return list(csv.DictReader(path.open(encoding="utf-8-sig", newline="")))
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_folders_give_their_recordings_once_and_sorted(music: Path) -> None:
    flat = batch.find_audio([str(music)])
    assert [Path(f).name for f in flat] == ["0.flac", "1.flac", "2.flac", "3.flac", "broken.MP3"]
    deep = batch.find_audio([str(music), str(music / "0.flac")], recursive=True)
    assert len(deep) == 7
    assert batch.find_audio([str(music / "notes.txt")]) == [str(music / "notes.txt")]


def test_music_that_is_not_read_and_linked_folders_are_told(music: Path, tmp_path: Path) -> None:
    for name in ("x.SHN", "deep/y.mid", ".z.shn", "cover.jpg"):
        (music / name).touch()
    (music / "link").symlink_to(music / "deep")
    told: list[str] = []
    found = batch.find_audio([str(music)], recursive=True, on_passed_over=told.append)
    assert len(found) == 7
    assert sorted(told) == [str(music / name) for name in ("deep/y.mid", "link", "x.SHN")]
    told.clear()
    batch.find_audio([str(music)], on_passed_over=told.append)
    assert told == [str(music / "x.SHN")]
    (tmp_path / "only").mkdir()
    (tmp_path / "only" / "x.shn").touch()
    told.clear()
    with pytest.raises(DataError, match="no recordings found"):
        batch.find_audio([str(tmp_path / "only")], on_passed_over=told.append)
    assert told == [str(tmp_path / "only" / "x.shn")]


def test_nothing_found_and_no_such_folder_are_errors(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="need `recursive`"):
        batch.find_audio([str(tmp_path)])
    with pytest.raises(DataError, match=r"nowhere: no such file"):
        batch.find_audio(["nowhere"])


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".jsonl"])
def test_a_table_has_a_row_for_each_recording(music: Path, tmp_path: Path, suffix: str) -> None:
    output = tmp_path / f"genres{suffix}"
    files = batch.find_audio([str(music)], recursive=True)
    seen: list[batch.Summary] = []
    summary = batch.run(files, output, Options(), on_progress=seen.append)
    assert summary == batch.Summary(7, 1) == seen[-1]
    assert seen[0] == batch.Summary(0, 0)
    rows = _rows(output)
    assert [row["path"] for row in rows] == files
    good = [row for row in rows if not row["error"]]
    assert len(good) == 6
    for row in good:
        assert row["genre"] == "jazz"
        assert row["codec"] == "flac"
        for prefix in ("mean", "jazz_cqt", "rock_cqt"):
            shares = [float(v) for k, v in row.items() if k.startswith(prefix + "_")]
            assert len(shares) == 13
            assert sum(shares) == pytest.approx(1, abs=1e-4)
    (bad,) = [row for row in rows if row["error"]]
    assert "not a supported audio format" in bad["error"]
    assert not bad["genre"]
    names = [output.name, f"{output.name}.sqlite", "home", "music"]
    assert sorted(p.name for p in tmp_path.iterdir()) == names


def test_a_row_says_what_classify_says(music: Path) -> None:
    file = str(music / "1.flac")
    ((_, (document,)),) = local.analyzed(Options(), [file], workers=1)
    row, analysis = row_of(document), analyze(file)
    assert row["duration"] == analysis.clip.info.duration
    assert row["warnings"] == " ".join(w.code for w in analysis.warnings)
    assert row["message"] == analysis.message()
    assert analysis.agreement is not None
    assert row["votes"] == analysis.agreement.votes
    assert analysis.agreement.split is not None
    assert row["split"] == "/".join(analysis.agreement.split)
    for genre, share in analysis.mean.items():
        assert row[f"mean_{genre}"] == pytest.approx(share, abs=1e-6)
    for name, verdict in analysis.verdicts.items():
        for genre, share in verdict.probabilities.items():
            assert row[f"{name}_{genre}"] == pytest.approx(share, abs=1e-6)


def test_a_row_of_silence_has_no_genre_and_says_why(
    home: Path, write_sound, tone, tmp_path: Path
) -> None:
    pause = np.concatenate([tone(440, 12), tone(440, 20, amplitude=0), tone(440, 12)])
    files = [write_sound("pause.flac", pause), write_sound("short.flac", tone(440, 0.5))]
    done = batch.run(list(map(str, files)), tmp_path / "genres.jsonl", Options())
    silent, short = sorted(_rows(tmp_path / "genres.jsonl"), key=lambda row: row["judged"])
    assert (silent["judged"], silent["genre"], silent["mean_jazz"]) == ("silent", None, None)
    assert silent["message"].startswith("silent from 17.0 to 27.0 s")
    assert (short["judged"], short["genre"]) == ("too_short", None)
    assert short["message"]
    assert done.failures == 0  # nothing was wrong with the files
    assert (silent["error"], short["error"]) == (None, None)


def test_votes_are_those_of_the_genre_beside_them() -> None:
    agreement = {"camps": {"jazz": 4, "rock": 1}, "models": 5, "divergence": 0.2, "split": None}
    mean = {"jazz": 0.4, "rock": 0.45}
    document = {
        "file": "a.mp3", "clip": {"warnings": []}, "judged": "yes", "models": {}, "mean": mean,
        "agreement": agreement, "message": "1 of 5 models says Rock",
    }  # fmt: skip
    row = row_of(document)
    assert (row["genre"], row["votes"], row["models"]) == ("rock", 1, 5)


def test_a_whole_piece_has_a_row_and_its_windows_too(tmp_path: Path, write_sound, tone) -> None:
    path = write_sound("long.flac", tone(440, 34))
    output = tmp_path / "windows.jsonl"
    batch.run([str(path)], output, Options(crop="whole"))
    rows = _rows(output)
    with Panel.open("cqt") as panel:
        piece = panel.analyze_whole(path)
    whole, *windows = rows
    assert (whole["window_start"], whole["window_end"], whole["windows"]) == (0, 34, 4)
    assert [row["window_start"] for row in windows] == [0, 10, 20, 24]
    assert {row["windows"] for row in windows} == {None}
    analyses: list[PanelResult] = [piece, *piece.windows]
    for row, analysis in zip(rows, analyses, strict=True):
        assert row["mean_jazz"] == pytest.approx(analysis.mean["jazz"], abs=1e-6)


def test_other_tables_and_damaged_models_are_refused_before_the_work(
    music: Path, tmp_path: Path, home: Path
) -> None:
    files = [str(music / "0.flac")]
    with pytest.raises(DataError, match=r"ends in \.parquet"):
        batch.run(files, tmp_path / "x.xlsx", Options())
    with pytest.raises(DataError, match="cannot be written"):
        batch.run(files, tmp_path / "no" / "x.csv", Options())
    (tmp_path / "old.csv").write_text("precious")
    with pytest.raises(DataError, match="exists already"):
        batch.run(files, tmp_path / "old.csv", Options())
    assert (tmp_path / "old.csv").read_text() == "precious"
    assert [p.name for p in tmp_path.glob("old.*")] == ["old.csv"]
    (home / "rock_cqt.onnx").write_bytes(b"damaged")
    with pytest.raises(CheckpointError):
        batch.run(files, tmp_path / "x.csv", Options())
    assert not list(tmp_path.glob("x.*"))


def test_names_that_are_no_text_are_kept_apart(tmp_path: Path, music: Path) -> None:
    for name in (b"caf\xe9.flac", b"caf\xe8.flac"):
        Path(os.fsdecode(bytes(tmp_path) + b"/music/" + name)).hardlink_to(music / "0.flac")
    files = batch.find_audio([str(music)])
    batch.run(files, tmp_path / "out.parquet", Options())
    paths = [row["path"] for row in _rows(tmp_path / "out.parquet")]
    assert len(set(paths)) == len(files) == 7
    assert any(r"caf\udce9" in path for path in paths)


class _StopError(Exception):
    pass


def _stop_after(n: int):
    def on_progress(summary: batch.Summary) -> None:
        if summary.recordings >= n:
            raise _StopError

    return on_progress


def test_a_stopped_batch_goes_on_and_does_nothing_twice(
    music: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = batch.find_audio([str(music)], recursive=True)
    batch.run(files, tmp_path / "once.jsonl", Options())
    output = tmp_path / "out.jsonl"
    with pytest.raises(_StopError):
        batch.run(files, output, Options(), on_progress=_stop_after(3))
    before = kept(output)
    assert len(before) == 3
    assert not output.exists()
    analyzed: list[str] = []
    _note(analyzed, monkeypatch)
    batch.run(files, output, Options())
    assert sorted(analyzed) == sorted(set(files) - set(before))
    assert _rows(output) == _rows(tmp_path / "once.jsonl")


def _stopped(files: list[str], output: Path, n: int) -> list[str]:
    """What is kept of a batch that was stopped."""
    with pytest.raises(_StopError):
        batch.run(files, output, Options(), on_progress=_stop_after(n))
    return kept(output)


@pytest.fixture
def analyzed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Recordings that are judged, as they are."""
    judged: list[str] = []
    _note(judged, monkeypatch)
    return judged


def _note(judged: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the name of each recording appended that is judged."""
    documents = local.documents

    def noting(engine: Engine, panel: Panel, options: Options, file: str) -> local.Analyzed:
        judged.append(file)
        return documents(engine, panel, options, file)

    monkeypatch.setattr(local, "documents", noting)


@pytest.mark.parametrize("damage", [b"", b"{}", b"\0\0\0", zlib.compress(b"[]" * 99)[:-1]])
def test_a_damaged_entry_is_judged_again_and_told(
    music: Path, tmp_path: Path, analyzed: list[str], damage: bytes
) -> None:
    files = batch.find_audio([str(music)])
    batch.run(files, tmp_path / "once.jsonl", Options())
    output = tmp_path / "out.jsonl"
    lost, *others = _stopped(files, output, 4)
    spoil(output, lost, damage)
    analyzed.clear()
    summary = batch.run(files, output, Options())
    assert summary == batch.Summary(5, 1, damaged=1)
    assert sorted(analyzed) == sorted(set(files) - set(others))
    assert _rows(output) == _rows(tmp_path / "once.jsonl")


def _of_a_stranger(path: Path) -> bytes:
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE batch (options TEXT)")
    return path.read_bytes()


@pytest.mark.parametrize("content", [b"my notes\n", b"x" * 9999, b"\n", None])
def test_a_file_in_the_place_of_the_database_is_left_alone(
    music: Path, tmp_path: Path, content: bytes | None
) -> None:
    path = database_of(tmp_path / "out.csv")
    if content is None:
        content = _of_a_stranger(path)
    path.write_bytes(content)
    with pytest.raises(DataError, match="but is none that this version can read"):
        batch.run([str(music / "0.flac")], tmp_path / "out.csv", Options())
    assert path.read_bytes() == content
    assert not list(tmp_path.glob("out.csv"))


def test_an_empty_database_begins_anew(music: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.csv"
    database_of(output).touch()
    assert batch.run([str(music / "0.flac")], output, Options()) == batch.Summary(1, 0)


@pytest.mark.parametrize("same_size", [False, True])
def test_a_file_that_was_replaced_is_judged_again(
    music: Path, tmp_path: Path, analyzed: list[str], same_size: bool
) -> None:
    files = batch.find_audio([str(music)])
    output = tmp_path / "out.jsonl"
    path = _stopped(files, output, 4)[0]
    if same_size:
        content = Path(path).read_bytes()
        Path(path).unlink()
        Path(path).write_bytes(content)
        os.utime(path, ns=(1, 1))
    else:
        Path(path).write_bytes((music / "deep" / "5.flac").read_bytes())
    analyzed.clear()
    batch.run(files, output, Options())
    assert path in analyzed
    assert len(analyzed) == 2
    (row,) = [row for row in _rows(output) if row["path"] == path]
    assert same_size or row["duration"] == 16


def test_a_pipe_among_the_recordings_is_a_row(music: Path, tmp_path: Path) -> None:
    os.mkfifo(music / "pipe.mp3")
    files = [str(music / "0.flac"), str(music / "pipe.mp3")]
    assert batch.run(files, tmp_path / "out.jsonl", Options()) == batch.Summary(2, 1)
    assert "is a pipe" in _rows(tmp_path / "out.jsonl")[1]["error"]
    os.mkfifo(tmp_path / "x.csv.sqlite")
    with pytest.raises(DataError, match="not a regular file"):
        batch.run(files, tmp_path / "x.csv", Options())


def test_other_options_do_not_go_on(music: Path, tmp_path: Path) -> None:
    files, output = batch.find_audio([str(music)]), tmp_path / "out.csv"
    before = _stopped(files, output, 2)
    for options in (Options(crop="whole"), Options(models=("jazz",))):
        with pytest.raises(
            DataError, match=r"out\.csv\.sqlite: was written with other (crop|models)"
        ):
            batch.run(files, output, options)
    assert kept(output) == before
    assert batch.run(files, output, Options()).recordings == 5


def test_two_batches_do_not_write_one_table(music: Path, tmp_path: Path) -> None:
    files, output = batch.find_audio([str(music)]), tmp_path / "out.csv"

    def again(_: batch.Summary) -> None:
        with pytest.raises(DataError, match="another batch"):
            batch.run(files, output, Options())

    batch.run(files, output, Options(), on_progress=again)
    assert len(_rows(output)) == 5


def test_a_script_without_a_guard_is_run_once(music: Path, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "from pathlib import Path\n"
        "from ccmusic import batch\n"
        "from ccmusic.batch.rows import Options\n"
        "print('begun')\n"
        f"files = batch.find_audio([{str(music)!r}])\n"
        "print(batch.run(files, Path('out.jsonl'), Options(models=('jazz', 'rock'))))\n"
    )
    done = subprocess.run(
        [sys.executable, script], cwd=tmp_path, capture_output=True, text=True, timeout=300
    )
    assert done.stdout.splitlines() == ["begun", str(batch.Summary(5, 1))], done.stderr
    assert done.stderr == ""
    assert [bool(row["error"]) for row in _rows(tmp_path / "out.jsonl")] == [False] * 4 + [True]


def test_without_processes_a_batch_ends_with_an_error_and_no_table(
    music: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ccmusic.sandbox._PROGRAM", "raise SystemExit(1)")
    with pytest.raises(SandboxError, match="cannot start a process"):
        batch.run([str(music / "0.flac")], tmp_path / "out.jsonl", Options())
    assert not (tmp_path / "out.jsonl").exists()


@pytest.mark.slow
def test_killed_again_and_again_it_ends_with_the_same_table(music: Path, tmp_path: Path) -> None:
    """The whole group of processes dies at random moments, as in a power cut."""
    for n in range(60):
        (music / f"copy{n}.flac").hardlink_to(music / f"{n % 4}.flac")
    # The shipped checkpoints are hidden from the command line, too, by models of the same number.
    command = [sys.executable, "-m", "ccmusic", "batch", str(music), "--recursive", "--models",
               "jazz,rock"]  # fmt: skip
    once, output = tmp_path / "once.jsonl", tmp_path / "out.jsonl"
    subprocess.run([*command, "-o", str(once)], check=True, capture_output=True)
    log = tmp_path / "out.jsonl.sqlite-wal"
    chance, kills, shown = random.Random(6), 0, list[str]()
    finished = False
    while not finished:
        process = subprocess.Popen(
            [*command, "-o", str(output)], stderr=subprocess.DEVNULL, start_new_session=True
        )
        grown, enough = 0, chance.randint(1, 20)
        size = -1
        while process.poll() is None and grown < enough:  # the database itself is locked
            time.sleep(chance.uniform(0, 0.05))
            with contextlib.suppress(FileNotFoundError):
                size, before = log.stat().st_size, size
                grown += size != before
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            kills += 1
        finished = process.wait() == 0
        paths = kept(output)
        assert len(paths) == len(set(paths)), "a recording was done twice"
        assert set(shown) <= set(paths), "a finished recording was lost"
        shown = paths
    assert kills >= 2
    assert _rows(output) == _rows(once)
    time.sleep(0.5)
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "home",
        "music",
        "once.jsonl",
        "once.jsonl.sqlite",
        "out.jsonl",
        "out.jsonl.sqlite",
    ]
