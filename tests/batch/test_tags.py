import json
import os
import re
import shutil
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import mutagen
import numpy as np
import pytest
from mutagen import apev2, id3

from ccmusic import audio
from ccmusic.batch import tags
from ccmusic.batch.tables import read, values
from ccmusic.batch.tables import write as write_table
from ccmusic.errors import CCMusicError, DataError
from ccmusic.sandbox import Sandbox

posix = pytest.mark.skipif(os.name != "posix", reason="links and pipes of POSIX")
TAGGABLE = (".mp3", ".flac", ".ogg", ".opus", ".m4a", ".wav", ".aiff", ".wma")


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(1, writable=True) as opened:
        yield opened


@pytest.fixture
def song(write_sound, tone):
    def make(suffix: str = ".mp3", **options: object) -> Path:
        stereo = np.stack([tone(440, 3, 48_000)] * 2)
        return write_sound(f"song{suffix}", stereo, 48_000, **options)

    return make


def _written(folder: Path, *files: Path) -> Path:
    """A table in CSV, as a batch writes it; jazz has 0.9."""
    table = folder / "genres.csv"
    columns = {"path": str, "genre": str, "mean_jazz": float, "mean_rock": float, "error": str}
    rows = [values(_row(path, jazz=0.9, rock=0.1), columns) for path in files]
    write_table(table, ".csv", columns, rows)
    return table


def _table(folder: Path, *rows: dict[str, Any]) -> Path:
    table = folder / "genres.jsonl"
    table.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return table


def _only(found: Iterable[tags.Change | CCMusicError]) -> tags.Change:
    (change,) = found
    assert isinstance(change, tags.Change)
    return change


def _row(path: Path, **means: float) -> dict[str, Any]:
    return {"path": str(path), **{f"mean_{genre}": share for genre, share in means.items()}}


@pytest.mark.parametrize("suffix", TAGGABLE)
def test_a_genre_is_written_and_nothing_else_changes(
    tmp_path: Path, song, sandbox: Sandbox, suffix: str
) -> None:
    rate = {"bit_rate": 128_000} if suffix == ".wma" else {}
    path = song(suffix, tags={"title": "Löwe", "genre": "Noise"}, **rate)
    before = audio.load(path)
    table = _table(tmp_path, _row(path, jazz=0.9, rock=0.1))
    change = _only(tags.plan(table, threshold=0.5, sandbox=sandbox))
    assert (change.path, change.after, change.probability) == (str(path), "Jazz", 0.9)
    tags.write(change, sandbox=sandbox)
    after = audio.load(path)
    np.testing.assert_array_equal(after.samples, before.samples)
    assert after.info.duration == before.info.duration
    assert not list(tags.plan(table, threshold=0.5, sandbox=sandbox)), "it says so by itself now"
    tagged = mutagen.File(path, easy=True)
    if suffix not in (".wav", ".aiff"):
        title, genre = ("Title", "WM/Genre") if suffix == ".wma" else ("title", "genre")
        assert list(map(str, tagged[title])) == ["Löwe"]
        assert list(map(str, tagged[genre])) == ["Jazz"]
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("suffix", [".mp3", ".wav", ".aiff"])
def test_an_old_id3_stays_as_old_with_all_it_holds(
    tmp_path: Path, song, sandbox: Sandbox, suffix: str
) -> None:
    path = song(suffix)
    tagged = mutagen.File(path)
    if tagged.tags is None:
        tagged.add_tags()
    tagged.tags.clear()
    frames = [
        id3.TYER(encoding=1, text=["1959"]), id3.TSOP(encoding=1, text=["Davis"]),
        id3.TPE1(encoding=1, text=["Löwe", "Lieb"]), id3.TCON(encoding=0, text=["(17)Pop"]),
    ]  # fmt: skip
    for frame in frames:
        tagged.tags.add(frame)
    tagged.tags.save(path, v2_version=3, v23_sep=None)
    kind = type(tagged)
    before = dict(kind(path, translate=False).tags)
    assert set(before) == {"TYER", "TSOP", "TPE1", "TCON"}
    table = _table(tmp_path, _row(path, jazz=0.9))
    change = _only(tags.plan(table, threshold=0.5, sandbox=sandbox))
    assert change.before == "Rock; Pop"
    tags.write(change, sandbox=sandbox)
    after = kind(path, translate=False).tags
    assert after.version == (2, 3, 0)
    assert after.pop("TCON").text == ["Jazz"]
    del before["TCON"]
    assert dict(after) == before
    assert not list(tags.plan(table, threshold=0.5, sandbox=sandbox))


