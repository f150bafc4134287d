"""Make ten checkpoints: ``python references/make.py DATA WORK``.

One command from the data to ten files and their panel cards, which are to follow version 0.1.
WORK gets

- ``material``, by ``references/gather.py``, and in it ``verdicts.csv``, by ``references/teach.py``;
- ``earlier``, first weights, by ``references/earlier.py``;
- ``runs``, a training for each network;
- ``left_out``, their stand-ins, by ``references/left_out.py``;
- ``checkpoints``, what is to be shipped.

Run it again to resume. Two processes, one with ``--transform cqt`` and one with ``--transform
mel``, train on two cores once the material is there; a last run without it exports.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from ccmusic.card import ModelCard
from ccmusic.files import write
from ccmusic.options import TrainOptions
from ccmusic.spectrogram import TransformName
from ccmusic.workshop.evaluate import evaluate_panel, judge, measure
from ccmusic.workshop.export import export
from ccmusic.workshop.train import train
from ccmusic.zoo import Checkpoint, store
from earlier import earlier
from gather import gather
from left_out import stand_in, together
from networks import NETWORKS, names, options, views
from teach import teach

LICENCE = (
    "MIT; trained in part on recordings whose rights were never cleared (GTZAN, Homburg, MIR-1K) "
    "and on CC BY-NC-SA ones (Emotify): see NOTICE"
)


def make(data: Path, work: Path, transform: TransformName | None = None) -> None:
    """Do all steps that are still to do."""
    material = work / "material"
    manifest, verdicts = material / "clips.csv", material / "verdicts.csv"
    if not verdicts.exists():
        gather(data, material)
        teach(manifest, verdicts, views(material))
    earlier(manifest, work / "earlier")
    for name in names(transform):
        train(manifest, work / "runs" / name, TrainOptions(**options(work, name)))
    for name in names(transform):
        stand_in(work, name)
    if transform is None:
        ship(work, manifest)


def ship(work: Path, manifest: Path) -> None:
    """Export the ten, with the doubts of their stand-ins, and measure the panels."""
    out = work / "checkpoints"
    shipped = {name: finish(work, manifest, name) for name in names()}
    for panel, members in (("all", names()), ("cqt", names("cqt")), ("mel", names("mel"))):
        card = evaluate_panel([shipped[name] for name in members], manifest)
        card = card.model_copy(update={"unknown_sources": together(work, members)})
        (out / "panels").mkdir(exist_ok=True)
        write(out / "panels" / f"{panel}.json", card.to_json().encode())


def finish(work: Path, manifest: Path, name: str) -> Checkpoint:
    """Export a network, and doubt it as its stand-in must be doubted on unknown sources."""
    out = work / "checkpoints"
    path = out / f"{name}.json"
    if path.exists():
        return Checkpoint(ModelCard.read(path), path.with_suffix(".onnx"))
    plan = options(work, name)
    training = NETWORKS[plan["backbone"]]
    width = f", 1/{training.width_divisor} of its width" if training.width_divisor > 1 else ""
    exported = export(
        work / "runs" / name / "weights.pt",
        manifest,
        out=work / "exported",
        data=f"Began as {training.began_as}{width}; from the weights of version 0.1, "
        f"{plan['epochs']} passes over crops of all clips and {plan['final_epochs']} over whole "
        "pictures of the labelled ones. Labels, verdicts of linear classifiers on features of "
        "musicnn and YAMNet, 100 tags of musicnn, and 145 scores of YAMNet.",
        licence=LICENCE,
    )
    found = json.loads(stand_in(work, name).read_text())
    ratio = found["unknown"]["temperature"] / found["valid"]["temperature"]
    temperature = exported.card.temperature * ratio
    recordings, logits = judge(exported, manifest, "valid")
    classes = exported.card.classes
    metrics = measure(
        logits, recordings, classes, temperature=temperature, split="valid", refit=False
    )
    changes = {
        "temperature": temperature,
        "metrics": metrics,
        "unknown_sources": found["unknown"]["metrics"],
    }
    card = ModelCard.model_validate({**exported.card.model_dump(by_alias=True), **changes})
    return store(card, exported.path.read_bytes(), out)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--transform", choices=("cqt", "mel"))
    make(**vars(parser.parse_args()))
