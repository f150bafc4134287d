"""Make ten checkpoints: ``python references/make.py DATA WORK``.

One command from the data to ten files and their panel cards. WORK gets

- ``material``, by ``references/gather.py``, and in it ``verdicts.csv``, by ``references/teach.py``;
- ``runs``, a training for each network, from the shipped checkpoint of its name;
- ``checkpoints``, what is to be shipped.

A network that is better on the songs of ``valid`` than its shipped predecessor takes its place;
otherwise the predecessor stays, measured anew. Run the command again to resume. With ``--only``
just these networks are trained; with ``--ship`` nothing is trained, and those whose training has
ended are exported.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ccmusic.card import ModelCard
from ccmusic.files import write
from ccmusic.options import ExportOptions, TrainOptions
from ccmusic.workshop.data import read_manifest
from ccmusic.workshop.evaluate import Logits, fit_temperature, measure, measure_panel, predict_split
from ccmusic.workshop.export import export
from ccmusic.workshop.train import train
from ccmusic.zoo import SHIPPED, Checkpoint, store
from gather import gather
from networks import NETWORKS, names, options, views
from shared import checkpoint, parser_of
from teach import teach

LICENCE = (
    "MIT; trained in part on recordings whose rights were never cleared (commercial songs, GTZAN, "
    "Homburg, MIR-1K) and on CC BY-NC-SA ones (Emotify): see NOTICE"
)


def make(data: Path, work: Path, *, only: Sequence[str] = (), ship: bool = False) -> None:
    """Do all steps that are still to do."""
    material = work / "material"
    manifest, verdicts = material / "clips.csv", material / "verdicts.csv"
    if not verdicts.exists():
        gather(data, material)
        teach(manifest, verdicts, views(material))
    for name in [] if ship else only or names():
        # What is finished may have become the shipped checkpoint from which it would begin.
        if name not in trained(work):
            train(manifest, work / "runs" / name, TrainOptions(**options(work, name)))
    if not only:
        finish(work)


def finish(work: Path) -> None:
    """Choose and measure the ten, and the panels.

    Temperature and bands are those of the songs, by artists that nothing has learnt: such songs are
    what users bring, and probabilities must be true for them.
    """
    material, out = work / "material", work / "checkpoints"
    candidates = [
        *(checkpoint(SHIPPED, name) for name in names()),
        *(exported(work, name) for name in trained(work)),
    ]
    recordings, logits = predict_split(candidates, material / "clips.csv", "valid")
    sure = {r.key for r in read_manifest(material / "songs.csv") if r.split == "high"}
    songs = [number for number, recording in enumerate(recordings) if recording.key in sure]
    their = [recordings[number] for number in songs]
    best: dict[str, tuple[ModelCard, Sequence[Logits]]] = {}
    worth: dict[str, float] = {}
    for candidate, everything in zip(candidates, logits, strict=True):
        of_songs, classes = [everything[number] for number in songs], candidate.card.classes
        temperature = fit_temperature(of_songs, their, classes)
        unknown = measure(of_songs, their, classes, temperature=temperature, split="songs")
        metrics = measure(
            everything, recordings, classes, temperature=temperature, split="valid", refit=False
        )
        card = candidate.card.model_copy(
            update={"temperature": temperature, "metrics": metrics, "unknown_sources": unknown}
        )
        print(f"{card.name}: {unknown.accuracy:.3f} / {unknown.macro_recall:.3f}")
        if unknown.accuracy > worth.get(card.name, -1):
            worth[card.name], best[card.name] = unknown.accuracy, (card, everything)
            store(card, candidate.path.read_bytes(), out)
    unrated = [f"--only {name}" for name, (card, _) in best.items() if not card.faithfulness]
    if unrated:
        print("maps not rated; run:", "python references/faithfulness.py", material, end=" ")
        print("--checkpoints", out, *unrated)
    (out / "panels").mkdir(exist_ok=True)
    for panel, members in (("all", names()), ("cqt", names("cqt")), ("mel", names("mel"))):
        cards = [best[name][0] for name in members]
        together = [best[name][1] for name in members]
        on_songs = [[everything[number] for number in songs] for everything in together]
        their_worth = measure_panel(cards, their, on_songs, split="songs")
        measured = measure_panel(cards, recordings, together, split="valid")
        update = {"unknown_sources": their_worth.metrics, "pairs": their_worth.pairs}
        measured = measured.model_copy(update=update)
        write(out / "panels" / f"{panel}.json", measured.to_json().encode())


def trained(work: Path) -> list[str]:
    """Names of the networks whose training has ended."""
    return [name for name in names() if (work / "runs" / name / "weights.pt").exists()]


def exported(work: Path, name: str) -> Checkpoint:
    """Export a trained network."""
    plan = options(work, name)
    training = NETWORKS[plan["backbone"]]
    width = f", 1/{training.width_divisor} of its width" if training.width_divisor > 1 else ""
    note = (
        f"Began as {training.began_as}{width}; from the weights of an earlier training, "
        f"{plan['epochs']} passes over crops and {plan['final_epochs']} over whole pictures, of "
        "which commercial songs were two thirds. Labels, verdicts of linear classifiers on "
        "features of musicnn and YAMNet, 100 tags of musicnn, and 145 scores of YAMNet."
    )
    return export(
        work / "runs" / name / "weights.pt",
        work / "material" / "clips.csv",
        ExportOptions(data_note=note, licence=LICENCE),
        out=work / "exported",
    )


if __name__ == "__main__":
    parser = parser_of(__doc__, "data", "work")
    parser.add_argument("--only", action="append", choices=names(), default=[])
    parser.add_argument("--ship", action="store_true")
    make(**vars(parser.parse_args()))