def test_id3_of_the_first_form_becomes_the_next(tmp_path: Path, song, sandbox: Sandbox) -> None:
    path = song(".mp3")
    id3.delete(path)
    frame = b"TYE\0\0\x05\x001959"
    path.write_bytes(b"ID3\x02\0\0\0\0\0" + bytes([len(frame)]) + frame + path.read_bytes())
    tags.write(tags.Change(str(path), "", "Jazz", 1.0), sandbox=sandbox)
    after = id3.ID3(path, translate=False)
    assert after.version == (2, 3, 0)
    assert (after["TYER"].text, after["TCON"].text) == (["1959"], ["Jazz"])


def test_further_tags_of_an_mp3_are_told_and_replaced(
    tmp_path: Path, song, sandbox: Sandbox
) -> None:
    path = song(".mp3", tags={"genre": "Noise"})
    id3.ID3(path).save(path, v1=2)  # an ID3v1 is the last thing in a file
    end = path.read_bytes()[-128:]
    path.write_bytes(path.read_bytes()[:-128])
    ape = apev2.APEv2()
    ape["Genre"], ape["Artist"] = ["Rock", "Pop"], "Löwe"
    ape.save(path)
    path.write_bytes(path.read_bytes() + end)
    table = _table(tmp_path, _row(path, jazz=0.9))
    change = _only(tags.plan(table, threshold=0.5, sandbox=sandbox))
    assert change.before == "ID3v2.4: Noise | APEv2: Rock; Pop"
    tags.write(change, sandbox=sandbox)
    assert not list(tags.plan(table, threshold=0.5, sandbox=sandbox))
    ape = apev2.APEv2(path)
    assert (list(ape["Genre"]), list(ape["Artist"])) == (["Jazz"], ["Löwe"])
    assert path.read_bytes()[-128:] == end[:-1] + bytes([id3.TCON.GENRES.index("Jazz")])


def test_an_apev2_without_a_genre_is_left_alone(tmp_path: Path, song, sandbox: Sandbox) -> None:
    path = song(".mp3", tags={"genre": "Noise"})
    gain = apev2.APEv2()
    gain["replaygain_track_gain"] = "-6 dB"
    gain.save(path)
    change = _only(
        tags.plan(_table(tmp_path, _row(path, jazz=0.9)), threshold=0.5, sandbox=sandbox)
    )
    assert change.before == "Noise"
    tags.write(change, sandbox=sandbox)
    assert dict(apev2.APEv2(path)) == dict(gain)


def test_an_id3_before_a_flac_is_told_and_replaced(tmp_path: Path, song, sandbox: Sandbox) -> None:
    path = song(".flac", tags={"genre": "Noise"})
    before = id3.ID3()
    before.add(id3.TCON(encoding=1, text=["Rock"]))
    before.save(path, v2_version=3)
    table = _table(tmp_path, _row(path, jazz=0.9))
    change = _only(tags.plan(table, threshold=0.5, sandbox=sandbox))
    assert change.before == "FLAC: Noise | ID3v2.3: Rock"
    tags.write(change, sandbox=sandbox)
    assert (id3.ID3(path)["TCON"].genres, id3.ID3(path).version) == (["Jazz"], (2, 3, 0))
    assert mutagen.File(path)["genre"] == ["Jazz"]
    assert not list(tags.plan(table, threshold=0.5, sandbox=sandbox))


