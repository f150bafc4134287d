"""Somebody's weights file in, a checkpoint of the user's own out."""

from __future__ import annotations

import hashlib
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import onnxruntime
from pydantic import ValidationError

from ccmusic.card import ModelCard
from ccmusic.errors import CheckpointError, WeightsError
from ccmusic.genres import CCMUSIC_CLASSES
from ccmusic.picture import Preprocessing
from ccmusic.renamed import renamed_options
from ccmusic.spectrogram import TransformName
from ccmusic.texts import Language, translate
from ccmusic.workshop.backbones import family_of
from ccmusic.workshop.export import count_multiply_adds, to_fp16, to_onnx
from ccmusic.workshop.heads import Activation
from ccmusic.workshop.mapping import Mapping, map_weights
from ccmusic.workshop.weights import StateDict, read_weights
from ccmusic.zoo import Checkpoint, scan, store, user_folder

_ANY_NAME = frozenset({"save", "best", "last", "model", "checkpoint", "weights", "final"})
_PREPROCESSINGS = {
    **{name: Preprocessing.default(name) for name in get_args(TransformName)},
    **{f"ccmusic-{name}": Preprocessing.ccmusic(name) for name in get_args(TransformName)},
}


@dataclass(frozen=True)
class Import:
    """A new checkpoint and what was found out on the way."""

    checkpoint: Checkpoint
    mapping: Mapping | None
    """None if the file was an ONNX file with its card."""
    notes: tuple[tuple[str, dict[str, object]], ...]
    """Keys and values of further sentences: what was guessed, and what was left."""

    def message(self, language: Language) -> list[str]:
        """The whole report in sentences."""
        lines = self.mapping.message(language) if self.mapping else []
        return lines + [
            translate(language, f"import.{key}", **values) for key, values in self.notes
        ]


@renamed_options(recipe="preprocessing")
def import_weights(
    path: Path,
    *,
    name: str | None = None,
    backbone: str | None = None,
    classes: str | None = None,
    preprocessing: str | None = None,
    mean: float | None = None,
    std: float | None = None,
    activation: Activation = "relu",
    precision: str = "fp32",
) -> Import:
    """Convert a weights file into a checkpoint in the user's folder.

    Parameters
    ----------
    path
        ``.pt``, ``.pth``, ``.safetensors``, or ``.onnx`` with its card beside it.
    name
        Of the checkpoint; by default that of the file or, if that says nothing, of its folder.
    backbone
        Name of a torchvision network; recognised by default.
    classes
        Names separated by commas, or a file with one per line.
    preprocessing
        ``cqt``, ``mel``, ``ccmusic-cqt``, ``ccmusic-mel``, ``ccmusic-chroma``, or a JSON file; by
        default what the name of the file or its folder ends with.
    mean, std
        Of the normalisation, where they differ from the preprocessing's.
    activation
        Between linear layers of an unusual classifier.
    precision
        ``fp32``, or ``fp16`` to store halves.

    Raises
    ------
    WeightsError
        If the file cannot be imported.
    CheckpointError
        If the name is taken or impossible, or the checkpoint cannot be written. Nothing half-done
        stays.
    """
    name = name or _name_of(path)
    if any(checkpoint.card.name == name for checkpoint in scan()[0]):
        raise CheckpointError("duplicate_name", name=name)
    if path.suffix.lower() == ".onnx":
        return Import(_take_onnx(path, name), None, ())
    state = read_weights(path)
    network, mapping = map_weights(path, state, backbone=backbone, activation=activation)
    notes = _leftovers(state)
    chosen = preprocessing or _preprocessing_by_name(path, mapping)
    if preprocessing is None:
        notes.append(("recipe_guessed", {"recipe": chosen}))
    drawn = _preprocessing(chosen, mapping, mean, std)
    k = mapping.classifier[-1]
    names = _class_names(path, classes, mapping, notes)
    card = ModelCard(
        name="unnamed",
        backbone=mapping.backbone,
        preprocessing=drawn,
        classes=names,
        parameters=sum(p.numel() for p in network.parameters()),
        multiply_adds=count_multiply_adds(network, drawn),
        precision="fp16" if precision == "fp16" else "fp32",
        explanation=mapping.explanation,
        sha256="0" * 64,
        data=f"Imported from {path.name}; {k} classes.",
        licence="that of the imported weights",
        notes=tuple(mapping.message("en")),
    ).renamed(name)
    try:
        with tempfile.TemporaryDirectory() as scratch:
            converted = Path(scratch) / "network.onnx"
            outputs = ["logits"] if mapping.explanation == "none" else ["logits", "maps"]
            to_onnx(network, drawn, converted, outputs=outputs)
            if card.precision == "fp16":
                to_fp16(converted)
            content = converted.read_bytes()
    except (OSError, RuntimeError) as error:
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise CheckpointError("conversion", file=path, reason=reason) from None
    card = card.model_copy(update={"sha256": hashlib.sha256(content).hexdigest()})
    return Import(store(card, content, user_folder()), mapping, tuple(notes))


