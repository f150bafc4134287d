"""Commands for single recordings: classify, spectrogram, report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ccmusic.cli.options import (
    STDIN,
    CropOption,
    FileArgument,
    JsonOption,
    ModelsOption,
    PanelOption,
    TransformOption,
    complain,
    print_json,
    source_of,
    split_names,
)
from ccmusic.errors import as_expected
from ccmusic.escaping import printable
from ccmusic.files import write
from ccmusic.genres import genre_name
from ccmusic.texts import Language

if TYPE_CHECKING:
    from ccmusic.analysis import Analysis


def classify(
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILE...", help="Recordings to classify; - for standard input."),
    ],
    transform: PanelOption = "cqt",
    models: ModelsOption = None,
    top_k: Annotated[int, typer.Option(min=1, help="Genres to show per model.")] = 3,
    as_json: JsonOption = False,
    crop: CropOption = "center",
) -> None:
    """Classify recordings with five networks, and show where they agree.

    With `--json`, one object per line and file. A file that fails is reported, the
    others are classified, and the exit status is 1.

    Example: `ccmusic classify song.mp3 other.flac --models resnet50,vgg19_bn`
    """
    from rich.console import Console
    from rich.progress import track

    from ccmusic.panel import Panel
    from ccmusic.schema import ErrorDocument
    from ccmusic.zoo import scan

    names = split_names(models)
    failed = False
    if names is None:
        for problem in scan()[1]:
            complain(str(problem))
            failed = True
    console = Console()
    with Panel.open(transform, names) as panel:
        progress = track(
            files,
            description="classify",
            console=Console(stderr=True),
            disable=len(files) == 1,
            transient=True,
        )
        for file in progress:
            try:
                analysis = panel.analyze(source_of(file), crop=crop)
            except Exception as error:  # one odd file must not take the others with it
                failed = True
                name = STDIN if file == "-" else file
                told = as_expected(error, name)
                if as_json:
                    print_json(ErrorDocument(file=name, error=str(told)).to_dict())
                else:
                    complain(str(told))
                continue
            failed |= any(v.error for v in analysis.verdicts.values())
            if as_json:
                print_json(analysis.to_dict(top_k=top_k))
            else:
                _print_analysis(console, analysis, top_k)
    if failed:
        raise typer.Exit(1)


def spectrogram(
    file: FileArgument,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="OUT.png", help="Output file.")],
    transform: TransformOption = "cqt",
    stage: Annotated[
        Literal["raw", "picture"],
        typer.Option(help="`raw`: levels in dB. `picture`: the 224 x 224 pixels the models see."),
    ] = "raw",
    crop: CropOption = "center",
) -> None:
    """Draw a spectrogram with axes and scale as a PNG."""
    from ccmusic import audio, plot
    from ccmusic.picture import Picture, Preprocessing

    clip = audio.load(source_of(file), crop=crop)
    preprocessing = Preprocessing.default(transform)
    drawn = preprocessing.transform(clip.samples)
    if stage == "raw":
        shown = plot.levels(drawn, preprocessing, start=clip.info.window_start)
    else:
        seen = Picture.from_spectrogram(drawn, preprocessing)
        shown = plot.picture(seen, start=clip.info.window_start)
    write(output, shown.png())


def report(
    file: FileArgument,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="OUT.html|.json|.csv", help="Output file.")
    ],
    transform: PanelOption = "cqt",
    language: Annotated[Language, typer.Option(help="Language of the HTML page.")] = "zh",
    crop: CropOption = "center",
) -> None:
    """Write an HTML, JSON, or CSV report for one recording.

    The HTML page contains its pictures and opens offline.
    """
    from ccmusic import report
    from ccmusic.api import analyze

    kind = report.kind_of(output)
    analysis = analyze(source_of(file), transform=transform, crop=crop)
    write(output, report.render(analysis, kind, language).encode())


def _print_analysis(console: Any, analysis: Analysis, top_k: int) -> None:
    from rich.markup import escape
    from rich.table import Column, Table

    info = analysis.clip.info
    console.print(
        f"[bold]{escape(printable(analysis.file))}[/bold]  {info.codec}, {info.sample_rate} Hz, "
        f"{info.duration:.1f} s, window {info.window_start:.1f} to {info.window_end:.1f} s",
        highlight=False,
    )
    for warning in analysis.clip.warnings:
        console.print(f"  [yellow]warning:[/yellow] {warning.message()}", highlight=False)
    if not analysis.verdicts:
        console.print(f"{analysis.message()}\n", highlight=False)
        return
    table = Table(
        Column("model", no_wrap=True), *(f"{k + 1}." for k in range(top_k)), "ms", "sure?"
    )
    for name, verdict in analysis.verdicts.items():
        if verdict.error:
            table.add_row(name, f"[red]error: {escape(printable(str(verdict.error)))}[/red]")
        else:
            cells = [_cell(*choice) for choice in verdict.top(top_k)]
            band = verdict.band
            worth = f"{band.level}: {band.accuracy:.0%} right" if band else ""
            padding = [""] * (top_k - len(cells))
            table.add_row(name, *cells, *padding, f"{verdict.latency_ms:.0f}", worth)
    if analysis.mean:
        ranking = sorted(analysis.mean.items(), key=lambda item: -item[1])[:top_k]
        cells = [_cell(*choice) for choice in ranking]
        table.add_section()
        table.add_row("mean", *cells, *[""] * (top_k - len(cells)), f"{analysis.elapsed_ms:.0f}")
    console.print(table)
    for name, verdict in analysis.verdicts.items():
        if verdict.votes:
            votes = ", ".join(f"{genre_name(g, 'en')} {n}" for g, n in verdict.votes.items())
            console.print(f"{name}, slices by first choice: {escape(votes)}", highlight=False)
    opinion = analysis.message()
    if analysis.agreement:
        apart = sum(not v.error for v in analysis.verdicts.values()) - analysis.agreement.models
        if apart:
            console.print(
                f"mean and agreement: {analysis.agreement.models} models with the same classes; "
                f"{apart} with others stand apart"
            )
        divergence = analysis.agreement.divergence_message()
        opinion += f" ({divergence})" if divergence else ""
    console.print(f"{opinion}\n", highlight=False)


def _cell(genre: str, probability: float) -> str:
    return f"{genre_name(genre, 'en')} {probability:.0%}"
