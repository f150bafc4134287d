"""Commands for checkpoints: models, models remove, import."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ccmusic.cli.options import (
    JsonOption,
    complain,
    print_json,
)

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
        table = Table(
            Column("model", no_wrap=True),
            "transform",
            "classes",
            "parameters",
            "size",
            "accuracy",
            "measured on",
        )
        for checkpoint in checkpoints:
            row = _model_row(checkpoint.card, checkpoint.path)
            metrics = checkpoint.card.metrics
            table.add_row(
                row["name"],
                row["transform"],
                str(len(row["classes"])),
                f"{row['parameters'] / 1e6:.1f} M",
                f"{row['size_bytes'] / 1e6:.1f} MB {row['precision']}",
                f"{metrics.accuracy:.1%}" if metrics else "unknown",
                f"{metrics.recordings} recordings ({metrics.split})" if metrics else "",
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
    print(f"removed {name}")


def import_(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help=".pt, .pth, .safetensors, or .onnx beside its card."),
    ],
    name: Annotated[str | None, typer.Option(help="Name of the checkpoint.")] = None,
    backbone: Annotated[
        str | None, typer.Option(help="torchvision's name, e.g. `resnet50`; recognised by default.")
    ] = None,
    classes: Annotated[
        str | None, typer.Option(metavar="FILE|A,B,C", help="Names of the classes, in order.")
    ] = None,
    preprocessing: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE",
            help="Picture it was trained on: `cqt`, `mel`, `ccmusic-cqt`, `ccmusic-mel`, "
            "`ccmusic-chroma`, or a JSON file.",
        ),
    ] = None,
    mean: Annotated[
        str | None,
        typer.Option(
            metavar="X|R,G,B|imagenet", help="Mean that was subtracted from pixels in 0..1."
        ),
    ] = None,
    std: Annotated[
        str | None,
        typer.Option(
            metavar="X|R,G,B|imagenet", help="Standard deviation that pixels were divided by."
        ),
    ] = None,
    activation: Annotated[
        Literal["relu", "gelu", "silu", "hardswish", "tanh"],
        typer.Option(help="Activation between linear layers, if the file does not tell."),
    ] = "relu",
    precision: Annotated[
        Literal["fp32", "fp16"], typer.Option(help="How to store the weights.")
    ] = "fp32",
) -> None:
    """Import your own weights (extra `torch`); nothing in the file is executed."""
    from ccmusic.workshop.importer import import_weights

    imported = import_weights(
        file,
        name=name,
        backbone=backbone,
        classes=classes,
        preprocessing=preprocessing,
        mean=mean,
        std=std,
        activation=activation,
        precision=precision,
    )
    for line in imported.message("en"):
        print(line)
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
        "accuracy": card.metrics.accuracy if card.metrics else None,
        "measured_on": card.metrics.split if card.metrics else None,
    }
