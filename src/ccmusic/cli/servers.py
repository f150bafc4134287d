"""Commands that start servers: dashboard, serve."""

from __future__ import annotations

from typing import Annotated

import typer

from ccmusic.errors import MissingExtraError

_Host = Annotated[str, typer.Option(help="Address to listen on; localhost keeps it private.")]


def dashboard(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8501,
    host: _Host = "localhost",
) -> None:
    """Open the dashboard in the browser."""
    try:
        from ccmusic.dashboard import launch
    except ImportError:
        raise MissingExtraError("the dashboard", "dashboard") from None
    launch(host=host, port=port)


def serve(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0: any.")] = 8000,
    host: _Host = "localhost",
    token: Annotated[
        str | None,
        typer.Option(
            envvar="CCMUSIC_TOKEN",
            help="Bearer token that clients must send. The environment variable keeps it out of "
            "process lists.",
        ),
    ] = None,
    max_megabytes: Annotated[int, typer.Option(min=1, help="Maximum upload size in MB.")] = 50,
    max_minutes: Annotated[
        float, typer.Option(min=0, help="Maximum length of a recording in minutes.")
    ] = 180,
    timeout: Annotated[
        float, typer.Option(min=1, help="Time limit of a request in seconds.")
    ] = 120,
    queue: Annotated[
        int, typer.Option(min=1, help="Maximum number of running requests; others get 429.")
    ] = 64,
) -> None:
    """Start the HTTP service (extra `api`): verdicts, spectrograms, the list of models.

    Interactive documentation is at `/docs`.
    """
    try:
        from ccmusic.service import Limits, launch
    except ImportError:
        raise MissingExtraError("the HTTP service", "api") from None
    limits = Limits(megabytes=max_megabytes, minutes=max_minutes, seconds=timeout, queue=queue)
    launch(host=host, port=port, token=token, limits=limits)