def test_what_an_info_list_says_is_told_and_stays(tmp_path: Path, song, sandbox: Sandbox) -> None:
    path = song(".wav", tags={"genre": "Rock", "title": "Löwe"})
    info = path.read_bytes()[12:].partition(b"LIST")[2][:60]
    assert b"INFO" in info
    table = _table(tmp_path, _row(path, jazz=0.9))
    change = _only(tags.plan(table, threshold=0.5, sandbox=sandbox))
    assert change.before == "RIFF INFO (stays): Rock"
    tags.write(change, sandbox=sandbox)
    assert info in path.read_bytes()
    assert not list(tags.plan(table, threshold=0.5, sandbox=sandbox))


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
    change = _only(tags.plan(table, threshold=0.8, sandbox=sandbox))
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
        patch.setattr(shutil, "copyfileobj", stopped)
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


def _semicolons(text: str) -> str:
    """As a spreadsheet writes it where a comma is the mark of decimals."""
    return re.sub(r"(\d)\.(\d)", r"\1,\2", text.replace(",", ";"))


SAVED_AGAIN = {
    "as it was": lambda text: text,
    "no mark": lambda text: text.removeprefix("\ufeff"),
    "semicolons": _semicolons,
    "a hint": lambda text: "\ufeffsep=;\r\n" + _semicolons(text.removeprefix("\ufeff")),
    "tabs": lambda text: text.replace(",", "\t"),
    "ends of Unix": lambda text: text.replace("\r\n", "\n"),
    "ends of old Macs": lambda text: text.replace("\r\n", "\r"),
    "all quoted": lambda text: re.sub(r"([^,\r\n\ufeff]+)", r'"\1"', text),
    "rows of nothing": lambda text: text + ",,,,\r\n\r\n",
    "no empty cells at the end": lambda text: re.sub(",+\r\n", "\r\n", text),
    "percent of a power": lambda text: text.replace("0.9", "9.00E-01"),
}


@pytest.mark.parametrize("change", SAVED_AGAIN.values(), ids=SAVED_AGAIN)
def test_a_table_that_a_spreadsheet_saved_again_is_read(
    tmp_path: Path, song, sandbox: Sandbox, change
) -> None:
    path = song(".mp3")
    path = path.rename(path.with_name("Löwe 风.mp3"))
    table = _written(tmp_path, path)
    content = table.read_bytes()
    assert content.startswith(b"\xef\xbb\xbfpath,"), "spreadsheets need the mark"
    table.write_bytes(change(content.decode("utf-8")).encode("utf-8"))
    found = _only(tags.plan(table, threshold=0.5, sandbox=sandbox))
    assert (found.path, found.after, found.probability) == (str(path), "Jazz", 0.9)


REFUSED = {
    "UTF-16": lambda text: text.encode("utf-16"),
    "GBK": lambda text: text.removeprefix("\ufeff").encode("gbk"),
    "one cell a row": lambda text: re.sub("(.+)\r\n", '"\\1"\r\n', text[1:]).encode(),
    "a date": lambda text: text.replace("0.9", "09. Jan").encode(),
    "thousands": lambda text: text.replace("0.9", "9").encode(),
    "no number": lambda text: text.replace("0.9", "nan").encode(),
    "another column": lambda text: text.replace("path", "file").encode(),
    "cells too many": lambda text: text.replace("0.9", "0,9").encode(),
    "nothing": lambda text: b"",
}


@pytest.mark.parametrize("change", REFUSED.values(), ids=REFUSED)
def test_a_table_that_a_spreadsheet_has_spoilt_is_refused(
    tmp_path: Path, sandbox: Sandbox, change
) -> None:
    table = _written(tmp_path, tmp_path / "风.mp3")
    table.write_bytes(change(table.read_bytes().decode("utf-8")))
    with pytest.raises(
        DataError, match=r"genres\.csv: (is not in UTF-8|cannot be read as a table)"
    ):
        list(tags.plan(table, threshold=0.5, sandbox=sandbox))


@pytest.mark.parametrize("line", ["[1]", "{}", '{"path": 1}', '"path"'])
def test_a_line_without_a_path_is_refused(tmp_path: Path, line: str) -> None:
    table = tmp_path / "genres.jsonl"
    table.write_text(line)
    with pytest.raises(DataError, match="cannot be read as a table"):
        list(read(table))
