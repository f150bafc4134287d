"""Commands for checkpoints: models, models remove, import."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ccmusic.cli.options import (
    JsonOption,
    complain,
    options_of,
    print_json,
    say,
)
from ccmusic.options import ImportOptions
from ccmusic.texts import default_language, localized

if TYPE_CHECKING:
    from ccmusic.card import ModelCard


def models(context: typer.Context, as_json: JsonOption = False) -> None:
    """List the checkpoints: transform, classes, parameters, size, measured accuracy."""
    if context.invoked_subcommand:
        return
    from rich.console import Console
    from rich.table import Column, Table

    from ccmusic.zoo import scan

    checkpoints, problems = scan()
    if as_json:
        print_json([_model_row(c.card, c.path) for c in checkpoints])
    else:
        headings = map(
            localized, ("transform", "classes", "parameters", "size", "accuracy", "maps")
        )
        table = Table(
            Column(localized("model"), no_wrap=True),
            *(Column(heading, overflow="fold") for heading in headings),
            box=None,
            padding=(0, 1, 0, 0),
        )
        for checkpoint in checkpoints:
            row = _model_row(checkpoint.card, checkpoint.path)
            metrics = checkpoint.card.reliability
            table.add_row(
                row["name"],
                row["transform"],
                str(len(row["classes"])),
                f"{row['parameters'] / 1e6:.1f} M",
                f"{row['size_bytes'] / 1e6:.1f} MB {row['precision']}",
                localized(
                    f"{metrics.accuracy:.0%} of {metrics.recordings} ({metrics.split})"
                    if metrics
                    else "unknown"
                ),
                checkpoint.card.maps_message(default_language()),
            )
        Console().print(table)
    for problem in problems:
        complain(problem)
    if problems:
        raise typer.Exit(1)


def models_remove(
    name: Annotated[str, typer.Argument(metavar="NAME", help="One of your own checkpoints.")],
) -> None:
    """Delete one of your own checkpoints."""
    from ccmusic import zoo

    zoo.remove(name)
    say(f"removed {name}")


@options_of(ImportOptions)
def import_(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help=".pt, .pth, .safetensors, or .onnx with its card."),
    ],
    options: ImportOptions,
) -> None:
    """Import your own weights (extra `torch`); nothing in the file is executed."""
    from ccmusic.workshop.importer import import_weights

    imported = import_weights(file, options)
    for line in imported.message(default_language()):
        print(line)
    guesses = [key for key, _ in imported.notes if key == "recipe_guessed"]
    if guesses or (imported.mapping and imported.mapping.assumed):
        say("what is guessed or assumed can be given: --preprocessing, --activation")
    card = imported.checkpoint.card
    print(f"{card.name}: ccmusic classify SONG --transform {card.transform} --models {card.name}")


def _model_row(card: ModelCard, path: Path) -> dict[str, Any]:
    return {
        "name": card.name,
        "backbone": card.backbone,
        "transform": card.transform,
        "classes": list(card.classes),
        "parameters": card.parameters,
        "precision": card.precision,
        "size_bytes": path.stat().st_size if path.exists() else 0,
        "accuracy": card.reliability.accuracy if card.reliability else None,
        "measured_on": card.reliability.split if card.reliability else None,
        "maps": {kind: worth.removed for kind, worth in card.faithfulness.items()},
        "maps_better_than_chance": {
            kind: worth.better_than_chance for kind, worth in card.faithfulness.items()
        },
    }
