"""Plots look as they did: ``python tests/test_golden_plots.py`` draws the golden ones anew."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ccmusic import Attention, Clip, Picture, Preprocessing, Spectrogram, TransformName, plot

GOLDEN = Path(__file__).parent / "golden" / "plots"
RATE = 22_050
_BLOCK = 8  # pixels; Matplotlib's letters move a little from version to version
_MOST = 3.0  # of 255, in the mean over all blocks


def _clip() -> Clip:
    """A rising tone that becomes louder."""
    time = np.arange(10 * RATE) / RATE
    return Clip.from_samples(
        0.09 * time * np.sin(2 * np.pi * (110 + 40 * time) * time), RATE, name="rise"
    )


def _spectrogram(transform: TransformName) -> tuple[Spectrogram, Preprocessing]:
    preprocessing = Preprocessing.default(transform)
    return preprocessing.transform(_clip().samples), preprocessing


def _attention(transform: TransformName) -> Attention:
    coarse = np.full((7, 7), -0.5, np.float32)
    coarse[1:3, 3:6] = np.array([[1, 2, 1], [0.5, 1, 0.5]])
    return Attention("jazz", coarse, Picture.from_spectrogram(*_spectrogram(transform)))


def _png(draw: Callable[[Any], object]) -> bytes:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4, 3), dpi=100, layout="constrained")
    draw(figure.subplots())
    out = io.BytesIO()
    figure.savefig(out, format="png")
    return out.getvalue()


PLOTS: dict[str, Callable[[], bytes]] = {
    "clip": lambda: _png(lambda ax: _clip().plot(ax)),
    "cqt": lambda: _png(lambda ax: _spectrogram("cqt")[0].plot(ax)),
    "mel": lambda: _png(lambda ax: _spectrogram("mel")[0].plot(ax)),
    "attention-cqt": lambda: _png(lambda ax: _attention("cqt").plot(ax)),
    "attention-mel": lambda: _png(lambda ax: _attention("mel").plot(ax)),
    "png-cqt": lambda: plot.levels(*_spectrogram("cqt")).png(),
    "png-mel": lambda: plot.levels(*_spectrogram("mel")).png(),
    "png-attention": lambda: plot.attention(_attention("mel"), strongest=2).png(),
}


def _blocks(png: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(png)) as image:
        grey = image.convert("RGB")
        return np.asarray(grey.reduce(_BLOCK), np.float32)


@pytest.mark.parametrize("name", PLOTS)
def test_a_plot_looks_as_it_did(name: str) -> None:
    if not name.startswith("png"):
        pytest.importorskip("matplotlib")
    golden = _blocks((GOLDEN / f"{name}.png").read_bytes())
    now = _blocks(PLOTS[name]())
    assert now.shape == golden.shape
    assert np.abs(now - golden).mean() < _MOST
    # What would go wrong is more than that: a picture turned, or upside down.
    for wrong in (golden[::-1], golden[:, ::-1]):
        assert np.abs(wrong - golden).mean() > 2 * _MOST


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for name, draw in PLOTS.items():
        (GOLDEN / f"{name}.png").write_bytes(draw())
