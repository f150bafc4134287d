"""Commands for folders of music: batch, tags."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ccmusic.cli.options import (
    CropOrWholeOption,
    ModelsOption,
    PanelOption,
    complain,
    output_option,
    print_table,
    say,
    split_names,
)
from ccmusic.errors import CCMusicError, MissingExtraError
from ccmusic.escaping import printable
from ccmusic.texts import localized

if TYPE_CHECKING:
    from ccmusic.batch.tags import Change


def batch(
    paths: Annotated[list[str], typer.Argument(metavar="PATH...", help="Recordings and folders.")],
    output: Annotated[Path, output_option("OUT", ".parquet, .csv or .jsonl to write.")],
    recursive: Annotated[
        bool, typer.Option("--recursive", help="Search folders within folders.")
    ] = False,
    transform: PanelOption = "cqt",
    models: ModelsOption = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Decoding processes; on Ray, cores. All cores by default."),
    ] = None,
    crop: CropOrWholeOption = "center",
    engine: Annotated[
        Literal["local", "ray"], typer.Option(help="`ray`: on a cluster (extra `ray`).")
    ] = "local",
    address: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT",
            help="Address of a Ray cluster; started on this machine by default.",
        ),
    ] = None,
) -> None:
    """Classify a library of music into one table; run the same command again to resume, or to add.

    An existing table gets the recordings that are new or have changed. A recording that fails
    becomes a row with an error.

    Example: `ccmusic batch music/ --recursive -o genres.parquet`
    """
    from ccmusic.batch import find_audio, run
    from ccmusic.batch.rows import Options
    from ccmusic.zoo import scan

    for problem in scan()[1] if models is None else ():
        complain(problem)
    passed_over: list[str] = []
    try:
        files = find_audio(paths, recursive=recursive, on_passed_over=passed_over.append)
    finally:
        _tell_passed_over(passed_over)
    with _batch_progress(len(files)) as show:
        summary = run(
            files,
            output,
            Options(transform, split_names(models), crop),
            workers=workers,
            engine=engine,
            address=address,
            on_progress=lambda so_far: show(so_far.recordings, so_far.failures),
        )
    if summary.damaged:
        complain(f"{summary.damaged} entries of the database were damaged; judged those again")
    say(f"{output}: {summary.recordings} recordings, {summary.failures} with errors")


def tags(
    table: Annotated[Path, typer.Argument(metavar="TABLE", help="What `batch` has written.")],
    threshold: Annotated[
        float, typer.Option(min=0, max=1, help="Minimum probability of a genre to become a tag.")
    ] = 0.7,
    yes: Annotated[bool, typer.Option("--yes", help="Write the tags.")] = False,
) -> None:
    """List the recordings of a table whose genre tags differ from its verdicts.

    Nothing is written without `--yes`.

    Example: `ccmusic tags genres.parquet`
    """
    from ccmusic.sandbox import Sandbox

    try:
        from ccmusic.batch import tags
    except ImportError:
        raise MissingExtraError("writing tags", "batch") from None
    failed: list[CCMusicError] = []
    with Sandbox(1, writable=True) as sandbox:
        planned = tags.plan(table, threshold=threshold, sandbox=sandbox)
        changes = list(_complaining(planned, failed))
        print_table(
            ("file", "genre now", "predicted genre", "probability"),
            ((c.path, c.before, c.after, f"{c.probability:.0%}") for c in changes),
        )
        if yes:
            written = tags.apply(changes, table, sandbox=sandbox)
            for change in _complaining(written, failed):
                print(printable(f"{change.path}: {change.after}"))
        else:
            say(f"{len(changes)} files differ; nothing was written, --yes writes")
    if failed:
        raise typer.Exit(1)


def _complaining(
    found: Iterable[Change | CCMusicError], failed: list[CCMusicError]
) -> Iterator[Change]:
    """Print the errors among them, and keep them."""
    for each in found:
        if isinstance(each, CCMusicError):
            complain(each)
            failed.append(each)
        else:
            yield each


def _tell_passed_over(paths: list[str]) -> None:
    kinds = Counter(
        localized("link to a folder") if Path(p).is_dir() else Path(p).suffix.lower() for p in paths
    )
    if kinds:
        told = ", ".join(f"{number} {kind}" for kind, number in kinds.most_common())
        complain(f"passed over, because it is not read: {told}; such as {min(paths)}")


@contextmanager
def _batch_progress(total: int) -> Iterator[Callable[[int, int], None]]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    progress = Progress(
        TextColumn("batch"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        TextColumn(f"{{task.fields[failures]}} {localized('failed')}"),
        console=Console(stderr=True),
        speed_estimate_period=60,
    )
    with progress:
        task = progress.add_task("batch", total=total, rate="", failures=0, start=False)

        def show(done: int, failures: int) -> None:
            if not progress.tasks[task].started:
                # Recordings of an earlier run must not count in the rate of this one.
                progress.update(task, completed=done)
                progress.start_task(task)
            speed = progress.tasks[task].speed
            rate = f"{speed:.1f}/s" if speed else ""
            progress.update(task, completed=done, failures=failures, rate=rate)

        yield show
