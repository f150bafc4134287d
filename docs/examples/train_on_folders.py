"""From one folder per genre to a checkpoint in a few minutes (extra ``torch``).

Run ``python docs/examples/train_on_folders.py [FOLDER] [EPOCHS]``. It makes sounds of three kinds
(chords, beats, wind), and teaches a MobileNetV3 to tell them apart, beginning from the shipped one.
With recordings in their place, ``FOLDER/music/GENRE/...``, the rest stays as it is; real music
takes more epochs: see docs/training.md.
"""

import os
import sys
import tempfile
import wave
from pathlib import Path

import numpy as np

import ccmusic

RATE = 22_050


def chords(rng: np.random.Generator, time: np.ndarray) -> np.ndarray:
    root = rng.uniform(110, 330)
    return sum(np.sin(2 * np.pi * root * ratio * time) for ratio in (1, 5 / 4, 3 / 2)) / 3


def beats(rng: np.random.Generator, time: np.ndarray) -> np.ndarray:
    since_beat = time % (60 / rng.uniform(90, 150))
    return np.exp(-30 * since_beat) * np.sin(2 * np.pi * rng.uniform(50, 90) * time)


def wind(rng: np.random.Generator, time: np.ndarray) -> np.ndarray:
    gusts = 0.6 + 0.4 * np.sin(2 * np.pi * rng.uniform(0.1, 0.4) * time)
    return gusts * rng.normal(scale=0.3, size=time.size)


def make_music(folder: Path, *, each: int = 16) -> None:
    rng = np.random.default_rng(0)
    time = np.arange(5 * RATE) / RATE
    for make in (chords, beats, wind):
        genre = folder / make.__name__
        genre.mkdir(parents=True, exist_ok=True)
        for number in range(each):
            samples = 0.5 * make(rng, time) + rng.normal(scale=0.003, size=time.size)
            with wave.open(str(genre / f"{number:02}.wav"), "wb") as file:
                file.setnchannels(1)
                file.setsampwidth(2)
                file.setframerate(RATE)
                file.writeframes((np.clip(samples, -1, 1) * 32_767).astype("<i2").tobytes())


def main(folder: str | None = None, epochs: str = "1") -> None:
    from ccmusic.options import ExportOptions, TrainOptions
    from ccmusic.workshop.export import export
    from ccmusic.workshop.index import index
    from ccmusic.workshop.train import train

    home = Path(folder or tempfile.mkdtemp(prefix="ccmusic-"))
    os.environ["CCMUSIC_HOME"] = str(home)  # the new checkpoint and the cache stay in this folder
    music = home / "music"
    if not music.exists():
        make_music(music)

    found = index(music)
    for genre, sides in found.counts().items():
        print(genre, sides)
    weights = train(
        found.manifest,
        home / "run",
        TrainOptions(
            backbone="mobilenet_v3_large",
            init_from=Path("mobilenet_v3_large_cqt"),  # a checkpoint by its name
            epochs=int(epochs),
            final_epochs=0,
            batch_size=16,
        ),
    )
    about = ExportOptions(name="mine", data_note="made sound", licence="CC0-1.0")
    checkpoint = export(weights, found.manifest, about)
    metrics = checkpoint.card.metrics
    assert metrics is not None
    print(f"{metrics.accuracy:.0%} of {metrics.recordings} held-out recordings")

    song = music / "chords" / "00.wav"
    if song.exists():
        print(ccmusic.analyze(song, models=["mine"]).verdicts["mine"].top(3))
    print(f"everything is in {home}")


if __name__ == "__main__":
    main(*sys.argv[1:])
