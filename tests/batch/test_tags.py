import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import mutagen
import numpy as np
import pytest

from ccmusic import audio
from ccmusic.batch import tags
from ccmusic.errors import CCMusicError, DataError
from ccmusic.sandbox import Sandbox

posix = pytest.mark.skipif(os.name != "posix", reason="links and pipes of POSIX")
TAGGABLE = (".mp3", ".flac", ".ogg", ".opus", ".m4a", ".wav")


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(1) as opened:
        yield opened


@pytest.fixture
def song(write_sound, tone):
    def make(suffix: str = ".mp3", **options: object) -> Path:
        stereo = np.stack([tone(440, 3, 48_000)] * 2)
        return write_sound(f"song{suffix}", stereo, 48_000, **options)

    return make


def _table(folder: Path, *rows: dict) -> Path:
    table = folder / "genres.jsonl"
    table.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return table


def _row(path: Path, **means: float) -> dict:
    return {"path": str(path), **{f"mean_{genre}": share for genre, share in means.items()}}


@pytest.mark.parametrize("suffix", TAGGABLE)
def test_a_genre_is_written_and_nothing_else_changes(
    tmp_path: Path, song, sandbox: Sandbox, suffix: str
) -> None:
    path = song(suffix, tags={"title": "Löwe", "genre": "Noise"})
    before = audio.load(path)
    table = _table(tmp_path, _row(path, jazz=0.9, rock=0.1))
    (change,) = tags.plan(table, threshold=0.5, sandbox=sandbox)
    assert (change.path, change.after, change.probability) == (str(path), "Jazz", 0.9)
    tags.write(change, sandbox=sandbox)
    after = audio.load(path)
    np.testing.assert_array_equal(after.samples, before.samples)
    assert after.info.duration == before.info.duration
    assert not list(tags.plan(table, threshold=0.5, sandbox=sandbox)), "it says so by itself now"
    if suffix != ".wav":
        assert mutagen.File(path, easy=True)["title"] == ["Löwe"]
    assert list(path.parent.iterdir()) == [path]


def test_a_plan_writes_nothing_and_keeps_to_the_threshold(
    tmp_path: Path, song, sandbox: Sandbox
) -> None:
    sure, unsure, failed = song(), song(), tmp_path / "failed.mp3"
    contents = sure.read_bytes(), unsure.read_bytes()
    table = _table(
        tmp_path,
        # Of two windows the mean counts.
        _row(sure, jazz=0.9, rock=0.1), _row(sure, jazz=0.7, rock=0.3),
        _row(unsure, jazz=0.79, rock=0.21),
        {"path": str(failed), "error": "no sound"},
    )  # fmt: skip
    (change,) = tags.plan(table, threshold=0.8, sandbox=sandbox)
    assert (change.path, change.probability) == (str(sure), pytest.approx(0.8))
    assert (sure.read_bytes(), unsure.read_bytes()) == contents


def test_what_cannot_be_tagged_is_told_and_left(tmp_path: Path, song, sandbox: Sandbox) -> None:
    adts, text = song(".aac"), tmp_path / "notes.mp3"
    text.write_text("not music")
    gone = tmp_path / "gone.mp3"
    table = _table(tmp_path, *(_row(p, jazz=1.0) for p in (adts, text, gone)))
    content = adts.read_bytes()
    problems = list(tags.plan(table, threshold=0.5, sandbox=sandbox))
    assert [isinstance(p, CCMusicError) for p in problems] == [True] * 3
    assert adts.read_bytes() == content


def _spoil(_: Path, copy: Path, genre: str) -> None:
    copy.write_bytes(b"half a file")
    raise DataError("it does not read back the same")


