"""What a bug report needs to say of an installation: version, doctor."""

from __future__ import annotations

import platform
from importlib import metadata
from typing import Annotated, Any

import typer

from ccmusic.cli.options import JsonOption, complain, print_json
from ccmusic.texts import localized
from ccmusic.version import __version__

_LIBRARIES = ("av", "numpy", "soxr", "pydantic", "typer")
_EXTRAS = ("torch", "streamlit", "fastapi", "pyarrow", "mutagen", "ray", "matplotlib")


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"ccmusic {__version__}")
        raise typer.Exit


def root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Options of the program itself."""


def doctor(as_json: JsonOption = False) -> None:
    """Describe this installation for a bug report, and load every model.

    The exit status is 1 if a model does not load. Nothing is sent anywhere; folders are named by
    their full paths.
    """
    from rich.cells import set_cell_size

    found = _examine()
    if as_json:
        print_json({**found, "problems": [str(problem) for problem in found["problems"]]})
    else:
        rows = {
            **{name: v or localized("not installed") for name, v in found["versions"].items()},
            "system": ", ".join((found["system"], localized(f"{found['cores']} cores"))),
            "providers": ", ".join(found["providers"]),
            **found["folders"],
            "models": ", ".join(found["models"]) or localized("none"),
        }
        for name, value in rows.items():
            print(set_cell_size(f"{localized(name)}:", 13), value)
        for problem in found["problems"]:
            complain(problem)
    if found["problems"]:
        raise typer.Exit(1)


def _examine() -> dict[str, Any]:
    from ccmusic import zoo
    from ccmusic.decode import FFMPEG
    from ccmusic.errors import CCMusicError, CheckpointError
    from ccmusic.panel import available_cores
    from ccmusic.runtime import onnxruntime

    checkpoints, errors = zoo.scan()
    loaded, problems = [], list[CCMusicError](errors)
    for checkpoint in checkpoints:
        try:
            checkpoint.open()
        except CheckpointError as error:
            problems.append(error)
        else:
            loaded.append(checkpoint.card.name)
    if not loaded:
        problems.append(CCMusicError(f"no model in {zoo.SHIPPED} loads; install ccmusic again"))
    return {
        "versions": {
            "ccmusic": __version__,
            "python": platform.python_version(),
            "onnxruntime": onnxruntime.__version__,
            "ffmpeg": FFMPEG,
            **{name: _version(name) for name in _LIBRARIES + _EXTRAS},
        },
        "system": platform.platform(),
        "cores": available_cores(),
        "providers": zoo.providers(),
        "folders": {"shipped": str(zoo.SHIPPED), "own": str(zoo.user_folder())},
        "models": loaded,
        "problems": problems,
    }


def _version(library: str) -> str | None:
    """Version of a library; None if it is not installed."""
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return None
