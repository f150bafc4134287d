"""From a file to pictures, and all that comes of them: :class:`Analysis`.

The pipeline shared by the command line, the dashboard, the service and the batch.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

import numpy as np
import soxr

from ccmusic import audio
from ccmusic.agreement import Agreement, agree, mean_probabilities
from ccmusic.attention import Attention, attend
from ccmusic.audio import Clip, Crop, Samples, Source
from ccmusic.picture import Picture, Preprocessing, draw, draw_slices
from ccmusic.renamed import RenamedAttribute
from ccmusic.spectrogram import Spectrogram, Transform, TransformChoice
from ccmusic.verdict import Verdict


@dataclass(frozen=True)
class Analysis:
    """Every step from the file to the panel's opinion."""

    file: str
    transform: TransformChoice
    clip: Clip
    spectrograms: dict[Transform, Spectrogram]
    """One for each transform that the models' preprocessings name; usually one."""
    pictures: dict[Preprocessing, tuple[Picture, ...]]
    """By preprocessing of the models: one picture, or the slices of the whole piece."""
    verdicts: dict[str, Verdict]
    """By name of checkpoint."""
    mean: dict[str, float]
    """The ensemble: mean probability of each class among models that share their classes."""
    agreement: Agreement | None
    """None if every model failed."""
    elapsed_ms: float
    """From opening the file to the last verdict."""

    @property
    def genres(self) -> list[str]:
        """Classes of all models that gave a verdict, the likeliest in the mean first."""
        known = dict.fromkeys(c for v in self.verdicts.values() for c in v.probabilities)
        return sorted(known, key=lambda genre: -self.mean.get(genre, 0.0))

    def attention(self, name: str, genre: str | None = None) -> Attention | None:
        """Where a model saw a genre, its first choice by default; None as :func:`attend`."""
        verdict = self.verdicts[name]
        preprocessing = verdict.card.preprocessing
        slices = self.pictures[preprocessing]
        # Slices know their place in the piece, a clip does not.
        start = 0.0 if preprocessing.slice_seconds else self.clip.info.window_start
        return attend(verdict, slices[len(slices) // 2], genre, start=start)

    def select(self, names: Collection[str]) -> Analysis:
        """The same as if none but these models had been asked."""
        verdicts = {name: verdict for name, verdict in self.verdicts.items() if name in names}
        voices = list(verdicts.values())
        return replace(
            self, verdicts=verdicts, mean=mean_probabilities(voices), agreement=agree(voices)
        )

    only = RenamedAttribute("select")

    def to_dict(self) -> dict[str, Any]:
        """The analysis as ``ccmusic classify --json`` prints it."""
        info = asdict(self.clip.info)
        warnings = [{"code": w.code, "message": w.message()} for w in self.clip.warnings]
        agreement = self.agreement
        return {
            "file": self.file,
            "clip": {**info, "warnings": warnings},
            "transform": self.transform,
            "models": {name: _verdict_dict(v) for name, v in self.verdicts.items()},
            "mean": self.mean,
            "agreement": agreement
            and {
                "top": agreement.top,
                "votes": agreement.votes,
                "divergence": agreement.divergence,
                "split": agreement.split and list(agreement.split),
                "message": agreement.message(),
            },
            "elapsed_ms": self.elapsed_ms,
        }


@dataclass(frozen=True)
class Prepared:
    """What the models look at, ready to be judged."""

    clip: Clip
    spectrograms: dict[Transform, Spectrogram]
    pictures: dict[Preprocessing, tuple[Picture, ...]]
    """As in :class:`Analysis`."""

    def without_sound(self) -> Self:
        """Return the same without the clip's samples, which are not needed to be judged."""
        nothing = self.clip.samples[:0]
        return replace(self, clip=replace(self.clip, samples=nothing, original=nothing))


def prepare(
    source: Source | Clip,
    preprocessings: Iterable[Preprocessing],
    *,
    crop: Crop | float = "center",
    clip: Clip | None = None,
) -> Prepared:
    """Decode a file and draw the pictures that the models need.

    Parameters
    ----------
    source, crop
        As in :meth:`ccmusic.panel.Panel.analyze`.
    clip
        What was loaded from the source already, to spare decoding it twice.

    Raises
    ------
    AudioError
        If the file cannot be read.
    """
    preprocessings = set(preprocessings)
    if isinstance(source, Clip):
        if crop != "center":
            raise ValueError("a clip has been cropped already: give the crop to load")
        clip = source
    elif clip is None:
        clip = audio.load(source, crop=crop)
    spectrograms = {
        t: _transformed(clip.samples, t)
        for t in {preprocessing.transform for preprocessing in preprocessings}
    }
    pictures = {r: _pictures(r, spectrograms[r.transform], source) for r in preprocessings}
    return Prepared(clip, spectrograms, pictures)


def _pictures(
    preprocessing: Preprocessing, spectrogram: Spectrogram, source: Source | Clip
) -> tuple[Picture, ...]:
    if preprocessing.slice_seconds is None:
        return (draw(spectrogram, preprocessing),)
    if isinstance(source, Clip):
        whole = source.samples
    else:
        whole = audio.load(source, seconds=audio.MAX_SECONDS, loop=False).samples
    least = math.ceil(preprocessing.slice_seconds * audio.SAMPLE_RATE)
    if len(whole) < least:
        whole = np.resize(whole, least)  # looped
    return draw_slices(_transformed(whole, preprocessing.transform), preprocessing)


def _transformed(samples: Samples, transform: Transform) -> Spectrogram:
    """Spectrogram of a recording, at the rate that the transform names."""
    if transform.sample_rate != audio.SAMPLE_RATE:
        samples = soxr.resample(samples, audio.SAMPLE_RATE, transform.sample_rate)
    return transform(samples)


def _verdict_dict(verdict: Verdict) -> dict[str, Any]:
    if verdict.error:
        return {"error": str(verdict.error)}
    return {"probabilities": verdict.probabilities, "latency_ms": verdict.latency_ms}
