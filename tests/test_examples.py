"""The programs that the manual offers run as they are."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "docs" / "examples"


def _run(name: str, folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, EXAMPLES / name, *arguments],
        cwd=folder,
        env={**os.environ, "MPLBACKEND": "agg"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_transforms_are_compared(tmp_path: Path) -> None:
    told = _run("compare_transforms.py", tmp_path)
    assert told.count("MobileNetV3") == 2
    assert (tmp_path / "transforms.png").read_bytes().startswith(b"\x89PNG")


def test_a_transform_of_ones_own_is_small(tmp_path: Path) -> None:
    assert _run("own_transform.py", tmp_path).startswith("(1, 998, 128) mean")


@pytest.mark.slow
def test_a_playlist_becomes_a_plot(tmp_path: Path) -> None:
    assert "rain.ogg: all 5 models say Environment" in _run("playlist_genres.py", tmp_path)
    assert (tmp_path / "playlist.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_a_checkpoint_is_imported(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    told = _run("import_checkpoint.py", tmp_path)
    assert "backbone resnet18: 100% covered" in told
    assert "mine [('" in told  # untrained: any of its classes may come first


@pytest.mark.slow
def test_folders_become_a_checkpoint(tmp_path: Path) -> None:
    """One epoch: that the way leads to its end, not how well it ends."""
    pytest.importorskip("torch")
    told = _run("train_on_folders.py", tmp_path, str(tmp_path / "out"), "1")
    assert "held-out recordings" in told
    assert (tmp_path / "out" / "checkpoints" / "mine.onnx").exists()
