"""The command line: every command calls what Python users call, and only prints."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ccmusic.audio import Crop
from ccmusic.errors import CCMusicError, MissingExtraError, as_expected
from ccmusic.escaping import CONTROL, printable
from ccmusic.files import write
from ccmusic.genres import genre_name
from ccmusic.spectrogram import TransformChoice, TransformName
from ccmusic.texts import Language

if TYPE_CHECKING:
    from ccmusic.analysis import Analysis
    from ccmusic.card import ModelCard

app = typer.Typer(
    name="ccmusic",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="Five vision networks look at the spectrogram of your music and say which genre they see.",
)

_TransformOption = Annotated[
    TransformName, typer.Option(help="Spectrogram that the models look at.")
]
_PanelOption = Annotated[
    TransformChoice, typer.Option(help="Spectrogram that the models look at, or both at once.")
]
_CropOption = Annotated[Crop, typer.Option(help="Which 10 s of the piece.")]
_ModelsOption = Annotated[
    str | None, typer.Option(metavar="NAME,...", help="Only these checkpoints or backbones.")
]
_JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
_ManifestOption = Annotated[
    Path,
    typer.Option(
        "--data", metavar="CSV", help="Manifest with the columns path, genre, group, split."
    ),
]


def main() -> None:
    """Run the command line; an expected error is one line and exit status 1."""
    for stream in (sys.stdout, sys.stderr):
        # A file's name need not be valid text; it must be printable all the same.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        app()
    except CCMusicError as error:
        _complain(str(error))
        sys.exit(1)
    except Exception as error:
        if sys.flags.dev_mode:  # python -X dev -m ccmusic
            raise
        _complain(f"unexpected {type(error).__name__}: {error}; details: python -X dev -m ccmusic")
        sys.exit(1)


def _complain(line: str) -> None:
    print(f"ccmusic: {printable(line)}", file=sys.stderr)


@app.command()
def classify(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Recordings to judge.")],
    transform: _PanelOption = "cqt",
    models: _ModelsOption = None,
    top_k: Annotated[int, typer.Option(min=1, help="Genres to show per model.")] = 3,
    as_json: _JsonOption = False,
    crop: _CropOption = "center",
) -> None:
    """Let five networks judge recordings, and show where they agree.

    With `--json`, one object per line and file. A file that fails is reported and the others go
    on; the exit status is then 1.

    Example: `ccmusic classify song.mp3 other.flac --models resnet50,vgg19_bn`
    """
    from rich.console import Console
    from rich.progress import track

    from ccmusic.analysis import analyze
    from ccmusic.panel import Panel
    from ccmusic.zoo import scan

    names = _names(models)
    failed = False
    if names is None:
        for problem in scan()[1]:
            _complain(str(problem))
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
                analysis = analyze(file, transform=transform, crop=crop, panel=panel)
            except Exception as error:  # one odd file must not take the others with it
                failed = True
                told = as_expected(error, file)
                if as_json:
                    _print_json({"file": file, "error": str(told)})
                else:
                    _complain(str(told))
                continue
            failed |= any(v.error for v in analysis.verdicts.values())
            if as_json:
                _print_json(analysis.to_dict())
            else:
                _print_analysis(console, analysis, top_k)
    if failed:
        raise typer.Exit(1)


models_app = typer.Typer(invoke_without_command=True)
app.add_typer(models_app, name="models")


@models_app.callback()
def models(context: typer.Context, as_json: _JsonOption = False) -> None:
    """List the checkpoints: transform, classes, parameters, size, measured accuracy."""
    if context.invoked_subcommand:
        return
    from rich.console import Console
    from rich.table import Column, Table

    from ccmusic.zoo import scan

    checkpoints, problems = scan()
    if as_json:
        _print_json([_model_row(c.card, c.path) for c in checkpoints])
    else:
        table = Table(
            Column("model", no_wrap=True),
            "transform",
            "classes",
            "parameters",
            "size",
            "accuracy",
            "measured on",
        )
        for checkpoint in checkpoints:
            row = _model_row(checkpoint.card, checkpoint.path)
            metrics = checkpoint.card.metrics
            table.add_row(
                row["name"],
                row["transform"],
                str(len(row["classes"])),
                f"{row['parameters'] / 1e6:.1f} M",
                f"{row['size_bytes'] / 1e6:.1f} MB {row['precision']}",
                f"{metrics.accuracy:.1%}" if metrics else "unknown",
                f"{metrics.recordings} recordings ({metrics.split})" if metrics else "",
            )
        Console().print(table)
    for problem in problems:
        _complain(str(problem))
    if problems:
        raise typer.Exit(1)


@models_app.command("remove")
def models_remove(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Checkpoint of your own.")],
) -> None:
    """Delete a checkpoint of your own."""
    from ccmusic import zoo

    zoo.remove(name)
    print(f"removed {name}")


@app.command("import")
def import_(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help=".pt, .pth, .safetensors, or .onnx beside its card."),
    ],
    name: Annotated[str | None, typer.Option(help="Name of the checkpoint.")] = None,
    backbone: Annotated[
        str | None, typer.Option(help="torchvision's name, e.g. `resnet50`; recognised by default.")
    ] = None,
    classes: Annotated[
        str | None, typer.Option(metavar="FILE|A,B,C", help="Names of the classes, in order.")
    ] = None,
    preprocessing: Annotated[
        str | None,
        typer.Option(
            "--preprocessing",
            "--recipe",
            metavar="NAME|FILE",
            help="Picture it was trained on: `cqt`, `mel`, `ccmusic-cqt`, `ccmusic-mel`, "
            "`ccmusic-chroma`, or a JSON file.",
        ),
    ] = None,
    mean: Annotated[float | None, typer.Option(help="Of the normalisation.")] = None,
    std: Annotated[float | None, typer.Option(help="Of the normalisation.")] = None,
    activation: Annotated[
        Literal["relu", "gelu", "silu", "hardswish", "tanh"],
        typer.Option(help="Between linear layers, where the file does not tell."),
    ] = "relu",
    precision: Annotated[
        Literal["fp32", "fp16"], typer.Option(help="How to store the weights.")
    ] = "fp32",
) -> None:
    """Bring your own weights into the panel (extra `torch`); nothing in the file is executed."""
    from ccmusic.workshop.importer import import_weights

    imported = import_weights(
        file,
        name=name,
        backbone=backbone,
        classes=classes,
        preprocessing=preprocessing,
        mean=mean,
        std=std,
        activation=activation,
        precision=precision,
    )
    for line in imported.message("en"):
        print(line)
    card = imported.checkpoint.card
    print(f"{card.name}: ccmusic classify SONG --transform {card.transform} --models {card.name}")


@app.command()
def spectrogram(
    file: Annotated[str, typer.Argument(metavar="FILE", help="Recording to draw.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="OUT.png", help="Where to.")],
    transform: _TransformOption = "cqt",
    stage: Annotated[
        Literal["raw", "picture"],
        typer.Option(help="`raw`: levels in dB. `picture`: the 224 x 224 pixels the models see."),
    ] = "raw",
    crop: _CropOption = "center",
) -> None:
    """Draw a spectrogram with axes and scale as a PNG."""
    from ccmusic import audio, plot
    from ccmusic.picture import Preprocessing, draw

    clip = audio.load(file, crop=crop)
    preprocessing = Preprocessing.default(transform)
    drawn = preprocessing.transform(clip.samples)
    if stage == "raw":
        png = plot.levels(drawn, preprocessing, start=clip.info.window_start)
    else:
        png = plot.picture(draw(drawn, preprocessing), start=clip.info.window_start)
    write(output, png)


@app.command()
def report(
    file: Annotated[str, typer.Argument(metavar="FILE", help="Recording to judge.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="OUT.html|.json|.csv", help="Where to.")
    ],
    transform: _PanelOption = "cqt",
    language: Annotated[Language, typer.Option(help="Of the HTML page.")] = "zh",
    crop: _CropOption = "center",
) -> None:
    """Write all that is to be said about a recording: a page with its pictures, JSON or CSV.

    The HTML page holds everything it needs and opens offline.
    """
    from ccmusic import report
    from ccmusic.analysis import analyze

    kind = report.kind_of(output)
    content = report.render(analyze(file, transform=transform, crop=crop), kind, language)
    write(output, content.encode())


@app.command()
def batch(
    paths: Annotated[list[str], typer.Argument(metavar="PATH...", help="Recordings and folders.")],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="OUT", help=".parquet, .csv or .jsonl to write."),
    ],
    recursive: Annotated[
        bool, typer.Option("--recursive", help="Search folders within folders.")
    ] = False,
    transform: _PanelOption = "cqt",
    models: _ModelsOption = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Processes that decode; on Ray, cores. All by default."),
    ] = None,
    window: Annotated[
        Literal["center", "whole"],
        typer.Option(help="One row per recording, or one for every 10 s of it."),
    ] = "center",
    engine: Annotated[
        Literal["local", "ray"], typer.Option(help="`ray`: on a cluster (extra `ray`).")
    ] = "local",
    address: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT", help="Of a Ray cluster; one on this machine by default."),
    ] = None,
    write_tags: Annotated[
        bool,
        typer.Option(
            "--write-tags", help="Compare the files' genre tags with OUT, made if need be."
        ),
    ] = False,
    threshold: Annotated[
        float, typer.Option(min=0, max=1, help="Probability that a genre needs to become a tag.")
    ] = 0.7,
    yes: Annotated[
        bool, typer.Option("--yes", help="With --write-tags: write them, having seen the list.")
    ] = False,
) -> None:
    """Judge a library of music into one table; interrupted, the same command goes on.

    A recording that fails is a row with an error. With `--write-tags` the differences between tags
    and verdicts are listed, and nothing is written without `--yes`.

    Example: `ccmusic batch music/ --recursive -o genres.parquet`
    """
    from ccmusic.batch import find_audio, run
    from ccmusic.batch.rows import Options
    from ccmusic.zoo import scan

    for problem in scan()[1] if models is None else ():
        _complain(str(problem))
    if not (write_tags and output.exists()):
        files = find_audio(paths, recursive=recursive)
        with _batch_progress(len(files)) as show:
            summary = run(
                files,
                output,
                Options(transform, _names(models), window),
                workers=workers,
                engine=engine,
                address=address,
                on_progress=lambda so_far: show(so_far.recordings, so_far.failures),
            )
        if summary.damaged:
            _complain(f"{summary.damaged} damaged lines of the journal; judged those files again")
        print(f"{output}: {summary.recordings} recordings, {summary.failures} with errors")
    if write_tags:
        _write_tags(output, threshold, write=yes)


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
        TextColumn("{task.fields[failures]} failed"),
        console=Console(stderr=True),
        speed_estimate_period=60,
    )
    with progress:
        task = progress.add_task("batch", total=total, rate="", failures=0, start=False)

        def show(done: int, failures: int) -> None:
            if not progress.tasks[task].started:
                # What an earlier run has done says nothing about the rate of this one.
                progress.update(task, completed=done)
                progress.start_task(task)
            speed = progress.tasks[task].speed
            rate = f"{speed:.1f}/s" if speed else ""
            progress.update(task, completed=done, failures=failures, rate=rate)

        yield show


def _write_tags(table: Path, threshold: float, *, write: bool) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from ccmusic.sandbox import Sandbox

    try:
        from ccmusic.batch import tags
    except ImportError:
        raise MissingExtraError("writing tags", "batch") from None
    differences = Table("file", "genre now", "genre heard", "probability")
    failed = False
    with Sandbox(1) as sandbox:
        changes = []
        for change in tags.plan(table, threshold=threshold, sandbox=sandbox):
            if isinstance(change, CCMusicError):
                _complain(str(change))
                failed = True
                continue
            changes.append(change)
            differences.add_row(
                escape(printable(change.path)),
                escape(printable(change.before)),
                change.after,
                f"{change.probability:.0%}",
            )
        Console().print(differences)
        if not write:
            print(f"{len(changes)} files differ; nothing was written, --yes writes")
        for change in changes if write else ():
            try:
                tags.write(change, sandbox=sandbox)
            except CCMusicError as error:
                _complain(str(error))
                failed = True
            else:
                print(printable(f"{change.path}: {change.after}"))
    if failed:
        raise typer.Exit(1)


@app.command()
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


@app.command()
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


data_app = typer.Typer(no_args_is_help=True, help="Prepare recordings to train and measure on.")
app.add_typer(data_app, name="data")


@data_app.command("index")
def data_index(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="One folder per genre in it.")],
    labels: Annotated[
        Path | None,
        typer.Option(metavar="CSV", help="Genres from the columns path, genre[, group, split]."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="CSV", help="DIR/clips.csv by default.")
    ] = None,
    valid_share: Annotated[
        float, typer.Option(min=0.05, max=0.5, help="Share of each genre to hold out.")
    ] = 0.2,
    seed: Annotated[int, typer.Option(min=0)] = 0,
) -> None:
    """Make a manifest of a folder of music, split without leaks (extra `torch`).

    Recordings of one artist, of one album folder, or with the same sound stay on one side.
    """
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from ccmusic.workshop.index import index

    found = index(folder, labels=labels, out=output, valid_share=valid_share, seed=seed)
    table = Table("genre", "train", "valid", "unlabelled")
    for genre, sides in found.counts().items():
        others = sum(n for side, n in sides.items() if side not in ("train", "valid"))
        table.add_row(
            genre or "-", str(sides.get("train", 0)), str(sides.get("valid", 0)), str(others or "")
        )
    console = Console()
    console.print(table)
    for warning in found.warnings:
        console.print(f"[yellow]warning:[/yellow] {escape(printable(warning))}", highlight=False)
    print(found.manifest)


@app.command()
def train(
    data: _ManifestOption,
    backbone: Annotated[str, typer.Option(help="Which network, e.g. `mobilenet_v3_large`.")],
    out: Annotated[Path, typer.Option(help="Folder of the run; an unfinished run is continued.")],
    transform: _TransformOption = "cqt",
    init_from: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Weights to begin with: `weights.pt` of another run, torchvision's, or a wheel "
            "with EfficientNet-Lite0's or CRAFT's.",
        ),
    ] = None,
    width_divisor: Annotated[
        int,
        typer.Option(
            min=1, help="So many times fewer channels; `--init-from` widens such weights."
        ),
    ] = 1,
    feature_teacher: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="`weights.pt` of a better network of this transform, to learn its features.",
        ),
    ] = None,
    soft_targets: Annotated[
        Path | None,
        typer.Option(metavar="CSV", help="Values in 0..1 per path, learnt beside the labels."),
    ] = None,
    label_teacher: Annotated[
        Path | None,
        typer.Option(metavar="CSV", help="Verdicts of a teacher, from `ccmusic teach`."),
    ] = None,
    epochs: Annotated[int, typer.Option(min=0, help="Passes over crops of pictures.")] = 20,
    crop_width: Annotated[int, typer.Option(min=32, help="Pixels of a crop along time.")] = 64,
    final_epochs: Annotated[int, typer.Option(min=0, help="Passes over whole pictures.")] = 2,
    batch_size: Annotated[int, typer.Option(min=2)] = 32,
    learning_rate: Annotated[float, typer.Option(min=0)] = 1e-3,
    patience: Annotated[
        int, typer.Option(min=0, help="Stop after so many passes without progress on valid; 0: no.")
    ] = 0,
    bf16: Annotated[bool, typer.Option(help="Compute in bfloat16.")] = False,
    seed: Annotated[int, typer.Option(min=0)] = 0,
) -> None:
    """Train a backbone on labelled recordings (extra `torch`).

    Interrupted, the same command goes on where it was. The result is `weights.pt` in the folder,
    ready for `ccmusic export`.
    """
    from ccmusic.workshop import train as training

    weights = training.train(
        data,
        out,
        backbone=backbone,
        transform=transform,
        init_from=init_from,
        width_divisor=width_divisor,
        feature_teacher=feature_teacher,
        soft_targets=soft_targets,
        label_teacher=label_teacher,
        epochs=epochs,
        crop_width=crop_width,
        final_epochs=final_epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        bf16=bf16,
        seed=seed,
        patience=patience,
    )
    print(weights)


@app.command()
def tag(
    data: _ManifestOption,
    musicnn: Annotated[
        Path, typer.Option(metavar="WHEEL", help="From `pip download --no-deps musicnn`.")
    ],
    features: Annotated[
        Path, typer.Option(metavar="NPZ", help="To write, for `ccmusic teach --features`.")
    ],
    soft_targets: Annotated[
        Path, typer.Option(metavar="CSV", help="To write, for `ccmusic train --soft-targets`.")
    ],
) -> None:
    """Let a public music tagger listen to all recordings of a manifest (extra `torch`).

    What it hears of much unlabelled music is what a network can learn from when labels are few.
    """
    from ccmusic.workshop import tagger

    tagger.tag(data, musicnn, features, soft_targets)
    print(features, soft_targets, sep="\n")


@app.command()
def teach(
    data: _ManifestOption,
    features: Annotated[
        Path, typer.Option(metavar="NPZ", help="`path` [n] and `features` [n, width] of a tagger.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="CSV", help="Where to.")],
) -> None:
    """Let a linear classifier on a tagger's features judge every recording (extra `torch`).

    Its verdicts are for `ccmusic train --label-teacher`.
    """
    from ccmusic.workshop import teacher

    print(teacher.teach(data, features, output))


@app.command()
def evaluate(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="Checkpoints to measure.")],
    data: _ManifestOption,
    split: Annotated[str, typer.Option(help="Split of the manifest.")] = "valid",
    pictures: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Draw confusion and calibration of each into a folder."),
    ] = None,
    panel: Annotated[
        Path | None,
        typer.Option(metavar="JSON", help="Write what they reach together, as their mean."),
    ] = None,
    as_json: _JsonOption = False,
) -> None:
    """Measure checkpoints on held-out recordings, one verdict per recording (extra `torch`).

    Several are measured one by one, then together: their mean, and every two of them.
    """
    from rich.console import Console
    from rich.table import Table

    from ccmusic import plot
    from ccmusic.workshop import evaluate as evaluation
    from ccmusic.zoo import find_one

    checkpoints = [find_one(name) for name in names]
    measured = {c.card.name: evaluation.evaluate(c, data, split=split) for c in checkpoints}
    together = None
    if len(checkpoints) > 1:
        together = evaluation.evaluate_panel(checkpoints, data, split=split)
        measured["mean"] = together.metrics
    if panel and together:
        write(panel, together.to_json().encode())
    if pictures:
        pictures.mkdir(parents=True, exist_ok=True)
        for name, metrics in measured.items():
            write(pictures / f"{name}-confusion.png", plot.confusion(metrics))
            write(pictures / f"{name}-calibration.png", plot.calibration(metrics))
    if as_json:
        for name, metrics in measured.items():
            _print_json({"name": name, **metrics.model_dump(mode="json")})
        return
    console = Console()
    for name, metrics in measured.items():
        console.print(
            f"{name} on {metrics.recordings} recordings of {split}: "
            f"accuracy {_with_interval(metrics.accuracy, metrics.accuracy_interval)}, "
            f"macro recall {_with_interval(metrics.macro_recall, metrics.macro_recall_interval)}, "
            f"calibration error {metrics.calibration_error:.3f}"
        )
        table = Table("genre", "recordings", "recall", "taken for")
        for genre, recall in metrics.recall.items():
            table.add_row(
                genre_name(genre, "en"),
                str(metrics.support[genre]),
                f"{recall:.0%}",
                metrics.taken_for(genre),
            )
        console.print(table)
    if together:
        table = Table("pair", "accuracy of their mean", "one of them right")
        for pair in together.pairs:
            table.add_row(" + ".join(pair.models), f"{pair.accuracy:.1%}", f"{pair.either:.1%}")
        console.print(table)


@app.command()
def calibrate(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Checkpoint to calibrate.")],
    data: _ManifestOption,
    output: Annotated[
        str | None,
        typer.Option("--as", metavar="NAME", help="Name of the calibrated copy."),
    ] = None,
    split: Annotated[str, typer.Option(help="Split of the manifest.")] = "valid",
) -> None:
    """Fit temperature and confidence bands to your own recordings (extra `torch`).

    A checkpoint of your own is rewritten; of a shipped one a copy is made, under a name of yours.
    """
    from ccmusic.errors import DataError
    from ccmusic.workshop import evaluate as evaluation
    from ccmusic.zoo import find_one, store, user_folder

    checkpoint = find_one(name)
    own = checkpoint.path.parent == user_folder()
    if output is None and not own:
        raise DataError(f"{name} is shipped with the program: name the calibrated copy with --as")
    before = checkpoint.card
    card = evaluation.calibrate(checkpoint, data, split=split)
    stored = store(card.renamed(output or name), checkpoint.path.read_bytes(), user_folder())
    assert card.metrics is not None
    print(
        f"{stored.path}: temperature {before.temperature:.2f} -> {card.temperature:.2f}, "
        f"calibration error {card.metrics.calibration_error:.3f} "
        f"on {card.metrics.recordings} recordings"
    )


@app.command()
def export(
    weights: Annotated[Path, typer.Argument(help="`weights.pt` of a finished training.")],
    data: _ManifestOption,
    data_note: Annotated[str, typer.Option(help="For the card: what it was trained on.")],
    licence: Annotated[str, typer.Option(help="For the card: licence of the weights.")],
    note: Annotated[
        list[str] | None, typer.Option(help="For the card: a known weakness; may be repeated.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder; by default the user's, where `classify` looks.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name; BACKBONE_TRANSFORM by default.")] = None,
    precision: Annotated[
        Literal["fp32", "fp16", "int8"], typer.Option(help="How to store the weights.")
    ] = "fp16",
) -> None:
    """Turn trained weights into a checkpoint, ONNX and measured card (extra `torch`)."""
    from ccmusic.workshop.export import export as export_weights

    checkpoint = export_weights(
        weights,
        data,
        out=out,
        name=name,
        precision=precision,
        data=data_note,
        licence=licence,
        notes=note or [],
    )
    print(checkpoint.path)


def _with_interval(value: float, interval: tuple[float, float]) -> str:
    return f"{value:.1%} ({interval[0]:.1%} to {interval[1]:.1%})"


def _names(models: str | None) -> tuple[str, ...] | None:
    return tuple(name.strip() for name in models.split(",")) if models else None


def _print_json(value: Any) -> None:
    # JSON escapes some of what has power over a terminal, but not all.
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    print(CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text), flush=True)


def _model_row(card: ModelCard, path: Path) -> dict[str, Any]:
    return {
        "name": card.name,
        "backbone": card.backbone,
        "transform": card.transform,
        "classes": list(card.classes),
        "parameters": card.parameters,
        "precision": card.precision,
        "size_bytes": path.stat().st_size if path.exists() else 0,
        "accuracy": card.metrics.accuracy if card.metrics else None,
        "measured_on": card.metrics.split if card.metrics else None,
    }


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
    if analysis.agreement:
        apart = sum(not v.error for v in analysis.verdicts.values()) - analysis.agreement.models
        if apart:
            console.print(
                f"mean and agreement: {analysis.agreement.models} models with the same classes; "
                f"{apart} with others stand apart"
            )
        console.print(
            f"{analysis.agreement.message()} (divergence {analysis.agreement.divergence:.2f})\n",
            highlight=False,
        )


def _cell(genre: str, probability: float) -> str:
    return f"{genre_name(genre, 'en')} {probability:.0%}"
