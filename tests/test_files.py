"""What is written is whole or not there, whatever stood there before, and however many write."""

from __future__ import annotations

import os
import socket
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ccmusic.errors import CCMusicError
from ccmusic.files import (
    NotAFileError,
    clear,
    open_regular,
    replacing,
    temporary_sibling,
    write,
)

posix = pytest.mark.skipif(os.name != "posix", reason="pipes, modes and links of POSIX")


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("old")
    with pytest.raises(RuntimeError), replacing(path) as own:
        own.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_old_file_is_there_until_the_new_one_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("old")
    with path.open() as reader:
        with replacing(path) as own:
            own.write_text("new")
            assert path.read_text() == "old"
        # Renamed, not overwritten: whoever has the old file open reads it to its end.
        assert reader.read() == "old"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_two_writers_at_once_each_write_their_own(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    with replacing(path) as first, replacing(path) as second:
        first.write_text("first")
        second.write_text("second")
        assert first.read_text() == "first"
    assert path.read_text() == "first"  # the last one to end
    assert list(tmp_path.iterdir()) == [path]


def test_many_writers_publish_whole_files_only(tmp_path: Path) -> None:
    path = tmp_path / "cache.npz"
    contents = [bytes([i]) * 200_000 for i in range(8)]
    write(path, contents[0])
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            assert path.read_bytes() in contents

    with ThreadPoolExecutor(9) as threads:
        looking = threads.submit(look)
        list(threads.map(lambda i: write(path, contents[i % 8]), range(80)))
        done.set()
        looking.result()
    assert list(tmp_path.iterdir()) == [path]


def test_what_killed_writers_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    for name in ("a.csv.sqlite", ".a.csv.x.part", "b.csv"):
        (tmp_path / name).touch()
    others = set(tmp_path.iterdir())
    with temporary_sibling(tmp_path / "b.csv") as of_another, temporary_sibling(path) as left:
        clear(path)
        assert not left.exists()
        assert set(tmp_path.iterdir()) == others | {of_another}


@posix
def test_the_mode_is_kept_and_a_new_file_has_the_usual_one(tmp_path: Path) -> None:
    usual, new, old = (tmp_path / name for name in ("usual", "new", "old"))
    usual.touch()
    write(new, b"x")
    assert new.stat().st_mode == usual.stat().st_mode
    old.write_bytes(b"y")
    old.chmod(0o640)
    write(old, b"x")
    assert stat.S_IMODE(old.stat().st_mode) == 0o640


@posix
def test_a_link_stays_and_its_target_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    target, link, dangling = tmp_path / "deep" / "real", tmp_path / "link", tmp_path / "dangling"
    target.write_bytes(b"old")
    link.symlink_to(target)
    dangling.symlink_to(tmp_path / "deep" / "new")
    write(link, b"new")
    write(dangling, b"new")
    assert link.is_symlink()
    assert dangling.is_symlink()
    assert target.read_bytes() == (tmp_path / "deep" / "new").read_bytes() == b"new"


@posix
def test_a_pipe_is_written_to(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with ThreadPoolExecutor(1) as threads:
        read = threads.submit(pipe.read_bytes)
        write(pipe, b"through the pipe")
        assert read.result(timeout=10) == b"through the pipe"
    assert pipe.is_fifo()


def test_the_null_device_stays_one() -> None:
    write(Path(os.devnull), b"x")
    assert stat.S_ISCHR(Path(os.devnull).stat().st_mode)


def test_a_long_name_can_be_written(tmp_path: Path) -> None:
    write(tmp_path / (250 * "x"), b"x")


def test_what_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "no" / "x"):
        with pytest.raises(CCMusicError, match=r"cannot be written \([^\n]+\)$"):
            write(path, b"x")


@posix
def test_only_regular_files_are_opened(tmp_path: Path) -> None:
    pipe, channel = tmp_path / "pipe", tmp_path / "socket"
    os.mkfifo(pipe)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(channel))
        for path in (pipe, channel, Path("/dev/zero")):
            with pytest.raises(NotAFileError):
                open_regular(path)
    with pytest.raises(IsADirectoryError):
        open_regular(tmp_path)
    with pytest.raises(FileNotFoundError):
        open_regular(tmp_path / "nothing")