def test_a_copy_that_does_not_read_back_never_takes_the_place(
    song, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = song()
    content = path.read_bytes()
    monkeypatch.setattr(tags, "_tagged_copy", _spoil)
    with pytest.raises(DataError):
        tags.write(tags.Change(str(path), "", "Jazz", 1.0), sandbox=sandbox)
    assert path.read_bytes() == content
    assert list(path.parent.iterdir()) == [path]


def test_a_damaged_sound_is_found_before_it_is_kept(song, monkeypatch: pytest.MonkeyPatch) -> None:
    """If tagging changed a single byte of the sound, the copy would be refused."""
    path = song(".flac")
    copy = path.with_suffix(".part")
    set_genre = tags._set_genre

    def careless(file: object, genre: str) -> None:
        set_genre(file, genre)
        content = bytearray(copy.read_bytes())
        content[-100] ^= 1
        copy.write_bytes(content)

    monkeypatch.setattr(tags, "_set_genre", careless)
    with pytest.raises(CCMusicError):
        tags._tagged_copy(path, copy, "Jazz")


def test_a_link_stays_a_link(tmp_path: Path, song, sandbox: Sandbox) -> None:
    path = song()
    link = tmp_path / "link.mp3"
    link.symlink_to(path)
    tags.write(tags.Change(str(link), "", "Jazz", 1.0), sandbox=sandbox)
    assert link.is_symlink()
    assert mutagen.File(path, easy=True)["genre"] == ["Jazz"]


@posix
def test_other_names_owner_and_mode_are_kept(tmp_path: Path, song, sandbox: Sandbox) -> None:
    path, other = song(), tmp_path / "other.mp3"
    other.hardlink_to(path)
    path.chmod(0o640)
    before = path.stat()
    tags.write(tags.Change(str(path), "", "Jazz", 1.0), sandbox=sandbox)
    after = path.stat()
    assert (after.st_ino, after.st_nlink) == (before.st_ino, 2)
    assert mutagen.File(other, easy=True)["genre"] == ["Jazz"]
    assert (after.st_uid, after.st_gid, after.st_mode) == (
        before.st_uid, before.st_gid, before.st_mode
    )  # fmt: skip
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="root gives files away")
def test_a_file_of_another_owner_keeps_it(song, sandbox: Sandbox) -> None:
    path = song()
    os.chown(path, 4321, 5432)
    path.chmod(0o640)
    tags.write(tags.Change(str(path), "", "Jazz", 1.0), sandbox=sandbox)
    assert (path.stat().st_uid, path.stat().st_gid) == (4321, 5432)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert mutagen.File(path, easy=True)["genre"] == ["Jazz"]


@posix
def test_what_is_stopped_while_overwriting_leaves_a_whole_copy(
    tmp_path: Path, song, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = song()
    sound = audio.digest(path)
    (tmp_path / "other.mp3").hardlink_to(path)
    change = tags.Change(str(path), "", "Jazz", 1.0)

    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(tags.shutil, "copyfileobj", stopped)
        tags.write(change, sandbox=sandbox)
    (kept,) = set(path.parent.iterdir()) - {path}
    assert audio.digest(kept) == sound
    with pytest.raises(DataError, match=r"its whole copy is .*\.tagged: copy that over it"):
        tags.write(change, sandbox=sandbox)
    (problem,) = tags.plan(_table(tmp_path, _row(path, jazz=0.9)), threshold=0.5, sandbox=sandbox)
    assert "whole copy" in str(problem)


@posix
def test_a_pipe_is_told_at_once(tmp_path: Path, sandbox: Sandbox) -> None:
    pipe = tmp_path / "pipe.mp3"
    os.mkfifo(pipe)
    (problem,) = tags.plan(_table(tmp_path, _row(pipe, jazz=1.0)), threshold=0.5, sandbox=sandbox)
    assert "not a regular file" in str(problem)
    with pytest.raises(DataError, match="not a regular file"):
        list(tags.plan(pipe.rename(tmp_path / "x.csv"), threshold=0.5, sandbox=sandbox))


def test_a_table_that_is_none_is_one_line(tmp_path: Path, sandbox: Sandbox) -> None:
    for name in ("x.parquet", "x.jsonl", "no.csv"):
        if name != "no.csv":
            (tmp_path / name).write_text("nonsense")
        with pytest.raises(DataError, match=r"cannot be read as a table \([^\n]*\)$"):
            list(tags.plan(tmp_path / name, threshold=0.5, sandbox=sandbox))
