"""Put the training material together: ``python references/gather.py DATA OUT``.

DATA holds ``clips.csv``, ``gtzan_mel.csv`` with its pictures, ``gtzan_mel.py``, which makes sound
of these, and what two taggers say of all clips. OUT gets

- ``clips.csv``, one manifest of everything, which ``ccmusic train --data`` takes; its weights are
  those of :func:`weigh`;
- ``songs.csv``, the commercial songs of ``valid``, whose artists are in no training clip, as those
  of a user's songs; its splits are ``high`` and ``medium``, how sure the label is;
- ``tags.csv``, ``musicnn.npz`` and ``yamnet.npz``, for ``references/teach.py``;
- ``soft.csv``: the tags and YAMNet's scores of music, for ``ccmusic train --soft-targets``;
- ``sounds``, a WAV of every log-Mel picture (Griffin-Lim, about three seconds each).

Sounds that are there already are not made again.
"""

from __future__ import annotations

import importlib.util
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile
from rich.progress import track

from ccmusic.audio import SAMPLE_RATE
from ccmusic.files import replacing
from ccmusic.workshop.data import read_soft_targets, read_table
from shared import parser_of, write_table

Floats = npt.NDArray[np.float32]

_COLUMNS = ("path", "genre", "source", "group", "split", "licence", "recording", "weight")
_MUSIC = slice(132, 277)  # YAMNet's classes of music
SONGS = "songs"
"""Source of the commercial songs."""
OTHERS, PROLIFIC = 0.5, 0.5  # see weigh; chosen by references/tries.py


def gather(data: Path, out: Path) -> Path:
    """Write everything and return the manifest."""
    clips = read_table(data / "clips.csv", {*_COLUMNS, "confidence"} - {"recording", "weight"})
    pictures = read_table(data / "gtzan_mel.csv", {"path", "group", "kept"})
    renamed = {row["path"]: str((data / row["path"]).resolve()) for row in clips}
    sounds = (out / "sounds").resolve()
    renamed |= {row["path"]: str(sounds / f"{row['group']}.wav") for row in pictures}
    rows = [
        {**row, "path": renamed[row["path"]], "recording": recording(row)}
        for row in (*clips, *pictures)
    ]
    weights = weigh([(row["source"], row["group"]) for row in rows])
    for row, weight in zip(rows, weights, strict=True):
        row["weight"] = f"{weight:.4f}"
    sounds.mkdir(parents=True, exist_ok=True)
    manifest = out / "clips.csv"
    strangers = [
        {**row, "split": row["confidence"]}
        for row in rows
        if row["source"] == SONGS and row["split"] == "valid"
    ]
    for path, chosen in ((manifest, rows), (out / "songs.csv", strangers)):
        write_table(path, _COLUMNS, [[row[column] for column in _COLUMNS] for row in chosen])

    values, names = read_soft_targets(data / "teacher_tags.csv")
    tags = {renamed[key]: value for key, value in values.items()}
    write_table(out / "tags.csv", ("path", *names), [[key, *row] for key, row in tags.items()])
    _rename(data / "teacher_features.npz", out / "musicnn.npz", renamed)
    yamnet = _rename(data / "yamnet_features.npz", out / "yamnet.npz", renamed)
    music = dict(zip(yamnet["path"].tolist(), yamnet["scores"][:, _MUSIC], strict=True))
    header = ("path", *names, *(f"yamnet:{i}" for i in range(_MUSIC.start, _MUSIC.stop)))
    soft = [[key, *row, *music[key]] for key, row in tags.items()]
    write_table(out / "soft.csv", header, soft)

    missing = [row for row in pictures if not Path(renamed[row["path"]]).exists()]
    make = partial(_make_sound, data / "gtzan_mel.py")
    with ProcessPoolExecutor() as pool:
        made = pool.map(make, missing, [Path(renamed[row["path"]]) for row in missing])
        for _ in track(made, description="sounds of log-Mel pictures", total=len(missing)):
            pass
    return manifest


def _make_sound(synthesis_path: Path, picture: dict[str, str], sound: Path) -> None:
    synthesis = _module(synthesis_path)
    samples = synthesis.sound(synthesis.decibels(picture))
    with replacing(sound) as beside:
        soundfile.write(beside, samples, SAMPLE_RATE, subtype="PCM_16", format="WAV")


def recording(row: dict[str, str]) -> str:
    """Song of a clip, whose group is the artist; of other clips the group is the recording."""
    return Path(row["path"]).stem.partition("-")[0] if row["source"] == SONGS else row["group"]


def weigh(
    clips: Sequence[tuple[str, str]], *, others: float = OTHERS, prolific: float = PROLIFIC
) -> list[float]:
    """How often training sees each clip in a pass.

    Parameters
    ----------
    clips
        Source and group of each.
    others
        Of a clip that is no song.
    prolific
        An artist's n songs weigh n to the power of minus this each; that of all songs in the mean
        is 1.
    """
    artists = Counter(group for source, group in clips if source == SONGS)
    total = sum(n ** (1 - prolific) for n in artists.values())
    mean = total / max(1, artists.total())
    return [
        artists[group] ** -prolific / mean if source == SONGS else others for source, group in clips
    ]


def _rename(theirs: Path, ours: Path, renamed: dict[str, str]) -> dict[str, npt.NDArray[Any]]:
    """Write a file of features under the manifest's paths."""
    with np.load(theirs, allow_pickle=False) as file:
        content = dict(file)
    content["path"] = np.array([renamed[key] for key in content["path"].tolist()])
    with replacing(ours) as beside, beside.open("wb") as written:
        np.savez(written, **content)
    return content


@cache
def _module(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    print(gather(**vars(parser_of(__doc__, "data", "out").parse_args())))
