import contextlib
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from ccmusic import batch
from ccmusic.batch.rows import Options
from ccmusic.errors import DataError
from databases import kept

ray = pytest.importorskip("ray")
pytestmark = pytest.mark.slow

OPTIONS = Options(models=("jazz", "rock"))


@pytest.fixture
def two_nodes(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    cluster.add_node(num_cpus=1)
    ray.init(address=cluster.address, log_to_driver=False)
    yield
    ray.shutdown()
    cluster.shutdown()


@pytest.fixture
def music(tmp_path: Path, write_sound, tone) -> list[str]:
    folder = tmp_path / "music"
    folder.mkdir()
    for i in range(5):
        write_sound(f"{i}.flac", tone(220 * (i + 1), 11 + i)).rename(folder / f"{i}.flac")
    for i in range(5, 80):
        (folder / f"{i}.flac").hardlink_to(folder / f"{i % 5}.flac")
    (folder / "broken.mp3").write_bytes(b"not music")
    return batch.find_audio([str(folder)])


def _workers() -> list[int]:
    found = []
    for process in (p for p in Path("/proc").iterdir() if p.name.isdecimal()):
        with contextlib.suppress(OSError):
            if b"ray::" in (process / "cmdline").read_bytes()[:200]:
                title = (process / "cmdline").read_text(errors="replace")
                if "MapWorker" in title:
                    found.append(int(process.name))
    return found


def test_a_worker_dies_and_the_table_is_the_same(
    two_nodes: None, music: list[str], tmp_path: Path
) -> None:
    assert len([node for node in ray.nodes() if node["Alive"]]) == 2
    here, there = tmp_path / "here.jsonl", tmp_path / "there.jsonl"
    batch.run(music, here, OPTIONS)
    killed: list[int] = []

    def kill_one(summary: batch.Summary) -> None:
        if summary.recordings >= 12 and not killed:
            killed.extend(_workers()[:1])
            os.kill(killed[0], signal.SIGKILL)

    summary = batch.run(music, there, OPTIONS, workers=2, engine="ray", on_progress=kill_one)
    assert killed
    assert summary == batch.Summary(81, 1)
    assert there.read_text() == here.read_text()


class _StopError(Exception):
    pass


def test_a_batch_begun_on_a_cluster_goes_on_there_or_here(
    two_nodes: None, music: list[str], tmp_path: Path
) -> None:
    output = tmp_path / "out.jsonl"
    for engine, stop in (("ray", 10), ("local", 30), ("ray", 50)):

        def stopped(summary: batch.Summary, stop: int = stop) -> None:
            if summary.recordings >= stop:
                raise _StopError

        with pytest.raises(_StopError):
            batch.run(music, output, OPTIONS, engine=engine, on_progress=stopped)  # type: ignore[arg-type]
        paths = kept(output)
        assert len(paths) == len(set(paths)) == stop
    batch.run(music, output, OPTIONS, engine="ray")
    assert [json.loads(line)["path"] for line in output.read_text().splitlines()] == music


def test_no_cluster_is_one_line(home: Path, music: list[str], tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"^no Ray cluster at 127.0.0.1:1 \([^\n]+\)$"):
        batch.run(music, tmp_path / "x.csv", OPTIONS, engine="ray", address="127.0.0.1:1")
    with pytest.raises(DataError, match=r"^Ray cannot be started or reached: [^\n]+$"):
        batch.run(music, tmp_path / "y.csv", OPTIONS, engine="ray", address="nonsense")
