"""Options and output that several commands share."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from ccmusic.audio import Crop
from ccmusic.escaping import CONTROL, printable
from ccmusic.spectrogram import TransformChoice, TransformName

TransformOption = Annotated[TransformName, typer.Option(help="Spectrogram that the models use.")]
PanelOption = Annotated[
    TransformChoice, typer.Option(help="Spectrogram that the models use, or both.")
]
CropOption = Annotated[Crop, typer.Option(help="Position of the 10 s window.")]
ModelsOption = Annotated[
    str | None, typer.Option(metavar="NAME,...", help="Only these checkpoints or backbones.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
ManifestOption = Annotated[
    Path,
    typer.Option(
        "--data", metavar="CSV", help="Manifest with the columns path, genre, group, split."
    ),
]


def complain(line: str) -> None:
    """Print an error line."""
    print(f"ccmusic: {printable(line)}", file=sys.stderr)


def print_json(value: Any) -> None:
    """Print a value as one line of JSON."""
    # JSON escapes some of what has power over a terminal, but not all.
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    print(CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text), flush=True)


def former_options(**names: str) -> type[TyperCommand]:
    """Command that also takes options by their former names, and prints the new ones."""

    class Command(TyperCommand):
        def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
            return super().parse_args(ctx, [_current(argument, names) for argument in args])

    return Command


def _current(argument: str, names: dict[str, str]) -> str:
    option, equals, value = argument.partition("=")
    if not option.startswith("--") or option[2:] not in names:
        return argument
    new = f"--{names[option[2:]]}"
    complain(f"{option} is now called {new}")
    return f"{new}{equals}{value}"


def split_names(models: str | None) -> tuple[str, ...] | None:
    """Names of models from a comma-separated list; None if there is no list."""
    return tuple(name.strip() for name in models.split(",")) if models else None
