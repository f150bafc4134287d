import operator
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import misbehaviour
from ccmusic import audio
from ccmusic import sandbox as sandbox_module
from ccmusic.errors import AudioError, SandboxError
from ccmusic.picture import Preprocessing
from ccmusic.prepare import prepare
from ccmusic.sandbox import Sandbox

if sys.platform != "win32":
    import resource


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(1, seconds=2) as opened:
        yield opened


@pytest.mark.parametrize(
    ("function", "key"),
    [
        (misbehaviour.die, "decoder_died"),
        (misbehaviour.crash, "decoder_died"),
        (misbehaviour.hang, "decoder_slow"),
        (misbehaviour.spin, "decoder_slow"),
        (misbehaviour.devour, "decoder_memory"),
        (misbehaviour.stumble, "decoder_failed"),
    ],
)
def test_what_a_decoder_does_costs_one_file(sandbox: Sandbox, function, key: str) -> None:
    with pytest.raises(AudioError) as caught:
        sandbox.run("bad.mp3", function)
    assert caught.value.key == key
    assert str(caught.value).startswith("bad.mp3: ")
    assert "\n" not in str(caught.value)
    assert sandbox.run("good.mp3", misbehaviour.child) != os.getpid()


def test_a_child_serves_many_files_and_one_killed_at_rest_costs_none(sandbox: Sandbox) -> None:
    first = sandbox.run("a", misbehaviour.child)
    assert sandbox.run("b", misbehaviour.child) == first
    os.kill(first, signal.SIGKILL)
    os.waitid(os.P_PID, first, os.WEXITED | os.WNOWAIT)
    assert sandbox.run("c", misbehaviour.child) != first


def test_an_error_comes_back_whole_and_keeps_the_child(sandbox: Sandbox) -> None:
    child = sandbox.run("a", misbehaviour.child)
    with pytest.raises(AudioError) as caught:
        sandbox.run("x.mp3", misbehaviour.refuse, "x.mp3")
    assert str(caught.value) == "x.mp3: cannot be read (no)"
    assert caught.value.message("zh") != str(caught.value)
    assert sandbox.run("a", misbehaviour.child) == child


def test_the_clip_is_the_same_as_without(sandbox: Sandbox, write_sound, piece) -> None:
    path = write_sound("song.flac", piece())
    inside, outside = sandbox.run(str(path), audio.load, path), audio.load(path)
    assert inside.info == outside.info
    np.testing.assert_array_equal(inside.samples, outside.samples)


def test_results_come_one_by_one_and_can_be_given_up(sandbox: Sandbox) -> None:
    assert list(sandbox.stream("a", misbehaviour.count, 3)) == [0, 1, 2]
    child = sandbox.run("a", misbehaviour.child)
    results = sandbox.stream("a", misbehaviour.count, 1000)
    assert next(results) == 0
    results.close()  # type: ignore[attr-defined]
    assert sandbox.run("a", misbehaviour.child) != child


def test_a_call_is_cancelled_from_another_thread(sandbox: Sandbox) -> None:
    cancelled = threading.Event()
    threading.Timer(0.3, cancelled.set).start()
    # Not cancelled, it would be an error: no result comes within the two seconds of this sandbox.
    assert list(sandbox.stream("a", misbehaviour.count, 5, 100.0, cancelled=cancelled)) == []


def test_children_work_at_the_same_time_and_never_mix_answers() -> None:
    with Sandbox(2) as sandbox, ThreadPoolExecutor(8) as threads:
        asked = [threads.submit(sandbox.run, str(i), operator.mul, i, i) for i in range(200)]
        assert [future.result() for future in asked] == [i * i for i in range(200)]
        children = set(threads.map(lambda _: sandbox.run("a", misbehaviour.child), range(50)))
    assert len(children) <= 2
    for child in children:
        _gone(child)


def test_closing_ends_what_is_under_way() -> None:
    sandbox = Sandbox(1)
    with ThreadPoolExecutor(1) as threads:
        asked = threads.submit(sandbox.run, "a", misbehaviour.hang)
        while not any(not child.idle for child in sandbox._children):
            time.sleep(0.01)
        sandbox.close()
        with pytest.raises(AudioError, match="process crashed"):
            asked.result(timeout=5)


def test_hours_of_silence_in_a_few_kilobytes(sandbox: Sandbox, bomb: Path) -> None:
    assert bomb.stat().st_size < 300_000
    clip = sandbox.run("bomb.flac", audio.load, bomb)
    assert clip.info.duration > 10 * 3600
    assert "silence" in [w.code for w in clip.warnings]


