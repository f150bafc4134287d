"""Measure networks on music from sources that they did not learn.

    python references/left_out.py WORK mobilenet_v3_large_cqt --without pool

``valid`` has the sources of ``train`` and flatters. Here each network of ``references/make.py``
has a stand-in, trained in the same way, in fewer passes, without the recorded collections and the
songs of generators that sing; the stand-in is measured on these. ``left_out/NAME.json`` gets
its metrics on unknown sources and on ``valid``, and the temperature that fits each.

The first weights, those of version 0.1, had learnt from the greater part of these sources nothing:
only four songs of fretsonfire-songs-muldjord with their label, and pieces of tannerhelland,
ultrastar and opensurge without one.
``references/make.py`` runs this for its ten networks, in its folder WORK. With ``--without`` the
stand-in learns without one ingredient, which tells what the ingredient brings.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ccmusic.audio import CLIP_SECONDS
from ccmusic.axes import orient
from ccmusic.card import Metrics
from ccmusic.files import replacing, write
from ccmusic.genres import GENRES
from ccmusic.options import TrainOptions
from ccmusic.picture import Pixels, Preprocessing, resize, scale
from ccmusic.verdict import softmax
from ccmusic.workshop import train as training
from ccmusic.workshop.data import read_manifest, read_table
from ccmusic.workshop.evaluate import fit_temperature, held_out, measure
from ccmusic.workshop.runs import load_weights
from ccmusic.workshop.train import predict
from gather import write_table
from networks import options, views
from teach import LEFT_OUT, teach

UNKNOWN = (*LEFT_OUT["recorded"], "acestep1", "acestep15", "yue", "diffrhythm")
EPOCHS = 3
CLASSES = tuple(GENRES)
INGREDIENTS = ("augmentation", "log-mel", "pool", "second collection", "yamnet")
_SECOND = ("mir1k", "ragaveda", "savage-world", "savage-songspeech")
"""What the stand-ins know of the collections that came after version 0.1."""


def stand_in(work: Path, name: str, without: str = "") -> Path:
    """Train and measure the stand-in of a network; return the path of its figures."""
    material, out = work / "material", work / "left_out" / without
    figures = out / f"{name}.json"
    if figures.exists():
        return figures
    known, unknown = split(material, out, without)
    verdicts = out / "verdicts.csv"
    if not verdicts.exists():
        teach(known, verdicts, views(material, yamnet=without != "yamnet"))
    chosen = {**options(work, name), "label_teacher": verdicts, "epochs": EPOCHS, "final_epochs": 0}
    if without == "yamnet":
        chosen["soft_targets"] = material / "tags.csv"
    if without == "augmentation":
        trainer: Any = training
        trainer.random_picture, trainer._MIXED = plain_picture, 0.0
    weights = training.train(known, out / name, TrainOptions(**chosen))
    network, plan = load_weights(weights)
    preprocessing = Preprocessing.default(plan.transform)
    found: dict[str, Any] = {}
    for manifest, part in ((known, "valid"), (unknown, "unknown")):
        recordings, pictures = held_out(manifest, CLASSES, preprocessing, split=part)
        logits = predict(network, pictures, preprocessing)
        temperature = fit_temperature(logits, recordings, CLASSES)
        metrics = measure(logits, recordings, CLASSES, temperature=temperature, split=part)
        found[part] = {"temperature": temperature, "metrics": metrics.model_dump(mode="json")}
        with replacing(out / name / f"{part}.npy") as beside, beside.open("wb") as file:
            np.save(file, logits)
    write(figures, json.dumps(found, indent=1).encode())
    return figures


def together(work: Path, names: Sequence[str]) -> Metrics:
    """Metrics of the mean of stand-ins on unknown sources."""
    out = work / "left_out"
    _, unknown = split(work / "material", out)
    recordings = read_manifest(unknown)
    shares = []
    for name in names:
        temperature = json.loads((out / f"{name}.json").read_text())["unknown"]["temperature"]
        shares.append(softmax(np.load(out / name / "unknown.npy") / temperature))
    mean = np.log(np.mean(shares, axis=0))
    return measure(mean, recordings, CLASSES, temperature=1, split="unknown", refit=False)


def plain_picture(
    values: npt.NDArray[np.float16],
    preprocessing: Preprocessing,
    *,
    length: int,
    rng: np.random.Generator,
    **_: object,
) -> Pixels:
    """Crop a spectrogram and draw it, in place of ``ccmusic.workshop.augment.random_picture``."""
    transform, size = preprocessing.transform, preprocessing.size
    whole = 1 + int(CLIP_SECONDS * transform.sample_rate) // transform.hop_length
    frames = round(whole * length / size)
    start = rng.integers(0, max(1, values.shape[1] - frames + 1))
    cut = np.take(values, np.arange(start, start + frames), axis=1, mode="wrap")
    audible = np.maximum(cut, np.log(preprocessing.log_floor))
    along_x = preprocessing.orientation == "time_along_x"
    extent = (size, length) if along_x else (length, size)
    return resize(scale(orient(audible.astype(np.float32), preprocessing.orientation)), *extent)


def split(material: Path, out: Path, without: str = "") -> tuple[Path, Path]:
    """Write a manifest of the known sources and one of the unknown ones."""
    rows = read_table(material / "clips.csv", {"path", "genre", "source", "split"})
    known = [
        row
        for row in rows
        if row["source"] not in UNKNOWN
        and not (without == "log-mel" and row["source"] == "gtzanmel")
        and not (without == "pool" and not row["genre"])
        and not (without == "second collection" and row["source"] in _SECOND)
    ]
    unknown = [{**r, "split": "unknown"} for r in rows if r["source"] in UNKNOWN and r["genre"]]
    out.mkdir(parents=True, exist_ok=True)
    for name, chosen in (("known.csv", known), ("unknown.csv", unknown)):
        write_table(out / name, list(rows[0]), [list(row.values()) for row in chosen])
    return out / "known.csv", out / "unknown.csv"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("work", type=Path)
    parser.add_argument("name")
    parser.add_argument("--without", choices=INGREDIENTS, default="")
    print(stand_in(**vars(parser.parse_args())))
