"""Options of training and importing, the same for the command line and for Python.

They need no PyTorch: the command line lists them without the extra. A field's docstring is its
help text there.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import ConfigDict, Field

from ccmusic.spectrogram import TransformName
from ccmusic.values import Parameters

Activation = Literal["relu", "gelu", "silu", "hardswish", "tanh"]
Normalisation: TypeAlias = float | tuple[float, float, float] | str


def _shown_as(metavar: str) -> Any:
    """What the command line shows in the place of a value."""
    return Field(json_schema_extra={"metavar": metavar})


class _Options(Parameters):
    model_config = ConfigDict(use_attribute_docstrings=True)


class TrainSettings(_Options):
    """What a training run has been told, and keeps in its files."""

    backbone: str
    """Which network, e.g. `mobilenet_v3_large`."""
    transform: TransformName = "cqt"
    """Spectrogram that the network learns to read."""
    width_divisor: int = Field(1, ge=1)
    """Divide the number of channels by this: cheaper, at most by the square of it; `--init-from`
    widens such weights."""
    teacher_share: float = Field(0.3, ge=0, le=1)
    """Weight of the label teacher against the label."""
    epochs: int = Field(20, ge=0)
    """Epochs over crops of pictures."""
    crop_width: int = Field(64, ge=32)
    """Width of a crop along time in pixels."""
    final_epochs: int = Field(2, ge=0)
    """Epochs over whole pictures."""
    batch_size: int = Field(32, ge=2)
    """Pictures per step."""
    learning_rate: float = Field(1e-3, ge=0)
    """Largest learning rate, of AdamW."""
    patience: int = Field(0, ge=0)
    """Stop after this many epochs without progress on valid, and keep the best; 0: never. What is
    then measured on valid is flattered by the choice."""
    bf16: bool = False
    """Compute in bfloat16: about twice as fast for VGG, ResNet and DenseNet on processors with
    AMX, slower on others."""
    seed: int = Field(0, ge=0)
    """Of the random numbers."""


class TrainOptions(TrainSettings):
    """Options of :func:`ccmusic.workshop.train.train` and of ``ccmusic train``."""

    init_from: Annotated[Path | None, _shown_as("FILE|NAME")] = None
    """First weights: a checkpoint, `weights.pt` of another run, or a file of torchvision's. Random
    by default. Without epochs they are turned or widened exactly, and nothing is trained."""
    feature_teacher: Annotated[Path | None, _shown_as("FILE")] = None
    """`weights.pt` of a better network for this transform, of any backbone; its features are
    learnt."""
    soft_targets: Annotated[Path | None, _shown_as("CSV")] = None
    """Targets in 0..1 per path, learnt in addition to the labels by an auxiliary head that is
    dropped afterwards; unlabelled recordings may have them."""
    label_teacher: Annotated[Path | None, _shown_as("CSV")] = None
    """Probabilities from another classifier, path and one column per genre: targets for unlabelled
    recordings, mixed with the label of the others."""


class ExportOptions(_Options):
    """Options of :func:`ccmusic.workshop.export.export` and of ``ccmusic export``."""

    data_note: str
    """For the card: what it was trained on."""
    licence: str
    """For the card: licence of the weights."""
    note: list[str] | None = None
    """For the card: a known weakness; may be given several times."""
    name: str | None = None
    """Name; BACKBONE_TRANSFORM by default."""
    precision: Literal["fp32", "fp16"] = "fp16"
    """Precision of the stored weights; halves are computed with in fp32."""


class ImportOptions(_Options):
    """Options of :func:`ccmusic.workshop.importer.import_weights` and of ``ccmusic import``."""

    name: str | None = None
    """Name of the checkpoint; by default that of the file or, if that says nothing, of its
    folder."""
    backbone: str | None = None
    """torchvision's name, e.g. `resnet50`; recognised by default."""
    classes: Annotated[str | None, _shown_as("FILE|A,B,C")] = None
    """Names of the classes, in order; by default those in the file, or numbers."""
    preprocessing: Annotated[str | None, _shown_as("NAME|FILE")] = None
    """Picture it was trained on: `cqt`, `mel`, `ccmusic-cqt`, `ccmusic-mel`, `ccmusic-chroma`, or a
    JSON file; by default what the name of the file or its folder ends with."""
    mean: Annotated[Normalisation | None, _shown_as("X|R,G,B|imagenet")] = None
    """Mean that was subtracted from pixels in 0..1."""
    std: Annotated[Normalisation | None, _shown_as("X|R,G,B|imagenet")] = None
    """Standard deviation that pixels were divided by."""
    activation: Activation = "relu"
    """Activation between linear layers, if the file does not tell."""
    precision: Literal["fp32", "fp16"] = "fp32"
    """How to store the weights."""
