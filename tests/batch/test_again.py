"""A table that is added to: what a second run does, and what a kill at any step leaves."""

import csv
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet

from ccmusic import batch
from ccmusic.batch.index import Index, retain
from ccmusic.batch.journal import Journal
from ccmusic.batch.lines import stamp
from ccmusic.batch.rows import Options
from ccmusic.errors import DataError

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
        return list(csv.DictReader(path.open(encoding="utf-8", newline="")))
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
    names = ["home", "music", output.name, f"{output.name}.index.jsonl"]
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
            journal = (tmp_path / f"{output.name}.part.jsonl").read_bytes().splitlines()
            assert len(journal) - 1 + seen[-1] == summary.recordings

    batch.run(batch.find_audio([str(music)]), output, Options(), on_progress=look)
    assert seen == [2, 2, 4, 4, 6, 6]
    assert len(_rows(output)) == 7
    if suffix == ".parquet":
        with parquet.ParquetFile(output) as file:
            assert file.num_row_groups == 1  # those of the parts were put together


def test_other_options_columns_and_strangers_tables_are_refused(
    music: Path, tmp_path: Path, judged: list[str]
) -> None:
    output = tmp_path / "out.csv"
    _run(music, output)
    before = {path: path.read_bytes() for path in tmp_path.glob("out*")}
    for options in ({"crop": "whole"}, {"models": ("jazz",)}):
        with pytest.raises(DataError, match=r"out\.csv: was written with other (crop|models)"):
            _run(music, output, **options)
    with pytest.raises(DataError, match=r"holds 6 recordings that are still there, .*b\.mp3"):
        batch.run([str(music / "a.mp3")], output, Options())
    assert {path: path.read_bytes() for path in tmp_path.glob("out*")} == before

    output.write_text("path,genre\nx,y\n")
    with pytest.raises(DataError, match=r"out\.csv: has other columns"):
        _run(music, output)
    index = tmp_path / "out.csv.index.jsonl"
    index.write_text("my notes\n")
    with pytest.raises(DataError, match="where the batch keeps its index, but is none"):
        _run(music, output)
    index.unlink()
    for table in (output, tmp_path / "out.part.csv"):
        table.write_text("precious")
        with pytest.raises(DataError, match=rf"{table.name}: exists already"):
            _run(music, output)
        assert table.read_text() == "precious"
        table.unlink()
    assert not list(tmp_path.glob("out*"))


def test_without_its_table_an_index_is_nothing(
    music: Path, tmp_path: Path, judged: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "out.csv"
    _run(music, output)
    output.unlink()
    judged.clear()
    written, write = [0], Index._write

    def once(index: Index) -> None:
        written[0] += 1
        if written[0] == 2:
            raise RuntimeError
        write(index)

    with monkeypatch.context() as patch, pytest.raises(RuntimeError):
        patch.setattr(Index, "_write", once)
        _run(music, output, crop="whole")
    assert len(_rows(tmp_path / "out.part.csv")) == len(judged) == 2
    _run(music, output, crop="whole")
    assert len(judged) == 7


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_row_or_line_that_is_lost_is_judged_again(
    music: Path, tmp_path: Path, judged: list[str], suffix: str
) -> None:
    output = tmp_path / f"out{suffix}"
    _run(music, output)
    index = tmp_path / f"{output.name}.index.jsonl"
    index.write_bytes(index.read_bytes().replace(b'a.mp3", "stamp"', b'A.mp3", "stamp"'))
    if suffix == ".parquet":
        table = parquet.read_table(output)
        mask = [not path.endswith("/b.mp3") for path in table["path"].to_pylist()]
        parquet.write_table(table.filter(mask), output)
    else:
        lines = output.read_bytes().splitlines(keepends=True)
        output.write_bytes(b"".join(line for line in lines if b"/b.mp3" not in line))
    judged.clear()
    assert _run(music, output) == batch.Summary(7, 1, damaged=1)
    assert judged == [str(music / "a.mp3"), str(music / "b.mp3")]
    assert _sizes(output) == _expected(music)


def test_a_tag_is_no_new_recording(music: Path, tmp_path: Path, judged: list[str]) -> None:
    output = tmp_path / "out.csv"
    retain(output, {})  # nothing is there
    _run(music, output)
    tagged, changed = music / "a.mp3", music / "b.mp3"
    changed.write_bytes(b"x" * 20)
    stamps = {}
    for path in (tagged, changed):
        before = stamp(str(path))
        path.write_bytes(path.read_bytes() + b"tag")
        stamps[str(path)] = before, stamp(str(path))
    retain(output, stamps)
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

    steps = [(Path, "replace"), (Path, "unlink"), (Journal, "add"), (Journal, "clear"),
             (Index, "_write")]  # fmt: skip
    with monkeypatch.context() as patch:
        for owner, name in steps:
            patch.setattr(owner, name, watched(getattr(owner, name)))
        _run(music, output)
    total = len(judged)
    assert len(states) > 40
    for state, before in states:
        judged.clear()
        assert _run(music, state / output.name) == batch.Summary(8 if again else 7, 1)
        assert len(judged) == total - before
        assert _sizes(state / output.name) == _expected(music)
        assert sorted(p.name for p in state.iterdir()) == [
            output.name,
            f"{output.name}.index.jsonl",
        ]
