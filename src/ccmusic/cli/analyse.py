"""Commands for single recordings: classify, spectrogram, report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ccmusic.cli.options import (
    STDIN,
    CropOption,
    CropOrWholeOption,
    EditOptions,
    FileArgument,
    JsonOption,
    ModelsOption,
    PanelOption,
    TransformOption,
    complain,
    options_of,
    output_option,
    print_json,
    source_of,
    split_names,
)
from ccmusic.errors import as_expected
from ccmusic.escaping import printable
from ccmusic.files import write
from ccmusic.genres import genre_name
from ccmusic.texts import Language, default_language, localized, translate

if TYPE_CHECKING:
    from rich.table import Table

    from ccmusic.audio import Crop, Source
    from ccmusic.card import Band
    from ccmusic.edits import Edit
    from ccmusic.panel import Panel
    from ccmusic.result import PanelResult


@options_of(EditOptions)
def classify(
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILE...", help="Recordings to classify; - for standard input."),
    ],
    transform: PanelOption = "cqt",
    models: ModelsOption = None,
    top_k: Annotated[int, typer.Option(min=1, help="Genres to show per model.")] = 3,
    as_json: JsonOption = False,
    crop: CropOrWholeOption = "center",
    *,
    options: EditOptions,
) -> None:
    """Classify recordings with five networks, and show where they agree.

    With `--json`, one object per line and file. A file that fails is reported, the
    others are classified, and the exit status is 1.

    The sound may be edited first: the channel is taken, then regions are removed, then the rest
    is changed. The verdicts say so, and no measured accuracy stands beside them.

    Example: `ccmusic classify song.mp3 --without 64-127Hz --pitch 2`
    """
    from rich.console import Console
    from rich.progress import track

    from ccmusic.panel import Panel
    from ccmusic.schema import ErrorDocument
    from ccmusic.zoo import scan

    names, edits = split_names(models), options.edits(crop)
    failed = False
    if names is None:
        for problem in scan()[1]:
            complain(problem)
            failed = True
    console = Console()
    with Panel.open(transform, names) as panel:
        progress = track(
            files,
            description=localized("classifying"),
            console=Console(stderr=True),
            disable=len(files) == 1,
            transient=True,
        )
        for file in progress:
            try:
                analysis = _analyze(panel, source_of(file), crop, edits)
            except Exception as error:  # one odd file must not take the others with it
                failed = True
                name = STDIN if file == "-" else file
                told = as_expected(error, name)
                if as_json:
                    print_json(ErrorDocument(file=name, error=str(told)).to_dict())
                else:
                    complain(told)
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
    output: Annotated[Path, output_option("OUT.png", "Output file.")],
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


@options_of(EditOptions)
def report(
    file: FileArgument,
    output: Annotated[Path, output_option("OUT.html|.json|.csv", "Output file.")],
    transform: PanelOption = "cqt",
    models: ModelsOption = None,
    language: Annotated[
        Language | None,
        typer.Option(help="Language of the page; by default that of the locale."),
    ] = None,
    crop: CropOrWholeOption = "center",
    *,
    options: EditOptions,
) -> None:
    """Write an HTML, JSON, or CSV report for one recording.

    The HTML page contains its pictures and opens offline; its maps are measured, which takes some
    seconds. The sound may be edited first, as for `classify`.
    """
    from ccmusic import report
    from ccmusic.analysis import Analysis
    from ccmusic.panel import Panel

    kind, edits = report.kind_of(output), options.edits(crop)
    with Panel.open(transform, split_names(models)) as panel:
        analysis = _analyze(panel, source_of(file), crop, edits)
        if kind == "html" and isinstance(analysis, Analysis):
            analysis = panel.measure(analysis)
    write(output, report.render(analysis, kind, language or default_language()).encode())


def _analyze(
    panel: Panel, source: Source, crop: Crop | Literal["whole"] | float, edits: Sequence[Edit]
) -> PanelResult:
    if crop == "whole":
        return panel.analyze_whole(source)
    return panel.analyze(source, crop=crop, edits=edits)


def _print_analysis(console: Any, analysis: PanelResult, top_k: int) -> None:  # noqa: C901
    """Print the analysis in the default language, in 80 columns if it shows three genres."""
    from rich.markup import escape

    from ccmusic import edits
    from ccmusic.agreement import ballot
    from ccmusic.card import titles
    from ccmusic.report import clock, info_line, window_line

    language = default_language()

    def say(text: str) -> None:
        console.print(escape(printable(text)), highlight=False)

    clip = analysis.clip
    console.print(f"[bold]{escape(printable(analysis.file))}[/bold]", highlight=False)
    say(f"{info_line(clip, language)} · {window_line(clip, language)}")
    if clip.edits:
        say(edits.message(clip.edits, language))
    for warning in analysis.warnings:
        label = translate(language, "cli.warning")
        option = " (--crop)" if warning.code == "silence" else ""
        said = f"{warning.message(language)}{option}"
        console.print(f"[yellow]{label}[/yellow] {said}", highlight=False)
    opinion = analysis.message(language)
    if not analysis.verdicts:
        say(opinion)
        say("")
        return
    names = titles([verdict.card for verdict in analysis.verdicts.values()])
    console.print(_verdict_table(analysis, names, top_k))
    for name, verdict in analysis.verdicts.items():
        if verdict.error:
            failure = escape(printable(f"{names[name]}: {verdict.error.message(language)}"))
            console.print(f"[red]{failure}[/red]", highlight=False)
    for window in analysis.windows:
        cells = [_cell(*choice, language) for choice in window.top(top_k)]
        silent = translate(language, "timeline.silent")
        say(f"{clock(window.clip.info.window_start):>6}  {', '.join(cells) or silent}")
    votes_key = "whole.votes" if analysis.windows else "page.votes"
    for name, verdict in analysis.verdicts.items():
        if verdict.votes:
            votes = ballot(verdict.votes.items(), language)
            say(f"{names[name]}: {translate(language, votes_key, votes=votes)}")
    advice, agreement = analysis.advice, analysis.agreement
    if agreement:
        apart = sum(not v.error for v in analysis.verdicts.values()) - agreement.models
        if apart:
            say(translate(language, "page.apart", models=agreement.models, apart=apart))
        divergence = agreement.divergence_message(language)
        if divergence:
            opinion = translate(language, "cli.opinion", opinion=opinion, aside=divergence)
    why = analysis.why()
    reasons = [why.message(language)] if why else []
    for line in (opinion, *reasons, *(advice.message(language) if advice else ())):
        say(line)
    say("")


def _verdict_table(analysis: PanelResult, names: Mapping[str, str], top_k: int) -> Table:
    """A line for each model that has a verdict, and for their mean."""
    from rich.table import Column, Table

    language = default_language()
    table = Table(
        Column("", no_wrap=True),
        *(Column(f"{k + 1}", no_wrap=True) for k in range(top_k)),
        Column("ms", justify="right"),
        Column(translate(language, "cli.right"), justify="right"),
        box=None,
        padding=(0, 1, 0, 0),
    )

    def add(
        name: str, top: list[tuple[str, float]], ms: float, band: Band | None, style: str = ""
    ) -> None:
        cells = [_cell(*choice, language) for choice in top]
        padding = [""] * (top_k - len(cells))
        right = f"{band.accuracy:.0%}" if band else ""
        table.add_row(name, *cells, *padding, f"{ms:.0f}", right, style=style)

    for name, verdict in analysis.verdicts.items():
        if not verdict.error:
            add(names[name], verdict.top(top_k), verdict.latency_ms, verdict.band)
    if analysis.mean:
        mean, advice = translate(language, "page.mean_short"), analysis.advice
        band = advice.band if advice else None
        add(mean, analysis.top(top_k), analysis.elapsed_ms, band, "bold")
    return table


def _cell(genre: str, probability: float, language: Language) -> str:
    return f"{genre_name(genre, language)} {probability:.0%}"
