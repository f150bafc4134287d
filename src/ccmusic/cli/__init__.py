"""The command line. Commands call the Python interface and print its results."""

from __future__ import annotations

import io
import sys

import typer

from ccmusic.cli import analyse, library, models, servers, training
from ccmusic.cli.options import complain, former_options
from ccmusic.errors import CCMusicError

app = typer.Typer(
    name="ccmusic",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="Five vision networks look at the spectrogram of your music and say which genre they see.",
)
app.command()(analyse.classify)

models_app = typer.Typer(invoke_without_command=True)
models_app.callback()(models.models)
models_app.command("remove")(models.models_remove)
app.add_typer(models_app, name="models")

app.command("import", cls=former_options(recipe="preprocessing"))(models.import_)
app.command()(analyse.spectrogram)
app.command()(analyse.report)
app.command()(library.batch)
app.command()(servers.dashboard)
app.command()(servers.serve)

data_app = typer.Typer(no_args_is_help=True, help="Prepare recordings to train and measure on.")
data_app.command("index")(training.data_index)
app.add_typer(data_app, name="data")

app.command(
    cls=former_options(
        start="init-from",
        thin="width-divisor",
        strip="crop-width",
        guide="feature-teacher",
        teacher="label-teacher",
    )
)(training.train)
app.command()(training.evaluate)
app.command()(training.calibrate)
app.command()(training.export)


def main() -> None:
    """Run the command line; an expected error is one line and exit status 1."""
    for stream in (sys.stdout, sys.stderr):
        # File names need not be valid text, but must be printable.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        app()
    except CCMusicError as error:
        complain(str(error))
        sys.exit(1)
    except Exception as error:
        if sys.flags.dev_mode:  # python -X dev -m ccmusic
            raise
        complain(f"unexpected {type(error).__name__}: {error}; details: python -X dev -m ccmusic")
        sys.exit(1)
