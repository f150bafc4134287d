"""A table that is added to: what a second run does, and what a kill at any step leaves."""

import csv
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet

from ccmusic import batch
from ccmusic.batch import tables
from ccmusic.batch.rows import Options
from ccmusic.batch.store import Store, retaining, stamp
from ccmusic.errors import DataError
from databases import database_of, kept, spoil

pytestmark = pytest.mark.usefixtures("home")
SUFFIXES = [".parquet", ".csv", ".jsonl"]


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Recordings that are judged, as they are; their duration is the size of the file."""
    asked: list[str] = []

    def analyzed(_: Options, files: Iterable[str], workers: int) -> Iterator[tuple[str, list[Any]]]:
        for file in files:
            asked.append(file)
            clip = {"duration": float(Path(file).stat().st_size), "warnings": []}
            document = {
                "file": file, "clip": clip, "judged": "yes", "models": {}, "mean": {"jazz": 1.0},
                "message": "all 5 models say Jazz",
                "agreement": None,
            }  # fmt: skip
            yield file, [document] if "broken" not in file else [{"file": file, "error": "broken"}]

    monkeypatch.setattr(batch.local, "analyzed", analyzed)
    monkeypatch.setattr(batch, "_RECORDINGS_AT_ONCE", 2)
    return asked


@pytest.fixture
def music(tmp_path: Path) -> Path:
    """Seven files, one of them with a name that every form of table escapes."""
    folder = tmp_path / "music"
    folder.mkdir()
    for name in ("a", "b", "broken", "c", "d, e\n\xe9", "f"):
        (folder / f"{name}.mp3").write_bytes(b"x" * 10)
    Path(os.fsdecode(bytes(folder) + b"/caf\xe9.mp3")).write_bytes(b"x" * 10)
    return folder


def _rows(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".parquet":
        rows: list[dict[str, Any]] = parquet.read_table(path).to_pylist()
        return rows
    if path.suffix == ".csv":
        return list(csv.DictReader(path.open(encoding="utf-8-sig", newline="")))
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1]]


def _sizes(path: Path) -> dict[str, float | None]:
    """Duration of each recording of a table, which must be in it once."""
    rows = _rows(path)
    found = {row["path"]: float(row["duration"]) if row["duration"] else None for row in rows}
    assert len(found) == len(rows)
    return found


def _expected(music: Path) -> dict[str, float | None]:
    return {
        os.fspath(file).encode("utf-8", "backslashreplace").decode(): None
        if "broken" in file.name
        else file.stat().st_size
        for file in music.iterdir()
    }


def _run(music: Path, output: Path, **options: Any) -> batch.Summary:
    return batch.run(batch.find_audio([str(music)]), output, Options(**options))


def _change(music: Path) -> list[str]:
    """Replace a file, delete two, add three; those to be judged."""
    (music / "b.mp3").write_bytes(b"x" * 20)
    (music / "c.mp3").unlink()
    (music / "broken.mp3").unlink()
    for name in ("0", "broken too", "new"):
        (music / f"{name}.mp3").write_bytes(b"x" * 30)
    return [str(music / f"{name}.mp3") for name in ("0", "b", "broken too", "new")]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_second_run_judges_what_is_new_or_has_changed(
    music: Path, tmp_path: Path, judged: list[str], suffix: str
) -> None:
    output = tmp_path / f"out{suffix}"
    assert _run(music, output) == batch.Summary(7, 1)
    before = output.read_bytes()
    status = output.stat()
    judged.clear()
    assert _run(music, output) == batch.Summary(7, 1)
    assert not judged
    assert output.stat() == status  # not even written

    expected = _change(music)
    assert _run(music, output) == batch.Summary(8, 1)
    assert judged == expected
    assert _sizes(output) == _expected(music)
    # What was there comes first, as it was.
    old = [row for row in _rows(output) if row["path"] not in judged]
    assert _rows(output)[: len(old)] == old
    kept = [line for line in before.splitlines() if b"/a.mp3" in line]
    assert suffix == ".parquet" or kept[0] in output.read_bytes().splitlines()
    names = ["home", "music", output.name, f"{output.name}.sqlite"]
    assert sorted(p.name for p in tmp_path.iterdir()) == names


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_is_finished_can_be_read_while_the_rest_goes_on(
    music: Path, tmp_path: Path, judged: list[str], suffix: str
) -> None:
    output, part = tmp_path / f"out{suffix}", tmp_path / f"out.part{suffix}"
    seen = []

    def look(summary: batch.Summary) -> None:
        assert not output.exists()
        if part.exists():
            seen.append(len(_rows(part)))
            assert seen[-1] == summary.recordings // 2 * 2

    batch.run(batch.find_audio([str(music)]), output, Options(), on_progress=look)
    assert seen == [2, 2, 4, 4, 6, 6]
    assert len(_rows(output)) == 7
    if suffix == ".parquet":
        with parquet.ParquetFile(output) as file:
            assert file.num_row_groups == 1  # those of the parts were put together


def test_other_options_and_strangers_tables_are_refused(
    music: Path, tmp_path: Path, judged: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "out.csv"
    _run(music, output)
    before = {path: path.read_bytes() for path in tmp_path.glob("out*")}
    for options in ({"crop": "whole"}, {"models": ("jazz",)}):
        with pytest.raises(DataError, match=r"out\.csv.*: was written with other (crop|models)"):
            _run(music, output, **options)
    with monkeypatch.context() as patch:
        patch.setattr(batch, "columns", lambda cards: {"path": str, "new": str})
        with pytest.raises(DataError, match="was written with other columns"):
            _run(music, output)
    with pytest.raises(DataError, match=r"holds 6 recordings that are still there, .*b\.mp3"):
        batch.run([str(music / "a.mp3")], output, Options())
    assert {path: path.read_bytes() for path in tmp_path.glob("out*")} == before
    for path in before:
        path.unlink()
    for table in (output, tmp_path / "out.part.csv"):
        table.write_text("precious")
        with pytest.raises(DataError, match=rf"{table.name}: exists already, without .*\.sqlite"):
            _run(music, output)
        assert table.read_text() == "precious"
        table.unlink()
    assert not list(tmp_path.glob("out*"))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_table_that_somebody_changed_is_not_replaced(
    music: Path, tmp_path: Path, judged: list[str], suffix: str
) -> None:
    output = tmp_path / f"out{suffix}"
    _run(music, output)
    written = output.read_bytes()
    output.write_bytes(written[:-1] + b" ")
    judged.clear()
    _run(music, output)  # there is nothing to do
    (music / "new.mp3").write_bytes(b"x" * 30)
    with pytest.raises(DataError, match="has been changed since it was written"):
        _run(music, output)
    assert not judged, "that is told before the work"
    assert output.read_bytes() == written[:-1] + b" "

    shutil.copyfile(output.rename(tmp_path / "mine"), tmp_path / "copy")
    assert _run(music, output) == batch.Summary(8, 1)
    assert judged == [str(music / "new.mp3")]

    def change(summary: batch.Summary) -> None:
        output.write_bytes(b"changed while the batch runs")

    (music / "newer.mp3").write_bytes(b"x" * 30)
    with pytest.raises(DataError, match="has been changed since it was written"):
        batch.run(batch.find_audio([str(music)]), output, Options(), on_progress=change)
    assert output.read_bytes() == b"changed while the batch runs"
    output.unlink()
    judged.clear()
    _run(music, output)
    assert not judged, "what was finished is kept"
    assert _sizes(output) == _expected(music)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_table_that_is_deleted_or_copied_comes_from_the_database(
    music: Path, tmp_path: Path, judged: list[str], suffix: str
) -> None:
    output, elsewhere = tmp_path / f"out{suffix}", tmp_path / "elsewhere"
    _run(music, output)
    written = output.read_bytes()
    output.unlink()
    judged.clear()
    assert _run(music, output) == batch.Summary(7, 1)
    assert not judged
    assert output.read_bytes() == written
    elsewhere.mkdir()
    for path in (output, database_of(output)):
        shutil.copyfile(path, elsewhere / path.name)  # with another time
    (music / "new.mp3").write_bytes(b"x" * 30)
    _run(music, elsewhere / output.name)
    assert _sizes(elsewhere / output.name) == _expected(music)


def test_an_entry_that_is_damaged_is_judged_again(
    music: Path, tmp_path: Path, judged: list[str]
) -> None:
    output = tmp_path / "out.csv"
    _run(music, output)
    spoil(output, str(music / "b.mp3"), b"nothing that was ever written")
    judged.clear()
    assert _run(music, output) == batch.Summary(7, 1, damaged=1)
    assert judged == [str(music / "b.mp3")]
    assert _sizes(output) == _expected(music)


def test_damage_anywhere_in_the_database_is_told_or_mended(
    music: Path, tmp_path: Path, judged: list[str]
) -> None:
    output, database = tmp_path / "out.csv", database_of(tmp_path / "out.csv")
    for n in range(60):
        (music / f"more {n}.mp3").write_bytes(b"x" * n)
    _run(music, output)
    whole, table = database.read_bytes(), output.read_bytes()
    told = 0
    damages = [whole[:n] for n in range(2, len(whole), 1501)]
    damages += [
        whole[:n] + bytes([whole[n] ^ 255]) * 40 + whole[n + 40 :]
        for n in range(0, len(whole), 499)
    ]
    for damage in damages:
        database.write_bytes(damage)
        output.write_bytes(table)
        try:
            _run(music, output)
        except DataError as error:
            assert "\n" not in str(error)
            assert str(database) in str(error) or "has been changed" in str(error)
            told += 1
        else:
            assert _sizes(output) == _expected(music)
    assert told > len(damages) / 4
    database.unlink()
    output.unlink()
    _run(music, output)
    assert output.read_bytes() == table


@pytest.mark.skipif(sys.platform != "linux", reason="the limit of POSIX")
@pytest.mark.parametrize("room", [0, 30_000, 100_000])
def test_a_full_disk_costs_nothing_that_was_finished(
    music: Path, tmp_path: Path, judged: list[str], room: int
) -> None:
    import resource

    for n in range(60):
        (music / f"more {n}.mp3").write_bytes(b"x" * n)
    output = tmp_path / "out.csv"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
    try:
        with pytest.raises(DataError, match=r"out\.csv.*: cannot be written \([^\n]+\)$"):
            _run(music, output)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not output.exists()
    finished = kept(output)
    assert bool(finished) == bool(room)
    judged.clear()
    assert _run(music, output) == batch.Summary(67, 1)
    assert sorted([*judged, *finished]) == sorted(map(str, music.iterdir()))
    assert _sizes(output) == _expected(music)


def test_a_time_that_no_integer_holds_is_a_time(
    music: Path, tmp_path: Path, judged: list[str]
) -> None:
    os.utime(music / "a.mp3", ns=(0, 2**64))
    _run(music, tmp_path / "out.csv")
    judged.clear()
    _run(music, tmp_path / "out.csv")
    assert not judged


KILLED = """
import sys
from pathlib import Path
from ccmusic import batch, zoo
from ccmusic.batch.rows import Options