def test_a_child_that_cannot_start_is_not_the_fault_of_the_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sandbox_module, "_PROGRAM", "raise SystemExit(3)")
    with Sandbox(1) as sandbox:
        for _ in range(2):
            with pytest.raises(SandboxError) as caught:
                sandbox.run("innocent.mp3", misbehaviour.child)
            assert "innocent" not in str(caught.value)
            assert "cannot start a process" in str(caught.value)
        monkeypatch.undo()
        assert sandbox.run("good.mp3", misbehaviour.child) != os.getpid()


def test_a_child_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    with Sandbox(1) as sandbox:
        sandbox.run("a.mp3", misbehaviour.whisper)
    assert capfd.readouterr() == ("", "")


@pytest.mark.skipif(sys.platform != "linux", reason="limits of Linux")
@pytest.mark.parametrize("limit", ["RLIMIT_AS, 8 << 30", "RLIMIT_CPU, 50", "RLIMIT_CORE, 0"])
def test_lower_limits_of_the_system_are_kept(limit: str) -> None:
    what, _, most = limit.partition(", ")
    code = (
        "import resource\n"
        "from ccmusic.sandbox import Sandbox\n"
        f"resource.setrlimit(resource.{what}, ({most}, {most}))\n"
        "with Sandbox(1, memory=64 << 30) as sandbox:\n"
        f"    soft, hard = sandbox.run('a', resource.getrlimit, resource.{what})\n"
        f"    assert soft <= hard == {most}, (soft, hard)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, cwd=Path(__file__).parent)


LINUX = pytest.mark.skipif(sys.platform != "linux", reason="limits of Linux")


@LINUX
def test_a_child_that_is_taken_over_cannot_change_files(sandbox: Sandbox, tmp_path: Path) -> None:
    there = tmp_path / "there.txt"
    there.write_text("kept")
    for deed in ("write", "append", "remove", "rename", "make", "truncate"):
        error = sandbox.run("a", misbehaviour.change, deed, str(there))
        assert error in ("EACCES", "EPERM", "EFBIG"), deed
    assert there.read_text() == "kept"
    assert list(tmp_path.iterdir()) == [there]
    with Sandbox(1, writable=True) as trusted:
        assert trusted.run("a", misbehaviour.change, "write", str(there)) == "done"


@LINUX
def test_a_child_that_is_taken_over_cannot_connect(sandbox: Sandbox) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert misbehaviour.connect(port) == "done"
        assert sandbox.run("a", misbehaviour.connect, port) in ("EACCES", "EPERM")


def test_a_child_knows_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CCMUSIC_TOKEN", "secret")
    with Sandbox(1) as fresh:
        assert "CCMUSIC_TOKEN" not in fresh.run("a", misbehaviour.environment)


@LINUX
def test_a_child_cannot_raise_its_limits(sandbox: Sandbox) -> None:
    for name in ("RLIMIT_AS", "RLIMIT_CPU", "RLIMIT_FSIZE", "RLIMIT_NPROC", "RLIMIT_CORE"):
        _, most = sandbox.run("a", misbehaviour.limits, name)
        assert most != resource.RLIM_INFINITY
    assert sandbox.run("a", misbehaviour.limits, "RLIMIT_FSIZE") == (0, 0)
    assert "NoNewPrivs:\t1" in sandbox.run("a", misbehaviour.read, "/proc/self/status")


def test_what_a_child_sends_is_never_executed(sandbox: Sandbox, tmp_path: Path) -> None:
    for attack in ("pickle", "class", "huge", "text"):
        with pytest.raises(AudioError, match="process crashed"):
            sandbox.run("bad.mp3", misbehaviour.attack, attack, str(tmp_path / "made"))
    assert not (tmp_path / "made").exists()
    with pytest.raises(AudioError, match=r"bad\.mp3: .*cannot be sent"):
        sandbox.run("bad.mp3", misbehaviour.return_something)


def test_answers_are_what_they_were(sandbox: Sandbox, write_sound, piece) -> None:
    song = str(write_sound("song.mp3", piece(channels=2)))
    preprocessings = (Preprocessing.default("cqt"), Preprocessing.ccmusic("mel"))
    inside = sandbox.run(song, prepare, song, preprocessings)
    assert inside == prepare(song, preprocessings)
    (spectrogram,) = (s for s in inside.spectrograms.values() if s.transform == "cqt")
    (picture,) = inside.pictures[preprocessings[0]]
    assert picture.spectrogram is spectrogram  # sent once


def _gone(process: int) -> None:
    for _ in range(50):
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    raise AssertionError(f"{process} is alive")
