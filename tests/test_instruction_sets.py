"""Verdicts do not depend on what instructions the processor knows.

NumPy and OpenBLAS can be told to do without the newer ones. ONNX Runtime cannot: its part is left
to machines that differ.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy._core._multiarray_umath import __cpu_dispatch__

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        platform.machine() not in {"x86_64", "AMD64"}, reason="instruction sets of other processors"
    ),
]
SONG = Path(__file__).parents[1] / "examples" / "vibe_ace.ogg"


@pytest.mark.parametrize("transform", ["cqt", "mel"])
def test_old_instructions_give_the_same_verdicts(transform: str) -> None:
    old = {"NPY_DISABLE_CPU_FEATURES": " ".join(__cpu_dispatch__), "OPENBLAS_CORETYPE": "Nehalem"}
    new, same = _verdicts(transform, {}), _verdicts(transform, old)
    assert new.keys() == same.keys()
    for name, shares in new.items():
        moved = [abs(same[name][genre] - share) for genre, share in shares.items()]
        assert np.sum(moved) / 2 < 0.005, name


def _verdicts(transform: str, environment: dict[str, str]) -> dict[str, dict[str, float]]:
    """Probabilities by model, of a process of its own."""
    command = [sys.executable, "-m", "ccmusic", "classify", str(SONG), "--json"]
    told = subprocess.run(
        [*command, "--transform", transform],
        env={**os.environ, **environment},
        check=True,
        capture_output=True,
        text=True,
    )
    models = json.loads(told.stdout)["models"]
    return {name: verdict["probabilities"] for name, verdict in models.items()}
