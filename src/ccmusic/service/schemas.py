"""An analysis in, the documented form of an answer out."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from ccmusic.analysis import Analysis
from ccmusic.audio import Clip
from ccmusic.card import ModelCard
from ccmusic.spectrogram import Spectrogram, TransformChoice, TransformName
from ccmusic.texts import Language
from ccmusic.verdict import Verdict

Share = Annotated[float, Field(ge=0, le=1)]


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, from_attributes=True)


class Choice(_Answer):
    """A genre and its probability."""

    genre: str = Field(examples=["jazz"])
    probability: Share = Field(examples=[0.74])


class Place(_Answer):
    """A rectangle of the spectrogram."""

    start: float = Field(description="Seconds from the beginning of the piece.", examples=[1.4])
    end: float = Field(examples=[4.3])
    lowest: float = Field(description="Hertz.", examples=[65.4])
    highest: float = Field(examples=[261.6])


class Looked(_Answer):
    """Where a model saw its first choice."""

    genre: str = Field(examples=["jazz"])
    region: Place | None = Field(description="The strongest place; null if none speaks for it.")
    values: list[list[float]] = Field(
        description="Rows from low to high frequencies, columns in time; calibrated logits "
        "against the mean genre.",
        examples=[[[0.4, -0.1], [1.2, 0.3]]],
    )


class ModelVerdict(_Answer):
    """What one model says, or why it could not."""

    model: str = Field(examples=["resnet50_cqt"])
    top: list[Choice]
    probabilities: dict[str, Share] = Field(examples=[{"jazz": 0.74, "blues": 0.26}])
    latency_ms: float = Field(examples=[23.1])
    attention: Looked | None = None
    error: str | None = None

    @classmethod
    def of(
        cls, verdict: Verdict, analysis: Analysis | None, top_k: int, language: Language
    ) -> ModelVerdict:
        """Put a verdict into this form; with the analysis, also where the model looked."""
        looked = analysis.attention(verdict.card.name) if analysis else None
        return cls(
            model=verdict.card.name,
            top=[Choice(genre=g, probability=p) for g, p in verdict.top(top_k)],
            probabilities=verdict.probabilities,
            latency_ms=verdict.latency_ms,
            attention=looked
            and Looked(genre=looked.genre, region=looked.region, values=looked.coarse.tolist()),
            error=verdict.error.message(language) if verdict.error else None,
        )


class Warning_(_Answer):  # noqa: N801
    """A reason to trust the verdicts less."""

    code: str = Field(examples=["short"])
    message: str = Field(examples=["only 4.0 s long: looped to 10 s"])


class RecordingOut(_Answer):
    """What the file says about itself, and which part of it was taken."""

    codec: str = Field(examples=["mp3"])
    bit_rate: int | None = Field(examples=[192000])
    sample_rate: int = Field(examples=[44100])
    channels: int = Field(examples=[2])
    duration: float = Field(description="Seconds.", examples=[215.3])
    window_start: float = Field(examples=[102.6])
    window_end: float = Field(examples=[112.6])
    looped: bool
    warnings: list[Warning_]

    @classmethod
    def of(cls, clip: Clip, language: Language) -> RecordingOut:
        """Put a clip into this form."""
        warnings = [Warning_(code=w.code, message=w.message(language)) for w in clip.warnings]
        return cls(**vars(clip.info), warnings=warnings)


class AgreementOut(_Answer):
    """How far the models are of one mind."""

    top: str = Field(examples=["jazz"])
    votes: int = Field(examples=[4])
    models: int = Field(examples=[5])
    divergence: Share
    split: tuple[str, str] | None = Field(examples=[["jazz", "blues"]])
    message: str = Field(examples=["4 of 5 models hear Jazz"])


class Classification(_Answer):
    """The panel's opinion of a recording."""

    file: str = Field(examples=["song.mp3"])
    transform: TransformChoice
    recording: RecordingOut
    models: list[ModelVerdict]
    mean: list[Choice] = Field(description="Of the models that share their classes.")
    agreement: AgreementOut | None
    elapsed_ms: float

    @classmethod
    def of(
        cls, analysis: Analysis, top_k: int, *, attention: bool, language: Language
    ) -> Classification:
        """Put an analysis into this form."""
        agreement = analysis.agreement
        mean = sorted(analysis.mean.items(), key=lambda item: -item[1])[:top_k]
        return cls(
            file=analysis.file,
            transform=analysis.transform,
            recording=RecordingOut.of(analysis.clip, language),
            models=[
                ModelVerdict.of(v, analysis if attention else None, top_k, language)
                for v in analysis.verdicts.values()
            ],
            mean=[Choice(genre=g, probability=p) for g, p in mean],
            agreement=agreement
            and AgreementOut(**vars(agreement), message=agreement.message(language)),
            elapsed_ms=analysis.elapsed_ms,
        )


class Levels(_Answer):
    """A spectrogram."""

    file: str = Field(examples=["song.mp3"])
    transform: TransformName
    recording: RecordingOut
    times: list[float] = Field(description="Seconds from the beginning of the window.")
    frequencies: list[float] = Field(description="Hertz, low first.")
    notes: list[str]
    decibels: list[list[float]] = Field(
        description="One row for each frequency; relative to the maximum."
    )

    @classmethod
    def of(cls, clip: Clip, spectrogram: Spectrogram, language: Language) -> Levels:
        """Put a spectrogram into this form."""
        return cls(
            file=clip.file,
            transform=spectrogram.transform,
            recording=RecordingOut.of(clip, language),
            times=spectrogram.times.round(4).tolist(),
            frequencies=spectrogram.frequencies.round(3).tolist(),
            notes=spectrogram.notes(),
            decibels=spectrogram.decibels().astype(float).round(1).tolist(),
        )


class Model(_Answer):
    """A checkpoint of the panel."""

    name: str = Field(examples=["resnet50_cqt"])
    backbone: str = Field(examples=["resnet50"])
    transform: TransformName
    classes: tuple[str, ...]
    parameters: int
    precision: str = Field(examples=["int8"])
    accuracy: Share | None = Field(description="Measured on held-out recordings.")
    licence: str

    @classmethod
    def of(cls, card: ModelCard) -> Model:
        """Put a card into this form."""
        known: dict[str, Any] = {name: getattr(card, name) for name in cls.model_fields
                                 if name != "accuracy"}  # fmt: skip
        return cls(**known, accuracy=card.metrics.accuracy if card.metrics else None)
