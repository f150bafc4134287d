"""Put the training material together: ``python references/gather.py DATA OUT --pool POOL``.

DATA holds ``clips.csv``, ``gtzan_mel.csv`` with its pictures, ``gtzan_mel.py``, which makes sound
of these, and what two taggers say of all clips. OUT gets

- ``clips.csv``, one manifest of everything, which ``ccmusic train --data`` takes;
- ``sounds``, a WAV of every log-Mel picture (Griffin-Lim, about a second each);
- ``tags.csv``, ``musicnn.npz`` and ``yamnet.npz``, for ``references/teach.py``;
- ``soft.csv``: the tags and YAMNet's scores of music, for ``ccmusic train --soft-targets``.

POOL is the folder of ``references/pool.py``, with ``tags.csv`` and ``musicnn.npz`` by
``references/tag.py`` and ``yamnet.npz`` by ``references/yamnet.py``. Other pieces of a source that
is known are left out of it: a test may hold them.

What is there already is not made again.
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile
from rich.progress import track

from ccmusic.audio import SAMPLE_RATE
from ccmusic.files import replacing
from ccmusic.workshop.data import read_soft_targets, read_table

Floats = npt.NDArray[np.float32]

_COLUMNS = ("path", "genre", "source", "group", "split", "licence")
_MUSIC = slice(132, 277)  # YAMNet's classes of music


def gather(data: Path, out: Path, pool: Path | None = None) -> Path:
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
    pools = [pool.resolve()] if pool else []
    for folder in pools:
        for row in read_table(folder / "pool.csv", {"known", *_COLUMNS} - {"genre", "split"}):
            if row["known"] != "source":
                renamed[row["path"]] = new = str(folder / row["path"])
                rows.append({**row, "path": new, "genre": "", "split": "pool"})
    manifest = out / "clips.csv"
    write_table(manifest, _COLUMNS, [[row[column] for column in _COLUMNS] for row in rows])

    tags: dict[str, Floats] = {}
    for path in (data / "teacher_tags.csv", *(folder / "tags.csv" for folder in pools)):
        values, names = read_soft_targets(path)
        tags |= {renamed[key]: value for key, value in values.items() if key in renamed}
    write_table(out / "tags.csv", ("path", *names), [[key, *row] for key, row in tags.items()])
    _join("teacher_features.npz", "musicnn.npz", data, out, pools, renamed)
    yamnet = _join("yamnet_features.npz", "yamnet.npz", data, out, pools, renamed)
    music = dict(zip(yamnet["path"].tolist(), yamnet["scores"][:, _MUSIC], strict=True))
    header = ("path", *names, *(f"yamnet:{i}" for i in range(_MUSIC.start, _MUSIC.stop)))
    soft = [[key, *row, *music[key]] for key, row in tags.items()]
    write_table(out / "soft.csv", header, soft)
    return manifest


def _join(
    theirs: str, ours: str, data: Path, out: Path, pools: list[Path], renamed: dict[str, str]
) -> dict[str, npt.NDArray[Any]]:
    """Write the features of the data and of the pool as one file, under the manifest's paths."""
    parts: dict[str, list[npt.NDArray[Any]]] = defaultdict(list)
    for path in (data / theirs, *(folder / ours for folder in pools)):
        with np.load(path, allow_pickle=False) as file:
            listed = [key in renamed for key in file["path"].tolist()]
            for key in file.files:
                parts[key].append(file[key][listed])
    joined = {key: np.concatenate(arrays) for key, arrays in parts.items()}
    joined["path"] = np.array([renamed[key] for key in joined["path"].tolist()])
    with replacing(out / ours) as beside, beside.open("wb") as written:
        np.savez(written, **joined)  # type: ignore[arg-type]
    return joined


def _rows(data: Path, name: str) -> list[dict[str, str]]:
    return read_table(data / name, {"path"})


def _module(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write_table(path: Path, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Write a CSV file."""
    with replacing(path) as beside, beside.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--pool", type=Path)
    print(gather(**vars(parser.parse_args())))
