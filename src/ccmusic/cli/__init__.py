"""The command line. Commands call the Python interface and print its results."""

from __future__ import annotations

import io
import sys

import typer

from ccmusic.cli import analyse, doctor, library, models, servers, training
from ccmusic.cli.help import App
from ccmusic.cli.options import complain
from ccmusic.errors import CCMusicError
from ccmusic.texts import default_language, localized, translate

_USE, _OWN, _TRAINING, _SERVERS = "Use", "Your own models", "Training", "Servers"

app = App(
    name="ccmusic",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="Five vision networks look at the spectrogram of your music and say which genre they see.",
)
app.callback()(doctor.root)

models_app = App(invoke_without_command=True)
models_app.callback()(models.models)
models_app.command("remove")(models.models_remove)
data_app = App(no_args_is_help=True, help="Prepare recordings to train and measure on.")
data_app.command("index")(training.data_index)

# Groups are listed in the order of their first command.
for command in (
    *(analyse.classify, analyse.report, analyse.spectrogram),
    *(library.batch, library.tags, doctor.doctor),
):
    app.command(rich_help_panel=_USE)(command)
app.add_typer(models_app, name="models", rich_help_panel=_OWN)
app.command("import", rich_help_panel=_OWN)(models.import_)
app.add_typer(data_app, name="data", rich_help_panel=_TRAINING)
for command in (training.train, training.evaluate, training.calibrate, training.export):
    app.command(rich_help_panel=_TRAINING)(command)
for command in (servers.dashboard, servers.serve):
    app.command(rich_help_panel=_SERVERS)(command)


def main() -> None:
    """Run the command line; an expected error is one line and exit status 1."""
    for stream in (sys.stdout, sys.stderr):
        # File names need not be valid text, but must be printable.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        sys.exit(app(prog_name="ccmusic", standalone_mode=False))
    except typer.TyperException as error:  # of usage
        if error.message or error.format_message():  # else there was no command, but help
            context = getattr(error, "ctx", None)
            command = context.command_path if context else "ccmusic"
            told = localized(error.format_message().rstrip("."))
            complain(translate(default_language(), "cli.usage", error=told, command=command))
        sys.exit(error.exit_code)
    except CCMusicError as error:
        complain(error)
        sys.exit(1)
    except Exception as error:
        if sys.flags.dev_mode:  # python -X dev -m ccmusic
            raise
        complain(f"unexpected {type(error).__name__}: {error}; details: python -X dev -m ccmusic")
        sys.exit(1)
