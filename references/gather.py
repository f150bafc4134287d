"""Put the training material together: ``python references/gather.py DATA OUT``.

DATA holds ``clips.csv``, ``gtzan_mel.csv`` with its pictures, ``gtzan_mel.py``, which makes sound
of these, and what two taggers say of all clips. OUT gets

- ``clips.csv``, one manifest of everything, which ``ccmusic train --data`` takes;
- ``sounds``, a WAV of every log-Mel picture (Griffin-Lim, about a second each);
- ``tags.csv``, ``musicnn.npz`` and ``yamnet.npz``, for ``references/teach.py``.

What is there already is not made again.
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from rich.progress import track

from ccmusic.audio import SAMPLE_RATE
from ccmusic.files import replacing
from ccmusic.workshop.data import read_table

_COLUMNS = ("path", "genre", "source", "group", "split", "licence")


def gather(data: Path, out: Path) -> Path:
    """Write everything and return the manifest."""
    sounds = out / "sounds"
    sounds.mkdir(parents=True, exist_ok=True)
    rows = [
        {**row, "path": str((data / row["path"]).resolve())}
        for row in read_table(data / "clips.csv", set(_COLUMNS))
    ]
    renamed = {row["path"]: str((data / row["path"]).resolve()) for row in _rows(data, "clips.csv")}
    synthesis = _module(data / "gtzan_mel.py")
    for row in track(_rows(data, "gtzan_mel.csv"), description="sounds of log-Mel pictures"):
        sound = sounds / f"{row['group']}.wav"
        if not sound.exists():
            samples = synthesis.sound(synthesis.decibels(row))
            with replacing(sound) as beside:
                soundfile.write(beside, samples, SAMPLE_RATE, subtype="PCM_16", format="WAV")
        renamed[row["path"]] = str(sound.resolve())
        rows.append({**row, "path": renamed[row["path"]]})
    manifest = out / "clips.csv"
    _write(manifest, _COLUMNS, [[row[column] for column in _COLUMNS] for row in rows])
    tags = [[renamed[row.pop("path")], *row.values()] for row in _rows(data, "teacher_tags.csv")]
    _write(out / "tags.csv", ("path", *_rows(data, "teacher_tags.csv")[0])[1:], tags)
    for name, source in (("musicnn", "teacher_features"), ("yamnet", "yamnet_features")):
        with np.load(data / f"{source}.npz", allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files if key != "path"}
            paths = [renamed[path] for path in file["path"].tolist()]
        with replacing(out / f"{name}.npz") as beside, beside.open("wb") as written:
            np.savez(written, path=paths, **arrays)
    return manifest


def _rows(data: Path, name: str) -> list[dict[str, str]]:
    return read_table(data / name, {"path"})


def _module(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _write(path: Path, header: tuple[str, ...], rows: list[list[str]]) -> None:
    with replacing(path) as beside, beside.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    print(gather(**vars(parser.parse_args())))
