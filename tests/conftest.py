from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from ccmusic import zoo
from small_data import write_manifest
from small_models import make_checkpoint
from sounds import noise, tone

# Workers of pytest-xdist share the cores; PyTorch reads this when it is imported.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# What an extension stands for: container and encoder.
FORMATS = {
    ".wav": ("wav", "pcm_s16le"),
    ".flac": ("flac", "flac"),
    ".ogg": ("ogg", "vorbis"),
    ".opus": ("ogg", "libopus"),
    ".mp3": ("mp3", "libmp3lame"),
    ".m4a": ("ipod", "aac"),
    ".aac": ("adts", "aac"),
    ".webm": ("webm", "libopus"),
    ".caf": ("caf", "pcm_s16le"),
    ".aiff": ("aiff", "pcm_s16be"),
    ".wma": ("asf", "wmav2"),
    ".avi": ("avi", "pcm_s16le"),
    ".w64": ("w64", "pcm_s16le"),
    ".wv": ("wv", "wavpack"),
    ".tta": ("tta", "tta"),
}
LAYOUTS = {1: "mono", 2: "stereo", 3: "2.1", 4: "quad", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}

WriteSound = Callable[..., Path]


@pytest.fixture(scope="session", autouse=True)
def _home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep spectrograms and checkpoints out of the home of whoever runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CCMUSIC_HOME", str(tmp_path_factory.mktemp("home")))
        yield


@pytest.fixture(scope="session")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty-two sounds of two genres, one of them unlabelled."""
    return write_manifest(tmp_path_factory.mktemp("sounds"))


@pytest.fixture(scope="session")
def write_sound(tmp_path_factory: pytest.TempPathFactory) -> WriteSound:
    """Encode float samples, shape [n] or [channels, n], into a temporary file of this name."""

    def write(
        name: str,
        samples: np.ndarray,
        rate: int = 44_100,
        *,
        encoder: str | None = None,
        bit_rate: int | None = None,
        tags: dict[str, str] | None = None,
        encoder_options: dict[str, str] | None = None,
        **container_options: str,
    ) -> Path:
        path = tmp_path_factory.mktemp("sound") / name
        container_format, usual_encoder = FORMATS[path.suffix]
        samples = np.atleast_2d(samples)
        layout = LAYOUTS[len(samples)]
        options = container_options or {}
        with av.open(str(path), "w", format=container_format, options=options) as container:
            container.metadata.update(tags or {})
            stream: Any = container.add_stream(encoder or usual_encoder, rate=rate, layout=layout)
            # FFmpeg still calls its own Vorbis encoder experimental.
            stream.options = {"strict": "experimental", **(encoder_options or {})}
            if bit_rate:
                stream.bit_rate = bit_rate
            container.start_encoding()  # so that without samples there is a header still
            packed = np.ascontiguousarray(samples.T, np.float32).reshape(1, -1)
            frames = []
            if packed.size:
                frame = av.AudioFrame.from_ndarray(packed, format="flt", layout=layout)
                frame.sample_rate, frame.pts = rate, 0
                formats = stream.codec_context.codec.audio_formats
                convert = av.AudioResampler(format=formats[0], layout=layout, rate=rate)
                frames = [*convert.resample(frame), *convert.resample(None)]
            # Flushing the Vorbis encoder before its first frame never ends.
            for piece in [*frames, None] if frames else []:
                container.mux(stream.encode(piece))
        return path

    return write


@pytest.fixture(scope="session", name="tone")
def _tone() -> Callable[..., np.ndarray]:
    return tone


@pytest.fixture(scope="session", name="noise")
def _noise() -> Callable[..., np.ndarray]:
    return noise


@pytest.fixture(scope="session")
def piece() -> Callable[..., np.ndarray]:
    """A clean recording, [channels, n]: a tone over faint noise, in channels of unlike loudness."""

    def make(seconds: float = 12.0, rate: int = 44_100, channels: int = 1) -> np.ndarray:
        mono = tone(440, seconds, rate) + noise(seconds, rate)
        return np.asarray(np.linspace(1, 0.5, channels, dtype=np.float32)[:, None] * mono)

    return make


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the only checkpoints are those that say jazz (surely) and rock (less so)."""
    monkeypatch.setenv("CCMUSIC_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(zoo, "SHIPPED", tmp_path / "none")
    folder = tmp_path / "home" / "checkpoints"
    for name, strength in (("jazz", 4.0), ("rock", 3.0)):
        make_checkpoint(folder, f"{name}_cqt", favourite=name, backbone=name, strength=strength)
    return folder


@pytest.fixture(scope="session")
def bomb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve hours of silence in a quarter of a megabyte."""
    path = tmp_path_factory.mktemp("bomb") / "bomb.flac"
    rate, block = 8_000, 1 << 20
    with av.open(str(path), "w", format="flac") as container:
        stream = container.add_stream("flac", rate=rate, layout="mono")
        stream.codec_context.options = {"frame_size": "32768", "compression_level": "0"}
        frame = av.AudioFrame.from_ndarray(np.zeros((1, block), np.int16), "s16", "mono")
        frame.sample_rate = rate
        for start in range(0, 12 * 3600 * rate, block):
            frame.pts = start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path
