"""A file in, pictures and the :class:`Analysis` of them out: the pipeline of all front ends."""

from __future__ import annotations

import importlib.util
import math
import os
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import numpy as np

from ccmusic import audio
from ccmusic.agreement import Agreement, agree, mean_probabilities
from ccmusic.attention import Attention, attend
from ccmusic.audio import SAMPLE_RATE, AudioInfo, Clip, Crop, Source
from ccmusic.errors import CCMusicError
from ccmusic.picture import Picture, Preprocessing
from ccmusic.quality import Judged, audible_seconds, enough
from ccmusic.schema import AgreementDocument, AnalysisDocument, ClipDocument, model_document
from ccmusic.spectrogram import Spectrogram, Transform
from ccmusic.texts import Language, translate
from ccmusic.values import Value
from ccmusic.verdict import Verdict


@dataclass(frozen=True, eq=False, repr=False)
class Analysis(Value):
    """Every step from the file to the verdicts and their agreement."""

    file: str
    transform: str
    """Of all its models; ``both`` if they do not all have the same."""
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
    elapsed_ms: float = field(compare=False)
    """From opening the file to the last verdict."""
    audible: float
    """Seconds of sound in the window."""
    whole: AudioInfo
    """What slices were cut from, if a model wants slices: the whole piece, half an hour of it at
    most; otherwise that of the clip."""

    @property
    def judged(self) -> Judged:
        """Whether there was enough sound to judge.

        ``silent`` and ``too_short`` recordings (less than 1 s of sound) have no verdicts, no mean,
        and no agreement. ``doubtful`` ones have less than 3 s of sound.
        """
        return enough(self.audible)

    def message(self, language: Language = "en") -> str:
        """One sentence: the agreement of the panel, or why there is none."""
        judged, seconds = self.judged, {"seconds": self.audible}
        if judged in ("silent", "too_short"):
            return translate(language, f"judged.{judged}", **seconds)
        if self.agreement is None:
            return translate(language, "judged.no_verdict")
        opinion = self.agreement.message(language)
        if judged == "doubtful":
            return translate(language, "judged.doubtful", opinion=opinion, **seconds)
        return opinion

    @property
    def genres(self) -> list[str]:
        """Classes of all models that gave a verdict, the likeliest in the mean first."""
        known = dict.fromkeys(c for v in self.verdicts.values() for c in v.probabilities)
        return sorted(known, key=lambda genre: -self.mean.get(genre, 0.0))

    def attention(self, name: str, genre: str | None = None) -> Attention | None:
        """Regions that support a genre, by default the first choice; None if there are no maps."""
        verdict = self.verdicts[name]
        preprocessing = verdict.card.preprocessing
        slices = self.pictures[preprocessing]
        shown = self.whole if preprocessing.slice_seconds else self.clip.info
        return attend(
            verdict,
            slices[len(slices) // 2],
            genre,
            start=shown.window_start,
            length=shown.window_end - shown.window_start,
        )

    def select(self, names: Collection[str]) -> Analysis:
        """The analysis restricted to some of its models."""
        verdicts = {name: verdict for name, verdict in self.verdicts.items() if name in names}
        voices = list(verdicts.values())
        return replace(
            self, verdicts=verdicts, mean=mean_probabilities(voices), agreement=agree(voices)
        )

    def document(
        self, *, top_k: int = 3, attention: bool = False, language: Language = "en"
    ) -> AnalysisDocument:
        """The analysis in the JSON form of all front ends.

        Parameters
        ----------
        top_k
            Number of genres in ``top`` of each model.
        attention
            Whether to include the attention maps of the first choices.
        language
            Language of the sentences.
        """
        return AnalysisDocument(
            file=self.file,
            clip=ClipDocument.of(self.clip, language),
            transform=self.transform,
            judged=self.judged,
            message=self.message(language),
            models={
                name: model_document(
                    verdict, top_k, language, self.attention(name) if attention else None
                )
                for name, verdict in self.verdicts.items()
            },
            mean=self.mean,
            agreement=self.agreement and AgreementDocument.of(self.agreement, language),
            elapsed_ms=self.elapsed_ms,
        )

    def to_dict(self, *, top_k: int = 3) -> dict[str, Any]:
        """The analysis as ``ccmusic classify --json`` prints it; see :meth:`document`."""
        return self.document(top_k=top_k).to_dict()

    def save(self, path: str | os.PathLike[str], *, language: Language = "en") -> None:
        """Write a report: a page with its pictures, JSON or CSV, by the ending of the name.

        Parameters
        ----------
        path
            Ends in ``.html``, ``.json`` or ``.csv``.
        language
            Language of the page.

        Raises
        ------
        CCMusicError
            If the name ends otherwise, or the file cannot be written.
        """
        from ccmusic import files, report

        kind = report.kind_of(Path(path))
        files.write(Path(path), report.render(self, kind, language).encode())

    def rows(self) -> list[dict[str, str | float | None]]:
        """One row per model and class, those of the mean last; one row without verdicts."""
        columns = [
            "file",
            "transform",
            "model",
            "class",
            "probability",
            "latency_ms",
            "error",
            "judged",
        ]
        found: list[dict[str, str | float | None]] = []

        def add(transform: str, model: str | None, **values: str | float | None) -> None:
            row = {"file": self.file, "transform": transform, "model": model, **values}
            found.append({**dict.fromkeys(columns), **row, "judged": self.judged})

        if not self.verdicts:
            add(self.transform, None)
        for name, verdict in self.verdicts.items():
            transform = verdict.card.transform
            if verdict.error:
                add(transform, name, error=str(verdict.error))
            for genre, share in verdict.probabilities.items():
                values = {"probability": share, "latency_ms": verdict.latency_ms}
                add(transform, name, **{"class": genre}, **values)
        for genre, share in self.mean.items():
            add(self.transform, "mean", **{"class": genre}, probability=share)
        return found

    def to_frame(self) -> Any:
        """A data frame of pandas, or of polars where pandas is not installed.

        One row per model and class, those of the mean last (``model`` is ``mean``), with the
        columns file, transform, model, class, probability, latency_ms, error and judged.

        Raises
        ------
        CCMusicError
            If neither is installed.
        """
        for library in ("pandas", "polars"):
            if importlib.util.find_spec(library):
                return importlib.import_module(library).DataFrame(self.rows())
        raise CCMusicError("a data frame needs pandas or polars: pip install pandas")


@dataclass(frozen=True, eq=False, repr=False)
class Prepared(Value):
    """Pictures of a recording, ready for the models."""

    clip: Clip
    spectrograms: dict[Transform, Spectrogram]
    pictures: dict[Preprocessing, tuple[Picture, ...]]
    """As in :class:`Analysis`."""
    audible: float
    whole: AudioInfo

    @property
    def judged(self) -> Judged:
        """As in :class:`Analysis`."""
        return enough(self.audible)

    def without_sound(self) -> Self:
        """Return the same without the clip's samples, which the models do not need."""
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
        Clip that was loaded from the source before, to avoid decoding it twice.

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
    transforms = {preprocessing.transform for preprocessing in preprocessings}
    spectrograms = {
        t: t(clip.samples_at(t.sample_rate)) for t in sorted(transforms, key=lambda t: t.name)
    }
    whole = clip
    if any(p.slice_seconds for p in preprocessings) and not isinstance(source, Clip):
        whole = audio.load(source, seconds=audio.MAX_SECONDS, loop=False)
    pictures = {p: _pictures(p, spectrograms[p.transform], whole) for p in preprocessings}
    audible = audible_seconds(clip.samples_at(SAMPLE_RATE, loop=False), SAMPLE_RATE)
    return Prepared(clip, spectrograms, pictures, audible, whole.info)


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
