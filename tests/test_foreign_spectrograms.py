"""Inputs of other people's mel models, against what their own libraries compute.

The numbers are kept in golden/foreign.npz; ``tools/foreign_spectrograms.py`` made them.
"""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from ccmusic.picture import Picture, Preprocessing
from ccmusic.spectrogram import Mel

ROOT = Path(__file__).parent.parent


def _module(path: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(Path(path).stem, ROOT / path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


foreign = _module("tools/foreign_spectrograms.py")


def _of_the_manual(page: str) -> dict[str, Preprocessing]:
    text = (ROOT / "docs" / page).read_text("utf-8")
    (code,) = (c for c in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "panns =" in c)
    names: dict[str, object] = {}
    exec(code, names)
    return {name: found for name, found in names.items() if isinstance(found, Preprocessing)}


MODELS = {
    **_of_the_manual("python.md"),
    # With nothing at its default. The logarithm of magnitudes; theirs are bare.
    "torchaudio_other": Preprocessing(
        transform=Mel(
            sample_rate=44_100,
            n_fft=2048,
            win_length=1200,
            hop_length=441,
            n_mels=80,
            fmin=30,
            fmax=16_000,
            window="hamming",
            center=False,
            power=1,
        ),
        orientation="pitch_along_x",
        log_floor=1e-30,
        scaling="none",
        resizing="none",
        channels=1,
        mean=0,
        std=1,
    ),
    "ast": _module("docs/examples/own_transform.py").AST,
}


def test_both_manuals_describe_the_same_models() -> None:
    models = _of_the_manual("python.md")
    assert models == _of_the_manual("python.zh.md")
    assert set(models) == {"torchaudio", "panns", "musicnn"}


@pytest.mark.parametrize("name", MODELS)
def test_the_input_is_that_of_the_models_own_library(name: str) -> None:
    preprocessing = MODELS[name]
    transform = preprocessing.transform
    sound = foreign.sound(transform.sample_rate)
    ours = Picture.from_spectrogram(transform(sound), preprocessing).input
    assert ours.dtype == np.float32
    assert len(ours) == 1
    with np.load(ROOT / "tests" / "golden" / "foreign.npz") as golden:
        theirs = golden[name]
    frames, bands = foreign.EVERY
    found = ours[0, ::frames, ::bands]
    if name == "torchaudio_other":
        found = np.exp(found)
    assert found.shape == theirs.shape
    # musicnn rounds to half precision; the others differ by what float32 does.
    tolerance = {"musicnn": 1e-3, "torchaudio_other": 1e-4 * theirs.max()}.get(name, 2e-3)
    np.testing.assert_allclose(found, theirs, atol=tolerance, rtol=0)
    assert np.ptp(theirs) > 100 * tolerance
