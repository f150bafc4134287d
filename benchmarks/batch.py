"""A batch beside a plain loop, in one run: ``python benchmarks/batch.py [--files N]``.

Needs the extras ``batch`` and ``torch``. The loop is what one would write in an afternoon: librosa
decodes and transforms, PyTorch in fp32 looks, five networks one after the other, file after file.
Both take the same ten-second MP3s through to probabilities of five models, then the centres of
five-minute ones. Then pictures of several files are stacked into one inference, to see whether
that is faster.
"""

import argparse
import multiprocessing
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from pieces import long_song
from timing import keep

ROOT = Path(__file__).parent.parent
STACKS = (1, 2, 4, 8, 16)


def make_music(folder: Path, n: int) -> list[Path]:
    """Ten-second MP3s at 128 kbit/s: the examples, each from many beginnings."""
    import av

    from ccmusic.audio import load

    songs = sorted((ROOT / "examples").glob("*.ogg"))
    clips = [load(song) for song in songs]
    made = []
    for i in range(n):
        clip = clips[i % len(clips)]
        sound = np.roll(clip.samples, 9973 * i)[None]
        path = folder / f"{i:05d}.mp3"
        with av.open(str(path), "w", format="mp3") as container:
            stream = container.add_stream("libmp3lame", rate=22_050, layout="mono")
            stream.bit_rate = 128_000
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(sound), "fltp", "mono")
            frame.sample_rate = 22_050
            for packet in (frame, None):
                container.mux(stream.encode(packet))
        made.append(path)
    return made


@cache
def networks() -> list[Any]:
    import torch

    from ccmusic.workshop.backbones import BACKBONES, build

    return [
        build(name, n_classes=13).eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        for name in BACKBONES
    ]


def plain_loop(files: list[Path]) -> float:
    """Clips per second of the loop."""
    import librosa
    import torch

    def predict(file: Path) -> list[list[float]]:
        start = max(0, librosa.get_duration(path=file) / 2 - 5)
        samples, _ = librosa.load(file, sr=22_050, mono=True, offset=start, duration=10.0)
        levels = np.log(np.abs(librosa.cqt(samples, sr=22_050)) + 1e-6)
        scaled = torch.from_numpy((levels - levels.min()) / np.ptp(levels)).float()[None, None]
        small = torch.nn.functional.interpolate(scaled, (224, 224), mode="bilinear", antialias=True)
        picture = ((small - 0.5) / 0.25).repeat(1, 3, 1, 1)
        picture = picture.to(memory_format=torch.channels_last)
        with torch.inference_mode():
            return [torch.softmax(network(picture)[0], -1)[0].tolist() for network in networks()]

    started = time.perf_counter()
    for file in files:
        predict(file)
    return len(files) / (time.perf_counter() - started)


def batch(folder: Path, output: Path) -> float:
    """Clips per second from the start of the command to the table."""
    started = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "ccmusic", "batch", str(folder), "-o", str(output)],
        check=True,
        capture_output=True,
    )
    return len(list(folder.iterdir())) / (time.perf_counter() - started)


def stacked() -> dict[int, float]:
    """Clips per second of the models alone, so many pictures in one inference; median of five."""
    from ccmusic.panel import available_cores
    from ccmusic.zoo import find

    checkpoints = sorted(find("cqt"), key=lambda c: -c.card.multiply_adds)
    sessions = [checkpoint.open(threads=1) for checkpoint in checkpoints]
    n = max(STACKS)
    pictures = np.random.default_rng(1).random((n, 3, 224, 224), np.float32)
    rates: dict[int, list[float]] = {size: [] for size in STACKS}
    with ThreadPoolExecutor(available_cores()) as threads:
        for _ in range(6):
            for size in STACKS:
                started = time.perf_counter()
                asked = [
                    threads.submit(s.run, ["logits"], {"picture": pictures[i : i + size]})
                    for i in range(0, n, size)
                    for s in sessions
                ]
                for future in asked:
                    future.result()
                rates[size].append(n / (time.perf_counter() - started))
    return {size: median(measured[1:]) for size, measured in rates.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=200)
    parser.add_argument("--loop-files", type=int, default=40, help="the loop gets as many of them")
    arguments = parser.parse_args()
    rows: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary, "music")
        folder.mkdir()
        files = make_music(folder, arguments.files)
        long = Path(temporary, "long")
        long.mkdir()
        longer = [long_song(long, minutes) for minutes in (5.0, 5.1, 5.2, 5.3)]
        for i in range(len(longer), arguments.files):
            (long / f"{i:05d}.mp3").hardlink_to(longer[i % len(longer)])
        loops: dict[str, list[float]] = {"": [], "long_": []}
        batches: dict[str, list[float]] = {"": [], "long_": []}
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, mp_context=spawn) as one:
            one.submit(plain_loop, files[:2]).result()  # librosa compiles at its first call
            print("warm", flush=True)
            # In turns, for the machine may be busier at one time than at another.
            for turn in range(2):
                for kind, of in (("", folder), ("long_", long)):
                    some = sorted(of.iterdir())[: arguments.loop_files]
                    loops[kind].append(one.submit(plain_loop, some).result())
                    table = Path(temporary, f"{kind}{turn}.parquet")
                    batches[kind].append(batch(of, table))
        rows |= {
            "files": arguments.files,
            **{
                f"{kind}{name}": value
                for kind in loops
                for name, value in (
                    ("loop_clips_per_s", median(loops[kind])),
                    ("batch_clips_per_s", median(batches[kind])),
                    ("ratio", median(batches[kind]) / median(loops[kind])),
                )
            },
            "stacked_clips_per_s": stacked(),
        }
    keep("batch", rows)


if __name__ == "__main__":
    main()
