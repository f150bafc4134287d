"""Schemas of answers other than analyses; for those see :mod:`ccmusic.schema`."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from ccmusic.card import ModelCard
from ccmusic.prepare import Prepared
from ccmusic.schema import ClipDocument, Document, Share
from ccmusic.spectrogram import TransformName
from ccmusic.texts import Language


class Levels(Document):
    """A spectrogram."""

    file: str = Field(examples=["song.mp3"])
    transform: TransformName
    clip: ClipDocument
    times: list[float] = Field(description="Seconds from the beginning of the window.")
    frequencies: list[float] = Field(description="Hertz, low first.")
    notes: list[str]
    decibels: list[list[float]] = Field(
        description="One row for each frequency; relative to the maximum."
    )

    @classmethod
    def of(cls, prepared: Prepared, language: Language) -> Levels:
        """Convert the only spectrogram of a window."""
        (spectrogram,) = prepared.spectrograms.values()
        return cls(
            file=prepared.file,
            transform=spectrogram.transform,
            clip=ClipDocument.of(prepared.clip, prepared.warnings, language),
            times=spectrogram.times.round(4).tolist(),
            frequencies=spectrogram.frequencies.round(3).tolist(),
            notes=spectrogram.notes(),
            decibels=spectrogram.decibels().astype(float).round(1).tolist(),
        )


class Model(Document):
    """A checkpoint of the panel."""

    name: str = Field(examples=["resnet50_cqt"])
    backbone: str = Field(examples=["resnet50"])
    transform: TransformName
    classes: tuple[str, ...]
    parameters: int
    precision: str = Field(examples=["fp16"])
    accuracy: Share | None = Field(
        description="Measured on held-out recordings: of sources that training did not know, if "
        "there were some."
    )
    licence: str

    @classmethod
    def of(cls, card: ModelCard) -> Model:
        """Convert a card."""
        known: dict[str, Any] = {name: getattr(card, name) for name in cls.model_fields
                                 if name != "accuracy"}  # fmt: skip
        return cls(**known, accuracy=card.reliability.accuracy if card.reliability else None)
