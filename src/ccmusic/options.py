"""Options of training and importing, the same for the command line and for Python.

They need no PyTorch: the command line lists them without the extra. A field's description is its
help text there, and its metavar what is shown in the place of a value.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, TypeAlias

from pydantic import Field

from ccmusic.spectrogram import TransformName
from ccmusic.values import Parameters

Activation = Literal["relu", "gelu", "silu", "hardswish", "tanh"]
Normalisation: TypeAlias = float | tuple[float, float, float] | str


class TrainSettings(Parameters):
    """What a training run has been told, and keeps in its files."""

    backbone: str = Field(description="Which network, e.g. `mobilenet_v3_large`.")
    transform: TransformName = Field(
        "cqt", description="Spectrogram that the network learns to read."
    )
    width_divisor: int = Field(
        1,
        ge=1,
        description="Divide the number of channels by this: cheaper, at most by the square of it; "
        "`--init-from` widens such weights.",
    )
    teacher_share: float = Field(
        0.3, ge=0, le=1, description="Weight of the label teacher against the label."
    )
    epochs: int = Field(20, ge=0, description="Epochs over crops of pictures.")
    crop_width: int = Field(64, ge=32, description="Width of a crop along time in pixels.")
    final_epochs: int = Field(2, ge=0, description="Epochs over whole pictures.")
    batch_size: int = Field(32, ge=2, description="Pictures per step.")
    learning_rate: float = Field(1e-3, ge=0, description="Largest learning rate, of AdamW.")
    patience: int = Field(
        0,
        ge=0,
        description="Stop after this many epochs without progress on valid, and keep the best; 0: "
        "never. What is then measured on valid is flattered by the choice.",
    )
    bf16: bool = Field(
        False,
        description="Compute in bfloat16: about twice as fast for VGG, ResNet and DenseNet on "
        "processors with AMX, slower on others.",
    )
    seed: int = Field(0, ge=0, description="Of the random numbers.")


class TrainOptions(TrainSettings):
    """Options of :func:`ccmusic.workshop.train.train` and of ``ccmusic train``."""

    init_from: Path | None = Field(
        None,
        description="First weights: a checkpoint, `weights.pt` of another run, or a file of "
        "torchvision's. Random by default. Without epochs they are turned or widened "
        "exactly, and nothing is trained.",
        json_schema_extra={"metavar": "FILE|NAME"},
    )
    feature_teacher: Path | None = Field(
        None,
        description="`weights.pt` of a better network for this transform, of any backbone; its "
        "features are learnt.",
        json_schema_extra={"metavar": "FILE"},
    )
    soft_targets: Path | None = Field(
        None,
        description="Targets in 0..1 per path, learnt in addition to the labels by an auxiliary "
        "head that is dropped afterwards; unlabelled recordings may have them.",
        json_schema_extra={"metavar": "CSV"},
    )
    label_teacher: Path | None = Field(
        None,
        description="Probabilities from another classifier, path and one column per genre: targets "
        "for unlabelled recordings, mixed with the label of the others.",
        json_schema_extra={"metavar": "CSV"},
    )


class ExportOptions(Parameters):
    """Options of :func:`ccmusic.workshop.export.export` and of ``ccmusic export``."""

    data_note: str = Field(description="For the card: what it was trained on.")
    licence: str = Field(description="For the card: licence of the weights.")
    note: list[str] | None = Field(
        None, description="For the card: a known weakness; may be given several times."
    )
    name: str | None = Field(None, description="Name; BACKBONE_TRANSFORM by default.")
    precision: Literal["fp32", "fp16"] = Field(
        "fp16", description="Precision of the stored weights; halves are computed with in fp32."
    )


class ImportOptions(Parameters):
    """Options of :func:`ccmusic.workshop.importer.import_weights` and of ``ccmusic import``."""

    name: str | None = Field(
        None,
        description="Name of the checkpoint; by default that of the file or, if that says nothing, "
        "of its folder.",
    )
    backbone: str | None = Field(
        None, description="torchvision's name, e.g. `resnet50`; recognised by default."
    )
    classes: str | None = Field(
        None,
        description="Names of the classes, in order; by default those in the file, or numbers.",
        json_schema_extra={"metavar": "FILE|A,B,C"},
    )
    preprocessing: str | None = Field(
        None,
        description="Picture it was trained on: `cqt`, `mel`, `ccmusic-cqt`, `ccmusic-mel`, "
        "`ccmusic-chroma`, or a JSON file; by default what the name of the file or its folder "
        "ends with.",
        json_schema_extra={"metavar": "NAME|FILE"},
    )
    mean: Normalisation | None = Field(
        None,
        description="Mean that was subtracted from pixels in 0..1.",
        json_schema_extra={"metavar": "X|R,G,B|imagenet"},
    )
    std: Normalisation | None = Field(
        None,
        description="Standard deviation that pixels were divided by.",
        json_schema_extra={"metavar": "X|R,G,B|imagenet"},
    )
    activation: Activation = Field(
        "relu", description="Activation between linear layers, if the file does not tell."
    )
    precision: Literal["fp32", "fp16"] = Field("fp32", description="How to store the weights.")