zoo.SHIPPED = Path("none")

def analyzed(options, files, workers):
    print("ready", flush=True)
    sys.stdin.readline()
    with open(sys.argv[3], "a") as log:
        for file in files:
            print(repr(file), file=log, flush=True)
            yield file, [{"file": file, "error": "broken"}]

batch.local.analyzed = analyzed
batch.run(batch.find_audio([sys.argv[1]]), Path(sys.argv[2]), Options())
"""


def test_killed_at_any_moment_it_goes_on_where_it_was(music: Path, tmp_path: Path) -> None:
    for n in range(1993):
        (music / f"more {n}.mp3").touch()
    output, log = tmp_path / "out.jsonl", tmp_path / "log"
    log.touch()
    command = [sys.executable, "-c", KILLED, str(music), str(output), str(log)]
    for part in (0.0, 0.2, 0.5, 0.9):
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdin
            assert process.stdout
            assert process.stdout.readline() == "ready\n"
            with pytest.raises(DataError, match="another batch is writing it"):
                _run(music, output)
            process.stdin.write("\n")
            process.stdin.flush()
            while len(log.read_bytes().splitlines()) <= part * 2000:
                assert process.poll() is None
            process.kill()
        begun = log.read_bytes().splitlines()
        # The last that was begun may or may not be finished.
        assert len(kept(output)) in (len(set(begun)) - 1, len(set(begun)))
    subprocess.run(command, check=True, capture_output=True, input="\n", text=True)
    begun = log.read_bytes().splitlines()
    assert len(set(begun)) == 2000
    assert len(begun) <= 2004, "a finished recording was done again"
    assert sorted(path.name for path in tmp_path.glob("*out*")) == [
        output.name,
        f"{output.name}.sqlite",
    ]
    once = tmp_path / "once.jsonl"
    subprocess.run(
        [*command[:4], str(once), str(log)], check=True, capture_output=True, input="\n", text=True
    )
    assert output.read_bytes() == once.read_bytes()


def test_a_tag_is_no_new_recording(music: Path, tmp_path: Path, judged: list[str]) -> None:
    output = tmp_path / "out.csv"
    with retaining(output) as retain:  # a table from elsewhere
        retain("a.mp3", None)
    assert not list(tmp_path.glob("out*"))
    _run(music, output)
    tagged, changed = music / "a.mp3", music / "b.mp3"
    changed.write_bytes(b"x" * 20)
    with retaining(output) as retain:
        for path in (tagged, changed):
            before = stamp(str(path))
            path.write_bytes(path.read_bytes() + b"tag")
            retain(str(path), before)
        with pytest.raises(DataError, match="another batch is writing it"):
            _run(music, output)
    judged.clear()
    _run(music, output)
    assert judged == [str(changed)]


def test_under_a_wrong_path_nothing_is_lost_until_the_end(
    music: Path, tmp_path: Path, judged: list[str]
) -> None:
    output, moved = tmp_path / "out.csv", tmp_path / "moved"
    _run(music, output)
    music.rename(moved)

    class StopError(Exception):
        pass

    def stop(summary: batch.Summary) -> None:
        if summary.recordings == 5:
            raise StopError

    with pytest.raises(StopError):
        batch.run(batch.find_audio([str(moved)]), output, Options(), on_progress=stop)
    moved.rename(music)
    judged.clear()
    assert _run(music, output) == batch.Summary(7, 1)
    assert not judged
    assert _sizes(output) == _expected(music)


def test_a_part_that_cannot_be_replaced_waits(
    music: Path, tmp_path: Path, judged: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    replace, refused = Path.replace, list[Path]()

    def while_it_is_read(path: Path, target: Path) -> Path:
        if target.name == "out.part.csv" and len(refused) < 2:
            refused.append(target)
            raise PermissionError(13, "in use")
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", while_it_is_read)
    output = tmp_path / "out.csv"
    assert _run(music, output) == batch.Summary(7, 1)
    assert len(refused) == 2
    assert _sizes(output) == _expected(music)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("again", [False, True])
def test_a_kill_between_any_two_steps_loses_nothing(
    music: Path,
    tmp_path: Path,
    judged: list[str],
    monkeypatch: pytest.MonkeyPatch,
    suffix: str,
    again: bool,
) -> None:
    """The files at every step, which are what a kill would leave, are gone on with."""
    folder = tmp_path / "tables"
    folder.mkdir()
    output = folder / f"out{suffix}"
    if again:
        _run(music, output)
        _change(music)
        judged.clear()
    states: list[tuple[Path, int]] = []
    finished = 0

    def watched(step: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*arguments: Any, **options: Any) -> Any:
            nonlocal finished
            keep()
            result = step(*arguments, **options)
            finished += step.__name__ == "add"
            keep()
            return result

        return wrapped

    def keep() -> None:
        states.append((tmp_path / f"state{len(states)}", finished))
        shutil.copytree(folder, states[-1][0])

    class Watched(sqlite3.Connection):
        def execute(self, *statement: Any) -> sqlite3.Cursor:
            keep()
            return super().execute(*statement)

    steps = [(Path, "replace"), (Path, "unlink"), (Store, "add"), (tables, "write")]
    with monkeypatch.context() as patch:
        for owner, name in steps:
            patch.setattr(owner, name, watched(getattr(owner, name)))
        patch.setattr(sqlite3, "connect", partial(sqlite3.connect, factory=Watched))
        _run(music, output)
    total = len(judged)
    assert len(states) > 50
    for state, before in states:
        judged.clear()
        assert _run(music, state / output.name) == batch.Summary(8 if again else 7, 1)
        assert len(judged) == total - before
        assert _sizes(state / output.name) == _expected(music)
        assert sorted(p.name for p in state.iterdir()) == [
            output.name,
            f"{output.name}.sqlite",
        ]
