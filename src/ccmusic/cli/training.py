"""Commands of the workshop: data index, train, evaluate, calibrate, export."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ccmusic.cli.options import (
    JsonOption,
    ManifestOption,
    options_of,
    output_option,
    print_json,
    print_table,
    say,
)
from ccmusic.escaping import printable
from ccmusic.files import write
from ccmusic.genres import genre_name
from ccmusic.options import ExportOptions, TrainOptions
from ccmusic.texts import default_language, localized

if TYPE_CHECKING:
    from ccmusic.card import Metrics


def data_index(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="One folder per genre in it.")],
    labels: Annotated[
        Path | None,
        typer.Option(metavar="CSV", help="Genres from the columns path, genre[, group, split]."),
    ] = None,
    output: Annotated[Path | None, output_option("CSV", "DIR/clips.csv by default.")] = None,
    valid_share: Annotated[
        float, typer.Option(min=0.05, max=0.5, help="Share of each genre to hold out.")
    ] = 0.2,
    seed: Annotated[int, typer.Option(min=0, help="Of the random numbers.")] = 0,
) -> None:
    """Write a manifest of a folder of music with a split (extra `torch`).

    Recordings of one artist or album folder, and copies of a recording, stay in one split.
    """
    from rich.console import Console
    from rich.markup import escape

    from ccmusic.workshop.index import index

    found = index(folder, labels=labels, out=output, valid_share=valid_share, seed=seed)
    counts = (
        (genre, sides.pop("train", 0), sides.pop("valid", 0), sum(sides.values()) or "")
        for genre, sides in found.counts().items()
    )
    print_table(
        ("genre", "train", "valid", "unlabelled"),
        ((genre or "-", *map(str, numbers)) for genre, *numbers in counts),
    )
    for warning in found.warnings:
        label, told = localized("warning:"), escape(printable(localized(warning)))
        Console().print(f"[yellow]{label}[/yellow] {told}", highlight=False)
    print(found.manifest)


@options_of(TrainOptions)
def train(
    data: ManifestOption,
    output: Annotated[Path, output_option("DIR", "Folder of the run; an unfinished run goes on.")],
    options: TrainOptions,
) -> None:
    """Train a backbone on labelled recordings (extra `torch`).

    Run the same command again to resume an interrupted run. The result is `weights.pt` in the
    folder, for `ccmusic export`.
    """
    from ccmusic.workshop import train as training

    print(training.train(data, output, options))


def evaluate(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="Checkpoints to measure.")],
    data: ManifestOption,
    split: Annotated[str, typer.Option(help="Split of the manifest.")] = "valid",
    output: Annotated[
        Path | None,
        output_option("DIR", "Write plots of confusion and calibration into this folder."),
    ] = None,
    panel: Annotated[
        Path | None,
        typer.Option(metavar="JSON", help="Write the metrics of their mean."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Measure checkpoints on held-out recordings, one verdict per recording (extra `torch`).

    Several checkpoints are measured one by one, then together: their mean, and all pairs.
    """
    from ccmusic.workshop import evaluate as evaluation
    from ccmusic.workshop import metric_plots
    from ccmusic.zoo import find_one

    checkpoints = [find_one(name) for name in names]
    alone, together = evaluation.evaluate(checkpoints, data, split=split)
    measured = dict(zip([checkpoint.card.name for checkpoint in checkpoints], alone, strict=True))
    if len(alone) > 1:
        measured["mean"] = together.metrics
    if panel:
        write(panel, together.to_json().encode())
    if output:
        output.mkdir(parents=True, exist_ok=True)
        for name, metrics in measured.items():
            write(output / f"{name}-confusion.png", metric_plots.confusion(metrics))
            write(output / f"{name}-calibration.png", metric_plots.calibration(metrics))
    if as_json:
        for name, metrics in measured.items():
            print_json({"name": name, **metrics.model_dump(mode="json")})
        return
    for name, metrics in measured.items():
        _print_metrics(name, metrics)
    if together.pairs:
        print_table(
            ("pair", "accuracy of their mean", "one of them right"),
            (
                (" + ".join(pair.models), f"{pair.accuracy:.1%}", f"{pair.either:.1%}")
                for pair in together.pairs
            ),
        )


def _print_metrics(name: str, metrics: Metrics) -> None:
    accuracy, recall = (
        localized(f"{value:.1%} ({interval[0]:.1%} to {interval[1]:.1%})")
        for value, interval in (
            (metrics.accuracy, metrics.accuracy_interval),
            (metrics.macro_recall, metrics.macro_recall_interval),
        )
    )
    say(
        f"{name} on {metrics.recordings} recordings of {metrics.split}: accuracy {accuracy}, "
        f"macro recall {recall}, calibration error {metrics.calibration_error:.3f}"
    )
    language = default_language()
    print_table(
        ("genre", "recordings", "recall", "taken for"),
        (
            (
                genre_name(genre, language),
                str(metrics.support[genre]),
                f"{share:.0%}",
                metrics.taken_for(genre, language),
            )
            for genre, share in metrics.recall.items()
        ),
    )


def calibrate(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Checkpoint to calibrate.")],
    data: ManifestOption,
    store_as: Annotated[
        str | None,
        typer.Option("--store-as", metavar="NAME", help="Name of the calibrated copy."),
    ] = None,
    split: Annotated[str, typer.Option(help="Split of the manifest.")] = "valid",
) -> None:
    """Fit temperature and confidence bands to your own recordings (extra `torch`).

    Your own checkpoint is rewritten; a shipped one is copied under the name given by `--store-as`.
    """
    from ccmusic.workshop.evaluate import calibrate_stored

    before, stored = calibrate_stored(name, data, store_as=store_as, split=split)
    card = stored.card
    assert card.metrics is not None
    say(
        f"{stored.path}: temperature {before.temperature:.2f} -> {card.temperature:.2f}, "
        f"calibration error {card.metrics.calibration_error:.3f} "
        f"on {card.metrics.recordings} recordings"
    )


@options_of(ExportOptions)
def export(
    weights: Annotated[Path, typer.Argument(help="`weights.pt` of a finished training.")],
    data: ManifestOption,
    options: ExportOptions,
    output: Annotated[
        Path | None, output_option("DIR", "Output folder; by default that of your own checkpoints.")
    ] = None,
) -> None:
    """Export trained weights as a checkpoint: ONNX and a measured card (extra `torch`)."""
    from ccmusic.workshop.export import export as export_weights

    print(export_weights(weights, data, options, out=output).path)