def _name_of(path: Path) -> str:
    stem = path.resolve().parent.name if path.stem.lower() in _ANY_NAME else path.stem
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", stem).strip("_.-") or "imported"


def _leftovers(state: StateDict) -> list[tuple[str, dict[str, object]]]:
    notes: list[tuple[str, dict[str, object]]] = []
    if state.taken_from:
        notes.append(("nested", {"key": state.taken_from}))
    if state.left:
        notes.append(("others", {"keys": ", ".join(key or "/" for key in state.left)}))
    return notes


def _preprocessing_by_name(path: Path, mapping: Mapping) -> str:
    for text in (path.stem, path.resolve().parent.name):
        ending = re.search(r"(?:^|[_-])(cqt|mel|chroma)$", text.lower())
        if ending:
            return f"ccmusic-{ending[1]}" if mapping.ccmusic else ending[1]
    raise WeightsError("no_recipe", file=path)


def _preprocessing(
    name: str, mapping: Mapping, mean: float | None, std: float | None
) -> Preprocessing:
    known = _PREPROCESSINGS.get(name)
    try:
        if known:
            content = {**known.model_dump(), "size": family_of(mapping.backbone).size}
        else:
            content = Preprocessing.model_validate_json(Path(name).read_bytes()).model_dump()
        content.update({k: v for k, v in (("mean", mean), ("std", std)) if v is not None})
        return Preprocessing.model_validate(content)
    except OSError as error:
        raise WeightsError("bad_recipe", name=name, reason=error.strerror) from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "JSON"
        raise WeightsError("bad_recipe", name=name, reason=f"{where}: {first['msg']}") from None


def _class_names(
    path: Path,
    classes: str | None,
    mapping: Mapping,
    notes: list[tuple[str, dict[str, object]]],
) -> tuple[str, ...]:
    k = mapping.classifier[-1]
    if classes is not None:
        names = _read_names(classes)
    elif mapping.ccmusic and k == len(CCMUSIC_CLASSES):
        names = tuple(CCMUSIC_CLASSES)
        notes.append(("classes_ccmusic", {}))
    else:
        names = tuple(f"class_{i}" for i in range(k))
        notes.append(("classes_assumed", {"first": names[0], "last": names[-1]}))
    if len(names) != k:
        raise WeightsError("wrong_classes", file=path, k=k, n=len(names))
    if len(set(names)) < k:
        raise WeightsError("bad_classes", name=classes, reason="a name stands in it twice")
    if k < 2:
        raise WeightsError("bad_classes", name=path, reason="fewer than two classes")
    return names


def _read_names(classes: str) -> tuple[str, ...]:
    if "," in classes:
        return tuple(name.strip() for name in classes.split(",") if name.strip())
    try:
        lines = Path(classes).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise WeightsError("bad_classes", name=classes, reason=reason) from None
    return tuple(line.strip() for line in lines if line.strip())


def _take_onnx(path: Path, name: str) -> Checkpoint:
    """Check an ONNX file against the card beside it, and take both."""
    beside = path.with_suffix(".json")
    if not path.exists():
        raise WeightsError("no_such_file", file=path)
    if not beside.exists():
        raise WeightsError("onnx_without_card", file=path, card=beside.name)
    card = ModelCard.read(beside).renamed(name)
    foreign = Checkpoint(card, path)
    _check_contract(path, card, foreign.open())
    return store(card, foreign.path.read_bytes(), user_folder())


def _check_contract(path: Path, card: ModelCard, session: onnxruntime.InferenceSession) -> None:
    inputs = {i.name for i in session.get_inputs()}
    outputs = {o.name: o.shape for o in session.get_outputs()}
    reason = ""
    if inputs != {"picture"}:
        reason = f"its inputs are {', '.join(sorted(inputs))}, not picture"
    elif "logits" not in outputs:
        reason = "it has no output called logits"
    elif "maps" not in outputs and card.explanation != "none":
        reason = "it has no output called maps, and the card does not say explanation: none"
    elif outputs["logits"][-1] != len(card.classes):
        reason = f"it gives {outputs['logits'][-1]} scores for {len(card.classes)} classes"
    if reason:
        raise WeightsError("onnx_contract", file=path, reason=reason)
