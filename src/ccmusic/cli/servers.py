"""Commands that serve: dashboard, serve."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ccmusic.errors import MissingExtraError

if TYPE_CHECKING:
    pass


def dashboard(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8501,
    host: Annotated[str, typer.Option(help="Address to listen on; localhost keeps it private.")] = (
        "localhost"
    ),
) -> None:
    """Open the dashboard in the browser."""
    try:
        from ccmusic.dashboard import launch
    except ImportError:
        raise MissingExtraError("the dashboard", "dashboard") from None
    launch(host=host, port=port)


def serve(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0: any.")] = 8000,
    host: Annotated[str, typer.Option(help="Address to listen on; localhost keeps it private.")] = (
        "localhost"
    ),
    token: Annotated[
        str | None,
        typer.Option(
            envvar="CCMUSIC_TOKEN",
            help="That clients must send. Better in the environment, where no list of processes "
            "shows it.",
        ),
    ] = None,
    max_megabytes: Annotated[int, typer.Option(min=1, help="Of one upload.")] = 50,
    max_minutes: Annotated[float, typer.Option(min=0, help="Of sound in one recording.")] = 180,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds for one request.")] = 120,
    queue: Annotated[
        int, typer.Option(min=1, help="Requests at once; the next one is told to come again.")
    ] = 64,
) -> None:
    """Answer over HTTP (extra `api`): verdicts, spectrograms, the list of models.

    The address `/docs` describes it all, and lets you try.
    """
    try:
        from ccmusic.service import Limits, launch
    except ImportError:
        raise MissingExtraError("the HTTP service", "api") from None
    limits = Limits(megabytes=max_megabytes, minutes=max_minutes, seconds=timeout, queue=queue)
    launch(host=host, port=port, token=token, limits=limits)
