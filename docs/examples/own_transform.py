"""A transform of one's own: what the Audio Spectrogram Transformer (AST) sees of a song.

AST stands on Kaldi's filterbank, which no parameters of ``ccmusic.Mel`` describe: every frame loses
its mean, its high frequencies are emphasised, and the triangles are straight over mels, not hertz.

Run ``python docs/examples/own_transform.py [SONG]``.
"""

import sys
from functools import cached_property
from pathlib import Path

import numpy as np

import ccmusic

EXAMPLES = Path(__file__).parents[2] / "examples"


class KaldiFilterbank(ccmusic.Transform):
    """Kaldi's mel filterbank with a Hann window; powers, without dither or energy."""

    name: str = "kaldi_filterbank"
    sample_rate: int = 16_000
    hop_length: int = 160
    frame_length: int = 400
    n_fft: int = 512
    n_mels: int = 128
    fmin: float = 20.0

    @cached_property
    def _mels(self):
        """Corners of the triangles, evenly spaced: [n_mels + 2]."""
        low, high = 1127 * np.log1p(np.array([self.fmin, self.sample_rate / 2]) / 700)
        return np.linspace(low, high, self.n_mels + 2)

    @property
    def frequencies(self):
        """Centre of each band, hertz."""
        return 700 * np.expm1(self._mels[1:-1] / 1127)

    def __call__(self, samples):
        """Transform mono samples into the bands' powers."""
        count = 1 + max(0, len(samples) - self.frame_length) // self.hop_length
        starts = self.hop_length * np.arange(count)
        padded = np.pad(samples, (0, max(0, self.frame_length - len(samples))))
        frames = padded[starts[:, None] + np.arange(self.frame_length)].astype(np.float64)
        frames -= frames.mean(axis=1, keepdims=True)
        frames -= 0.97 * np.concatenate([frames[:, :1], frames[:, :-1]], axis=1)
        spectrum = np.fft.rfft(frames * np.hanning(self.frame_length), self.n_fft)

        bins = 1127 * np.log1p(np.fft.rfftfreq(self.n_fft, 1 / self.sample_rate) / 700)
        left, middle, right = (self._mels[i : i + self.n_mels, None] for i in range(3))
        rising, falling = (bins - left) / (middle - left), (right - bins) / (right - middle)
        triangles = np.maximum(0, np.minimum(rising, falling))

        powers = np.maximum(np.abs(spectrum) ** 2 @ triangles.T, np.finfo(np.float32).eps)
        times = (starts + self.frame_length / 2) / self.sample_rate
        values = powers.T.astype(np.float32)
        return ccmusic.Spectrogram(self.name, values, times, self.frequencies, power=2)


AST = ccmusic.Preprocessing(
    transform=KaldiFilterbank(),
    orientation="pitch_along_x",
    log_floor=1e-30,
    scaling="none",
    resizing="none",
    channels=1,
    mean=-4.2677393,
    std=2 * 4.5689974,
)


def main(song: str = str(EXAMPLES / "vibe_ace.ogg")) -> None:
    clip = ccmusic.load(song)
    transform = AST.transform
    spectrogram = transform(clip.samples_at(transform.sample_rate))
    picture = ccmusic.Picture.from_spectrogram(spectrogram, AST)
    print(picture.input.shape, f"mean {picture.input.mean():.2f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
