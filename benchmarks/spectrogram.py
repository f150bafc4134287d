"""CQT and Mel of 10 s beside librosa's, in one run: ``python benchmarks/spectrogram.py``.

Needs librosa. The first call is timed in a fresh process, with librosa's compiled code of earlier
runs out of reach, as after a fresh install.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from timing import keep, median_ms

ROOT = Path(__file__).parent.parent
SONG = ROOT / "examples" / "vibe_ace.ogg"

FIRST_CALL = """
import sys, time
import numpy as np
sound = np.random.default_rng(0).normal(0, 0.1, 220_500).astype(np.float32)
{setup}
started = time.perf_counter()
{call}
print(1000 * (time.perf_counter() - started))
"""


def first_call_ms(setup: str, call: str, *, runs: int) -> float:
    return median(fresh_call_ms(setup, call) for _ in range(runs))


def fresh_call_ms(setup: str, call: str) -> float:
    with tempfile.TemporaryDirectory() as empty:
        done = subprocess.run(
            [sys.executable, "-c", FIRST_CALL.format(setup=setup, call=call)],
            env={**os.environ, "NUMBA_CACHE_DIR": empty},
            capture_output=True,
            text=True,
            check=True,
        )
    return float(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=30)
    repeats = parser.parse_args().repeats

    import librosa
    import numpy as np

    from ccmusic import audio
    from ccmusic.spectrogram import Cqt, Mel

    sound = audio.load(SONG).samples
    cqt, mel = Cqt(), Mel()
    rows = {}
    for name, ours, theirs, setup, call in (
        (
            "cqt",
            lambda: cqt(sound),
            lambda: np.abs(librosa.cqt(sound, sr=22_050)),
            "from ccmusic.spectrogram import Cqt",
            ("Cqt()(sound)", "librosa.cqt(sound, sr=22_050)"),
        ),
        (
            "mel",
            lambda: mel(sound),
            lambda: librosa.feature.melspectrogram(y=sound, sr=22_050),
            "from ccmusic.spectrogram import Mel",
            ("Mel()(sound)", "librosa.feature.melspectrogram(y=sound, sr=22_050)"),
        ),
    ):
        ours_ms, theirs_ms = median_ms(ours, theirs, repeats=repeats)
        rows[name] = {
            "ccmusic_ms": ours_ms,
            "librosa_ms": theirs_ms,
            "ratio": ours_ms / theirs_ms,
            "ccmusic_first_call_ms": first_call_ms(setup, call[0], runs=9),
            "librosa_first_call_ms": first_call_ms("import librosa", call[1], runs=1),
        }
    keep("spectrogram", rows)


if __name__ == "__main__":
    main()
