"""The functions for a single call, which open and close a :class:`~ccmusic.panel.Panel`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from ccmusic.analysis import Analysis
from ccmusic.audio import Clip, Crop, Source
from ccmusic.edits import Edit
from ccmusic.engine import Engine, Item
from ccmusic.errors import CCMusicError
from ccmusic.panel import Panel, available_cores
from ccmusic.spectrogram import TransformChoice
from ccmusic.verdict import Verdict


def analyze(
    source: Source | Clip,
    *,
    transform: TransformChoice = "cqt",
    models: Sequence[str] | None = None,
    crop: Crop | float = "center",
    edits: Sequence[Edit] = (),
    name: str | None = None,
    on_verdict: Callable[[Verdict], None] | None = None,
) -> Analysis:
    """Analyse a recording.

    >>> analyze("examples/rain.ogg", models=["mobilenet_v3_large"]).transform
    'cqt'

    Parameters
    ----------
    source
        A path, the bytes of a file, a binary file object, samples with their rate, or a clip; see
        :func:`ccmusic.audio.load`.
    transform
        Transform of the models; ``both`` for all of CQT and Mel.
    models
        Names of checkpoints or backbones; all of the transform by default.
    crop
        Window of the piece, see :func:`ccmusic.audio.load`; a clip has been cropped already.
    edits
        What to do to the sound first, in order; see :class:`ccmusic.Without`,
        :class:`ccmusic.Change` and, for files, :class:`ccmusic.OneChannel`.
    name
        What messages and results call the recording; by default its path, or the name of the
        stream.
    on_verdict
        Called in this thread with each verdict as it comes.

    Raises
    ------
    AudioError
        If the file cannot be read.
    CheckpointError
        If a named model is unknown. A model that fails later has its error in its verdict.
    ParameterError
        If ``crop`` or ``transform`` is something else, or an edit cannot be applied.
    """
    with Panel.open(transform, models) as panel:
        return panel.analyze(source, crop=crop, edits=edits, name=name, on_verdict=on_verdict)


def analyze_many(
    sources: Iterable[Item],
    *,
    transform: TransformChoice = "cqt",
    models: Sequence[str] | None = None,
    crop: Crop | float = "center",
    workers: int | None = None,
    keep_sound: bool = False,
) -> Iterator[Analysis | CCMusicError]:
    """Analyse many recordings, several at once, decoded in child processes.

    A recording that crashes its decoder, or fills memory, costs no more than its own error.

    >>> for found in analyze_many(["examples/rain.ogg", "missing.mp3"]):
    ...     print(found if isinstance(found, CCMusicError) else found.file)
    examples/rain.ogg
    missing.mp3: no such file

    Parameters
    ----------
    sources
        Each as in :func:`analyze`; taken as they are needed, so there may be any number of them.
    transform, models, crop
        As in :func:`analyze`.
    workers
        Processes that decode; by default as many as there are cores.
    keep_sound
        Whether the analyses hold the samples of their clips, about 3 MB each.

    Yields
    ------
    The analysis of each recording or the error that it met, in the order of the sources.

    Raises
    ------
    CheckpointError
        If a named model is unknown.
    ParameterError
        If ``crop``, ``transform`` or ``workers`` is something else.
    SandboxError
        If no process can be started.
    """
    with (
        Panel.open(transform, models, concurrency=available_cores()) as panel,
        Engine(workers, keep_sound=keep_sound) as engine,
    ):
        yield from engine.map(panel, sources, crop=crop)
