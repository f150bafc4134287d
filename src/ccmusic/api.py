"""The function for a single call, which opens and closes a :class:`~ccmusic.panel.Panel`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ccmusic.analysis import Analysis
from ccmusic.audio import Clip, Crop, Source
from ccmusic.panel import Panel
from ccmusic.spectrogram import TransformChoice
from ccmusic.verdict import Verdict


def analyze(
    source: Source | Clip,
    *,
    transform: TransformChoice | None = None,
    models: Sequence[str] | None = None,
    crop: Crop | float = "center",
    panel: Panel | None = None,
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
        Transform of the models: CQT by default, ``both`` for all of CQT and Mel.
    models
        Names of checkpoints or backbones; all of the transform by default.
    crop
        Window of the piece, see :func:`ccmusic.audio.load`; a clip has been cropped already.
    panel
        An open panel to reuse; ``transform`` and ``models`` are left out then.
    on_verdict
        Called in this thread with each verdict as it comes.

    Raises
    ------
    AudioError
        If the file cannot be read.
    CheckpointError
        If a named model is unknown. A model that fails later has its error in its verdict.
    ValueError
        If ``transform`` or ``models`` contradict the panel.
    """
    if panel is None:
        with Panel.open(transform or "cqt", models) as opened:
            return opened.analyze(source, crop=crop, on_verdict=on_verdict)
    if models is not None:
        raise ValueError("an open panel has its models: use panel.select(models) for some of them")
    if transform not in (None, panel.transform):
        raise ValueError(
            f"the open panel looks at {panel.transform}, not at {transform}: "
            "leave transform out, or open another panel"
        )
    return panel.analyze(source, crop=crop, on_verdict=on_verdict)
