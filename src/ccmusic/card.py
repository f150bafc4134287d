"""What a checkpoint is: classes, recipe, temperature and metrics in one validated object."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ccmusic.errors import CheckpointError
from ccmusic.picture import Recipe
from ccmusic.spectrogram import TransformName

Share = Annotated[float, Field(ge=0, le=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Calibration(_Strict):
    """Verdicts of like confidence, and how often they were right."""

    above: Share
    """Lower edge of the bin; a confidence is the probability of the first choice."""
    confidence: Share
    """Mean."""
    accuracy: Share
    recordings: int = Field(gt=0)


class Metrics(_Strict):
    """What was measured on held-out recordings, one verdict per recording."""

    split: str
    recordings: int = Field(ge=0)
    accuracy: Share
    accuracy_interval: tuple[Share, Share]
    """95 % of resampled sets of recordings lie within (bootstrap)."""
    macro_recall: Share
    """Mean of :attr:`recall` over the genres present in the split."""
    macro_recall_interval: tuple[Share, Share]
    recall: dict[str, Share]
    support: dict[str, int]
    """Recordings per genre."""
    confusion: dict[str, dict[str, int]]
    """Genre, first choice, number of recordings; zeros left out."""
    accuracy_by_source: dict[str, Share]
    calibration: tuple[Calibration, ...]
    """Fifteen equal bins of confidence, after the temperature; empty ones left out."""
    calibration_error: Share
    """Mean distance of confidence and accuracy over these bins, weighted by recordings."""


class DataSource(_Strict):
    """Training material of one origin and licence."""

    source: str
    licence: str
    recordings: int = Field(gt=0)
    clips: dict[str, int]
    """Clips per genre."""
    unlabelled: int = Field(ge=0)
    """Clips without a label."""


class ModelCard(_Strict):
    """The card beside an ONNX file; see ``docs/architecture.md`` for the contract of the graph."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
    backbone: str
    recipe: Recipe
    classes: tuple[str, ...] = Field(min_length=2)
    temperature: float = Field(1.0, gt=0)
    """Logits are divided by it before the softmax."""
    parameters: int = Field(gt=0)
    multiply_adds: int = Field(gt=0)
    """Of one inference, counted over convolutions and linear layers."""
    precision: Literal["fp32", "fp16", "int8"]
    """How the weights are stored."""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    """Of the ONNX file."""
    metrics: Metrics | None = None
    data: str
    """How it was trained, in words."""
    sources: tuple[DataSource, ...] = ()
    """What it was trained on, counted."""
    licence: str
    notes: tuple[str, ...] = ()
    """Known weaknesses, in plain words."""

    @model_validator(mode="after")
    def _classes_differ(self) -> Self:
        if len(set(self.classes)) != len(self.classes):
            raise ValueError("classes: the same class stands twice")
        return self

    @property
    def transform(self) -> TransformName:
        """``cqt`` or ``mel``."""
        return self.recipe.transform.name

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read and validate.

        Raises
        ------
        CheckpointError
            If the card is missing, no JSON, or says something impossible.
        """
        try:
            return cls.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            raise CheckpointError("no_card", file=path) from None
        except OSError as error:
            raise CheckpointError("cannot_open", file=path, reason=error.strerror) from None
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "JSON"
            raise CheckpointError("bad_card", file=path, where=where, reason=first["msg"]) from None

    def to_json(self) -> str:
        """Text of the card, stable from run to run."""
        return json.dumps(self.model_dump(mode="json"), indent=2, ensure_ascii=False) + "\n"
