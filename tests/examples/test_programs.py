"""Programs of strangers, who had the manual and nothing else, do what they are for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import outputs

PROGRAMS = Path(__file__).parent
WORKS = {
    "arrays_to_genres": ["wind yes ['environment']", "nothing silent []", "wrong error: "],
    "json_lines_back": ["song.ogg vorbis folk ", "missing.mp3 failed: missing.mp3: no", "1"],
    "like_a_pipeline": ["['folk', '", "environment True folk"],
    "like_an_estimator": ["['environment', 'electronic'] 1.0", "[1.0, 1.0]"],
    "many_at_once": ["rain.ogg environment", "missing.mp3 missing.mp3: no such file"],
    "maps_on_own_axes": ["mobilenet_v3_large_cqt ", "True"],
    "module_in_memory": ["['Small', 'mobilenet_v3_large_mel'] 2", "None"],
    "own_mel": ["dark", "(1, 1, 64, 1001)"],
    "table_in_pandas": ["['music/enemy_unknown.ogg', 'music/rain.ogg', ", "environment", "True"],
    "upload_service": ["rain.ogg all 2 models say Environment", "422 notes.txt: "],
}
"""Beginnings of lines that a program prints, in their order."""
NEED = {
    "maps_on_own_axes": "matplotlib",
    "module_in_memory": "torch",
    "table_in_pandas": "pandas",
    "upload_service": "fastapi",
}
SLOW = {"arrays_to_genres", "json_lines_back", "maps_on_own_axes", "module_in_memory"}


def test_there_is_a_test_of_every_program() -> None:
    programs = {path.stem for path in PROGRAMS.glob("*.py")} - {"test_programs"}
    assert programs == set(WORKS)
    assert len(programs) >= 10


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW)) for name in WORKS]
)
def test_a_program_works(name: str, tmp_path: Path) -> None:
    if name in NEED:
        pytest.importorskip(NEED[name])
    outputs.furnish(tmp_path)
    done = subprocess.run(
        [sys.executable, PROGRAMS / f"{name}.py"],
        cwd=tmp_path,
        env={**os.environ, "MPLBACKEND": "agg", "CCMUSIC_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    lines = iter(done.stdout.splitlines())
    for beginning in WORKS[name]:
        assert any(line.startswith(beginning) for line in lines), (beginning, done.stdout)
