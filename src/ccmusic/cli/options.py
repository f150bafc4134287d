"""Options and output that several commands share."""

from __future__ import annotations

import codecs
import inspect
import json
import re
import sys
from collections.abc import Callable, Iterable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, get_args

import typer
from pydantic import BaseModel, Field
from pydantic.fields import FieldInfo

from ccmusic.audio import Channel, Crop, Source, named
from ccmusic.edits import Change, Edit, Without, arrange
from ccmusic.errors import CCMusicError, ParameterError
from ccmusic.escaping import CONTROL, printable
from ccmusic.spectrogram import TransformChoice, TransformName
from ccmusic.texts import default_language, localized

TransformOption = Annotated[TransformName, typer.Option(help="Spectrogram that the models use.")]
PanelOption = Annotated[
    TransformChoice, typer.Option(help="Spectrogram that the models use, or both.")
]


def _crop_option(*others: str, more: str = "") -> Any:
    """Option for the window: one of the names, or its first second.

    Typer knows no type that is either; what the command gets has been checked here.
    """
    names = (*get_args(Crop), *others)

    def parse(text: str) -> str | float:
        if text in names:
            return text
        try:
            seconds = float(text)
        except ValueError:
            seconds = -1.0
        if not 0 <= seconds < float("inf"):
            raise typer.BadParameter(f"{text!r} is neither {', '.join(names)} nor a second.")
        return seconds

    return typer.Option(
        parser=parse,
        metavar=f"[{'|'.join(names)}|SECONDS]",
        autocompletion=lambda: list(names),
        help=f"The 10 s to judge: where in the piece, or from which second on{more}. Of a piece "
        "that ends before: its last 10 s.",
    )


CropOption = Annotated[Any, _crop_option()]
CropOrWholeOption = Annotated[
    Any, _crop_option("whole", more="; `whole`: all of it, 10 s after 10 s, and the mean")
]
ModelsOption = Annotated[
    str | None, typer.Option(metavar="NAME,...", help="Only these checkpoints or backbones.")
]
FileArgument = Annotated[
    str, typer.Argument(metavar="FILE", help="Recording; - for standard input.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
ManifestOption = Annotated[
    Path,
    typer.Option(
        "--data", metavar="CSV", help="Manifest with the columns path, genre, group, split."
    ),
]


class EditOptions(BaseModel):
    """What commands can do to the sound before it is judged."""

    without: list[str] | None = Field(
        None,
        json_schema_extra={"metavar": "64-127Hz,2-4s"},
        description="Remove this band, or these seconds of the piece, or the band in the seconds; "
        "may be given several times.",
    )
    pitch: float | None = Field(None, description="Semitones up, -12 to 12; the tempo stays.")
    tempo: float | None = Field(
        None, description="How many times as fast, 0.5 to 2; the pitch stays."
    )
    highpass: float | None = Field(None, description="Remove what is below this, hertz.")
    lowpass: float | None = Field(None, description="Remove what is above this, hertz.")
    noise: float | None = Field(None, description="Add white noise, so many dB below the sound.")
    gain: float | None = Field(None, description="Make it louder by so many dB.")
    channel: Channel | None = Field(
        None, description="Take this channel alone, not the mean of all."
    )

    def edits(self, crop: str | float) -> tuple[Edit, ...]:
        """The channel first, then what is removed, then the changes.

        Raises
        ------
        ParameterError
            If one has a value that it cannot have, or the whole piece is to be judged.
        """
        given = {name: getattr(self, name) for name in Change.names}
        changes = {name: value for name, value in given.items() if value is not None}
        found = arrange(self.channel, map(Without.parse, self.without or ()), changes)
        if found and crop == "whole":
            raise ParameterError("edited_whole")
        return found


def output_option(metavar: str, help: str) -> Any:
    """Option for what a command writes."""
    return typer.Option("--output", "-o", metavar=metavar, help=help)


STDIN = "standard input"
_STDIN_MOST = 1 << 30
_BLOCK = 1 << 20


def say(english: str) -> None:
    """Print a sentence in the default language."""
    print(printable(localized(english)))


def complain(trouble: str | CCMusicError) -> None:
    """Print an error line; of an error, its text in the default language.

    The library names a parameter as in Python, `final_epochs`; here it is an option.
    """
    language = default_language()
    line = localized(trouble) if isinstance(trouble, str) else trouble.message(language)
    line = re.sub("`([a-z_]+)`", lambda name: f"--{name[1].replace('_', '-')}", line)
    print(f"ccmusic: {printable(line)}", file=sys.stderr)


def print_table(headings: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
    """Print a table; the headings are sentences, the cells stand as they are."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(*map(localized, headings))
    for row in rows:
        table.add_row(*(escape(printable(text)) for text in row))
    Console().print(table)


def print_json(value: Any) -> None:
    """Print a value as one line of JSON."""
    # What an encoding lacks would be printed as \xe9 or \U0001f3b5, which JSON does not know.
    ascii_only = codecs.lookup(sys.stdout.encoding).name != "utf-8"
    text = json.dumps(value, ensure_ascii=ascii_only, allow_nan=False)
    # JSON escapes some of what has power over a terminal, but not all.
    print(CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text), flush=True)


def source_of(file: str) -> Source:
    """What a command reads for an argument: the file, or for ``-`` all of standard input.

    Raises
    ------
    CCMusicError
        If standard input is a terminal, or holds too much.
    """
    if file != "-":
        return file
    if sys.stdin is None or sys.stdin.isatty():
        raise CCMusicError(f"{STDIN}: nothing is piped into it; give a file instead of -")
    content = named(b"", STDIN)  # formats are told apart, and read, back and forth
    while block := sys.stdin.buffer.read(_BLOCK):
        if content.tell() + len(block) > _STDIN_MOST:
            raise CCMusicError(
                f"{STDIN}: more than {_STDIN_MOST >> 20} MB; save it and give the name of the file"
            )
        content.write(block)
    return content


def split_names(models: str | None) -> tuple[str, ...] | None:
    """Names of models from a comma-separated list; None if there is no list."""
    return tuple(name.strip() for name in models.split(",")) if models else None


def options_of(model: type[BaseModel]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Let a command take every field of a model as an option; it gets them as ``options``."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        arguments = [
            parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
            for name, parameter in inspect.signature(command, eval_str=True).parameters.items()
            if name != "options"
        ]
        fields = [_parameter(name, field) for name, field in model.model_fields.items()]

        @wraps(command)
        def wrapper(**given: Any) -> None:
            options = model(**{field.name: given.pop(field.name) for field in fields})
            command(**given, options=options)

        parameters = [*arguments, *fields]
        del wrapper.__wrapped__  # which has other parameters
        wrapper.__annotations__ = {p.name: p.annotation for p in parameters}
        wrapper.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        return wrapper

    return decorate


def _parameter(name: str, field: FieldInfo) -> inspect.Parameter:
    """Parameter of a command, as Typer reads it."""
    extra = field.json_schema_extra
    option = typer.Option(
        metavar=str(extra["metavar"]) if isinstance(extra, dict) else None,
        help=" ".join((field.description or "").split()),
        min=next((limit.ge for limit in field.metadata if hasattr(limit, "ge")), None),
        max=next((limit.le for limit in field.metadata if hasattr(limit, "le")), None),
    )
    # What may be several kinds is given as text.
    kind = str | None if str in get_args(field.annotation) else field.annotation
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=inspect.Parameter.empty if field.is_required() else field.default,
        annotation=Annotated[kind, option],
    )
