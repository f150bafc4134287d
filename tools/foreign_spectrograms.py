"""Numbers of other libraries' mel spectrograms, for tests/test_foreign_spectrograms.py.

Run ``python tools/foreign_spectrograms.py`` where torchaudio, torchlibrosa, musicnn, librosa and
soundfile are installed; the tests need none of them but librosa.
"""

from __future__ import annotations

import importlib
import sys
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

OUT = Path(__file__).parent.parent / "tests" / "golden" / "foreign.npz"
EVERY = (9, 5)  # frame and band that is kept

Floats = npt.NDArray[np.float32]


def sound(rate: int) -> Floats:
    """A second with tones, a rising sweep and noise, the same on every machine: float32 [n].

    Quiet, for musicnn computes in half precision, which ends at 65,504.
    """
    n = np.arange(rate, dtype=np.int64)
    t = n / rate
    sweep = 0.03 * np.sin(2 * np.pi * (60 * t + (0.2 * rate - 30) * t**2))
    noise = (n * n * 1_103_515_245 % 2**31) / 2**31 - 0.5
    return (sweep + 0.02 * np.sin(2 * np.pi * 440 * t) + 0.002 * noise).astype(np.float32)


def torchaudio_default(torch: Any, torchaudio: Any) -> Floats:
    """MelSpectrogram with its defaults, in dB: [frames, bands]."""
    mel = torchaudio.transforms.MelSpectrogram(sample_rate=16_000)(torch.from_numpy(sound(16_000)))
    return np.asarray(torchaudio.transforms.AmplitudeToDB(top_db=80)(mel).numpy().T)


def torchaudio_other(torch: Any, torchaudio: Any) -> Floats:
    """MelSpectrogram with nothing at its default: [frames, bands]."""
    transform = torchaudio.transforms.MelSpectrogram(
        sample_rate=44_100,
        n_fft=2048,
        win_length=1200,
        hop_length=441,
        f_min=30,
        f_max=16_000,
        n_mels=80,
        window_fn=torch.hamming_window,
        power=1.0,
        center=False,
        norm="slaney",
        mel_scale="slaney",
    )
    return np.asarray(transform(torch.from_numpy(sound(44_100))).numpy().T)


def panns(torch: Any) -> Floats:
    """Input of Cnn14 after its two extracting layers: [frames, bands]."""
    stft = importlib.import_module("torchlibrosa.stft")
    spectrogram = stft.Spectrogram(
        n_fft=1024, hop_length=320, win_length=1024, window="hann", center=True,
        pad_mode="reflect", freeze_parameters=True,
    )  # fmt: skip
    logmel = stft.LogmelFilterBank(
        sr=32_000, n_fft=1024, n_mels=64, fmin=50, fmax=14_000, ref=1.0, amin=1e-10, top_db=None,
        freeze_parameters=True,
    )  # fmt: skip
    return np.asarray(logmel(spectrogram(torch.from_numpy(sound(32_000))[None]))[0, 0].numpy())


def musicnn() -> Floats:
    """Input of musicnn: [frames, bands]."""
    import soundfile

    # Its spectrograms need no TensorFlow, but its module imports it.
    tensorflow: Any = ModuleType("tensorflow")
    tensorflow.compat = ModuleType("compat")
    tensorflow.compat.v1 = ModuleType("v1")
    tensorflow.compat.v1.disable_eager_execution = lambda: None
    models = ModuleType("musicnn.models")
    sys.modules |= {"tensorflow": tensorflow, "musicnn.models": models}
    package = importlib.import_module("musicnn")
    package.models = models  # type: ignore[attr-defined]
    extractor = importlib.import_module("musicnn.extractor")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sound.wav"
        soundfile.write(path, sound(16_000), 16_000, subtype="FLOAT")
        _, spectrogram = extractor.batch_data(str(path), 32, 32)
    return np.asarray(spectrogram, np.float32)


def ast(torch: Any, torchaudio: Any) -> Floats:
    """Input of the Audio Spectrogram Transformer, as its authors normalise it: [frames, bands]."""
    waveform = torch.from_numpy(sound(16_000))[None]
    bank = torchaudio.compliance.kaldi.fbank(
        waveform - waveform.mean(), htk_compat=True, sample_frequency=16_000, use_energy=False,
        window_type="hanning", num_mel_bins=128, dither=0.0, frame_shift=10,
    )  # fmt: skip
    return np.asarray((bank.numpy() + 4.2677393) / (2 * 4.5689974), np.float32)


def main() -> None:
    """Write the numbers."""
    import torch
    import torchaudio
    import torchaudio.compliance.kaldi

    made: dict[str, Any] = {
        "torchaudio": torchaudio_default(torch, torchaudio),
        "torchaudio_other": torchaudio_other(torch, torchaudio),
        "panns": panns(torch),
        "musicnn": musicnn(),
        "ast": ast(torch, torchaudio),
    }
    frames, bands = EVERY
    np.savez_compressed(OUT, **{name: a[::frames, ::bands] for name, a in made.items()})
    for name, values in made.items():
        print(name, values.shape, values[::frames, ::bands].size)


if __name__ == "__main__":
    main()
