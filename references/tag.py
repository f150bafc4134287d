"""Tag the recordings of a manifest with a public music tagger; write its features and tags.

    python references/tag.py clips.csv musicnn-0.1.0-py3-none-any.whl features.npz tags.csv
    ccmusic train --soft-targets tags.csv ...

The network is musicnn (J. Pons, X. Serra, "musicnn: pre-trained convolutional neural networks for
music audio tagging", 2019; ISC licence), trained on MagnaTagATune and on the Million Song
Dataset. Its weights are in the wheel ``musicnn`` of the package index; the wheel is read and need
not be installed. The computation is our own, in PyTorch.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soxr
import torch
import torch.nn.functional as F

from ccmusic.audio import Samples, load
from ccmusic.errors import DataError
from ccmusic.files import replacing
from ccmusic.spectrogram import Mel
from ccmusic.workshop.data import read_each, read_manifest
from shared import parser_of, write_table
from tensorflow_graph import tensors

_TRAININGS = ("MTT_musicnn", "MSD_musicnn")
_SECONDS = 15.0
_RATE = 16_000
_PATCH = 187  # frames, three seconds
_EPSILON = 1e-3  # of TensorFlow's batch normalisation
_MEL = Mel(sample_rate=_RATE, hop_length=256, n_fft=512, n_mels=96)

Weights = dict[str, torch.Tensor]


def tag(manifest: Path, wheel: Path, features: Path, soft_targets: Path) -> None:
    """Tag every recording of a manifest; one that cannot be read is named and left out.

    Parameters
    ----------
    wheel
        ``musicnn-*.whl``.
    features
        NPZ to write, for ``references/teach.py``: ``path`` [n], ``features`` float16 [n, 400], the
        penultimate layers, means over the middle 15 s.
    soft_targets
        CSV to write, for ``ccmusic train --soft-targets``: 100 tags in 0..1.

    Raises
    ------
    DataError
        If the manifest or the wheel cannot be read.
    """
    networks = [read_weights(wheel, training) for training in _TRAININGS]
    keys: list[str] = []
    rows: list[npt.NDArray[np.float32]] = []
    clips = read_each(read_manifest(manifest), "tagging", lambda r: load(r.path, seconds=_SECONDS))
    for recording, clip in clips:
        patches = _patches(soxr.resample(clip.original, clip.info.sample_rate, _RATE))
        with torch.inference_mode():
            outputs = [musicnn(patches, weights) for weights in networks]
        penultimate, tags = (torch.cat([o[i] for o in outputs], dim=1) for i in (0, 1))
        keys.append(recording.key)
        rows.append(torch.cat([penultimate, tags], dim=1).mean(dim=0).numpy())
    if not keys:
        raise DataError(f"{manifest}: no recording could be read")
    table = np.stack(rows)
    width = networks[0]["dense/bias"].numel() * len(networks)
    with replacing(features) as beside, beside.open("wb") as binary:
        np.savez(binary, path=np.array(keys), features=table[:, :width].astype(np.float16))
    header = ["path", *(f"tag{i}" for i in range(table.shape[1] - width))]
    lines = (
        [key, *(f"{value:.4f}" for value in row[width:])]
        for key, row in zip(keys, table, strict=True)
    )
    write_table(soft_targets, header, lines)


def musicnn(patches: torch.Tensor, weights: Weights) -> tuple[torch.Tensor, torch.Tensor]:
    """Penultimate layer [n, 200] and tags [n, 50] of spectrogram patches [n, 187, 96]."""

    def normalise(x: torch.Tensor, index: int) -> torch.Tensor:
        name = f"batch_normalization_{index}" if index else "batch_normalization"
        shape = [1, -1, *[1] * (x.ndim - 2)]
        gamma, beta, mean, variance = (
            weights[f"{name}/{part}"].view(shape)
            for part in ("gamma", "beta", "moving_mean", "moving_variance")
        )
        return (x - mean) / torch.sqrt(variance + _EPSILON) * gamma + beta

    def convolve(x: torch.Tensor, index: int) -> torch.Tensor:
        """Convolution, same length in time, then rectifier and normalisation."""
        name = f"conv2d_{index}" if index else "conv2d"
        kernel = weights[f"{name}/kernel"].permute(3, 2, 0, 1)
        before = (kernel.shape[2] - 1) // 2
        padded = F.pad(x, (0, 0, before, kernel.shape[2] - 1 - before))
        return normalise(F.relu(F.conv2d(padded, kernel, weights[f"{name}/bias"])), index + 1)

    x = normalise(patches[:, None], 0)
    # Front end: two timbral and three temporal filter banks, each pooled over frequency.
    bands = torch.cat([convolve(x, index).amax(dim=3) for index in range(5)], dim=1)
    layers = [bands.transpose(1, 2)[:, None]]
    # Middle: three layers over time, the second and third with a residual.
    for index in (5, 6, 7):
        deeper = convolve(layers[-1], index).permute(0, 3, 2, 1)
        layers.append(deeper if index == 5 else deeper + layers[-1])
    all_layers = torch.cat(layers, dim=3)[:, 0]
    pooled = torch.stack([all_layers.amax(dim=1), all_layers.mean(dim=1)], dim=2).flatten(1)
    dense = F.relu(normalise(pooled, 9) @ weights["dense/kernel"] + weights["dense/bias"])
    penultimate = normalise(dense, 10)
    logits = penultimate @ weights["dense_1/kernel"] + weights["dense_1/bias"]
    return penultimate, torch.sigmoid(logits)


def _patches(samples: Samples) -> torch.Tensor:
    """Three-second patches of the compressed mel spectrogram, float32 [n, 187, 96]."""
    frames = np.log10(10_000 * _MEL(samples).values.T.astype(np.float16).astype(np.float32) + 1)
    if len(frames) < _PATCH:
        frames = np.resize(frames, (_PATCH, frames.shape[1]))
    starts = range(0, len(frames) - _PATCH + 1, _PATCH)
    return torch.from_numpy(np.stack([frames[s : s + _PATCH] for s in starts]))


def read_weights(wheel: Path, training: str) -> Weights:
    """Read one training's weights out of the wheel; nothing in it is executed.

    Raises
    ------
    DataError
        If the wheel is not musicnn's.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            index = archive.read(f"musicnn/{training}/.index")
            data = archive.read(f"musicnn/{training}/.data-00000-of-00001")
        weights = {name: torch.from_numpy(values) for name, values in tensors(index, data)}
        musicnn(torch.zeros(1, _PATCH, _MEL.n_mels), weights)
    except (OSError, KeyError, ValueError, RuntimeError, zipfile.BadZipFile) as error:
        raise DataError(f"{wheel}: not the wheel of musicnn ({error})") from None
    return weights


if __name__ == "__main__":
    parser = parser_of(__doc__, "manifest", "wheel", "features", "soft_targets")
    tag(**vars(parser.parse_args()))
