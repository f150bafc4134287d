"""A recording in, the pictures that models look at out."""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np

from ccmusic.audio import AudioInfo, AudioWarning, Clip, Crop, Recording, Source
from ccmusic.edits import Edit, OneChannel
from ccmusic.errors import ParameterError
from ccmusic.frames import carry
from ccmusic.picture import Picture, Preprocessing
from ccmusic.quality import Judged, judgeable
from ccmusic.spectrogram import Spectrogram, Transform, TransformName
from ccmusic.values import Value


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class ClipResult(Value):
    """What is known of a clip before any model is asked: how much there is to hear."""

    clip: Clip
    elapsed_ms: float = field(compare=False)
    """Milliseconds of work on it, waiting not included."""

    @property
    def file(self) -> str:
        """Name of the recording in messages and results."""
        return self.clip.file

    @property
    def edits(self) -> tuple[Edit, ...]:
        """What was done to the sound before it was judged, in order; usually nothing."""
        return self.clip.edits

    @property
    def audible(self) -> float:
        """Seconds of sound in the window; of a piece, in the window with the most."""
        return self.clip.audible

    @property
    def judged(self) -> Judged:
        """Whether there is enough sound to judge.

        ``silent`` and ``too_short`` recordings (less than 1 s of sound) have no verdicts, no mean,
        and no agreement. ``doubtful`` ones have less than 3 s of sound.
        """
        return judgeable(self.audible)


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Prepared(ClipResult):
    """Pictures of a recording, ready for the models, with all steps before them.

    >>> prepared = prepare("examples/rain.ogg", [Preprocessing.default("mel")])
    >>> prepared.judged, round(prepared.audible), prepared.spectrogram("mel").values.shape
    ('yes', 10, (128, 431))
    """

    spectrograms: dict[Transform, Spectrogram]
    """One for each transform that the preprocessings name; usually one."""
    pictures: dict[Preprocessing, tuple[Picture, ...]]
    """By preprocessing of the models: one picture, or the slices of the whole piece."""
    whole: AudioInfo
    """What slices were cut from, if a model wants slices: the whole piece, half an hour of it at
    most; otherwise that of the clip."""

    @property
    def warnings(self) -> tuple[AudioWarning, ...]:
        """What lessens the worth of the verdicts, for the transforms that the models look at.

        The CQT does not reach the band above 5 kHz, whose absence ``dull`` tells.
        """
        cqt_alone = {transform.name for transform in self.spectrograms} == {"cqt"}
        return tuple(w for w in self.clip.warnings if not (cqt_alone and w.code == "dull"))

    def spectrogram(self, transform: TransformName) -> Spectrogram:
        """Spectrogram of a transform, the first if models differ in its details.

        Raises
        ------
        ValueError
            If no model looks at it.
        """
        for known, spectrogram in self.spectrograms.items():
            if known.name == transform:
                return spectrogram
        names = ", ".join(known.name for known in self.spectrograms)
        raise ValueError(f"no {transform} spectrogram; there is {names}")

    def restrict(self, preprocessings: Collection[Preprocessing]) -> Self:
        """Return the same with the pictures of some of its preprocessings."""
        transforms = {preprocessing.transform for preprocessing in preprocessings}
        return replace(
            self,
            spectrograms={t: s for t, s in self.spectrograms.items() if t in transforms},
            pictures={p: self.pictures[p] for p in preprocessings},
        )

    def without_sound(self) -> Self:
        """Return the same without the clip's samples, which the models do not need."""
        nothing = self.clip.samples[:0]
        return replace(self, clip=replace(self.clip, samples=nothing, original=nothing))


carry(Prepared)


def prepare(
    source: Source | Clip,
    preprocessings: Iterable[Preprocessing],
    *,
    crop: Crop | float = "center",
    edits: Sequence[Edit] = (),
    name: str | None = None,
) -> Prepared:
    """Decode a window of a recording and draw the pictures that models need.

    Parameters
    ----------
    source
        As in :func:`ccmusic.audio.load`, or a clip; slices are cut from the whole recording, or
        from the clip.
    crop
        Window of the recording, see :func:`ccmusic.audio.load`; a clip has been cropped already.
    edits
        What to do to the sound first, in order: :class:`ccmusic.Without`, :class:`ccmusic.Change`.
        :class:`ccmusic.OneChannel` stands first, and is not for clips.
    name
        What messages and results call the recording.

    Raises
    ------
    AudioError
        If the file cannot be read.
    ParameterError
        If an edit cannot be applied, or a clip is to be cropped.
    """
    started = time.perf_counter()
    preprocessings = set(preprocessings)
    if isinstance(source, Clip):
        if crop != "center":
            raise ParameterError("clip_cropped", file=source.file, crop=crop)
        clip = whole = source if name is None else replace(source, file=name)
    else:
        first = edits[0] if edits else None
        channel = first.channel if isinstance(first, OneChannel) else None
        edits = edits[1:] if channel else edits
        recording = Recording(source, channel=channel, name=name)
        if any(preprocessing.slice_seconds for preprocessing in preprocessings):
            clip, whole = recording.load_with_whole(crop=crop)
        else:
            clip = whole = recording.load(crop=crop)
    alone = clip is whole
    whole = whole.edited(edits)
    # A region of the piece may lie outside the window, where slices are judged all the same.
    clip = whole if alone else clip.edited(edits, within=False)
    transforms = {preprocessing.transform for preprocessing in preprocessings}
    spectrograms = {
        t: t(clip.samples_at(t.sample_rate)) for t in sorted(transforms, key=lambda t: t.name)
    }
    return Prepared(
        clip=clip,
        spectrograms=spectrograms,
        pictures={p: _pictures(p, spectrograms[p.transform], whole) for p in preprocessings},
        whole=whole.info,
        elapsed_ms=1000 * (time.perf_counter() - started),
    )


def prepare_windows(
    source: Source,
    preprocessings: Iterable[Preprocessing],
    *,
    hop: float,
    name: str | None = None,
) -> Iterator[Prepared]:
    """Decode a whole recording in one pass and prepare its windows of 10 s, one by one.

    Parameters
    ----------
    hop
        Seconds from the start of one window to that of the next, see
        :meth:`ccmusic.audio.Recording.starts`.

    Raises
    ------
    AudioError
        If the file cannot be read.
    ParameterError
        If ``hop`` is less than 0.1 s.
    """
    wanted = set(preprocessings)
    clips = Recording(source, name=name).slide(hop)
    return (prepare(clip, wanted) for clip in clips)


def _pictures(
    preprocessing: Preprocessing, spectrogram: Spectrogram, whole: Clip
) -> tuple[Picture, ...]:
    if preprocessing.slice_seconds is None:
        return (Picture.from_spectrogram(spectrogram, preprocessing),)
    transform = preprocessing.transform
    samples = whole.samples_at(transform.sample_rate, loop=False)
    least = math.ceil(preprocessing.slice_seconds * transform.sample_rate)
    if len(samples) < least:
        samples = np.resize(samples, least)  # looped
    return Picture.slices(transform(samples), preprocessing)
