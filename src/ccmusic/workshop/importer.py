"""Import of weights files as checkpoints of the user."""

from __future__ import annotations

import hashlib
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, get_args

import numpy as np
import onnx
import torch
from pydantic import ValidationError
from torch import nn

from ccmusic.audio import CLIP_SECONDS
from ccmusic.card import ModelCard
from ccmusic.errors import CheckpointError, WeightsError, reason_of
from ccmusic.genres import CCMUSIC_CLASSES
from ccmusic.options import ImportOptions, Normalisation
from ccmusic.picture import Floats, Picture, Preprocessing
from ccmusic.runtime import onnxruntime, open_onnx
from ccmusic.sandbox import Sandbox
from ccmusic.spectrogram import TransformName
from ccmusic.texts import Language, translate
from ccmusic.workshop.backbones import family_of
from ccmusic.workshop.export import count_multiply_adds, to_fp16, to_onnx
from ccmusic.workshop.mapping import Mapping, map_weights
from ccmusic.workshop.weights import StateDict, check_size, read_weights, run_apart
from ccmusic.zoo import Checkpoint, scan, store, user_folder

_ANY_NAME = frozenset({"save", "best", "last", "model", "checkpoint", "weights", "final"})
_IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
_TIMES_LARGER = 4  # what ONNX Runtime needs of the file's size
_CLOSE = {"fp32": 1e-3, "fp16": 0.05}  # to PyTorch's scores, relative to the largest
_PREPROCESSINGS = {
    **{name: Preprocessing.default(name) for name in get_args(TransformName)},
    **{f"ccmusic-{name}": Preprocessing.ccmusic(name) for name in get_args(TransformName)},
}


Note: TypeAlias = tuple[str, dict[str, object]]
"""Key and values of a sentence in the catalogues."""


@dataclass(frozen=True)
class ImportReport:
    """A new checkpoint, and the report on its import."""

    checkpoint: Checkpoint
    mapping: Mapping | None
    """None if the file was an ONNX file with its card."""
    notes: tuple[Note, ...]
    """Keys and values of further sentences: what was guessed, and what was left."""

    def message(self, language: Language) -> list[str]:
        """The whole report in sentences."""
        lines = self.mapping.message(language) if self.mapping else []
        return lines + [
            translate(language, f"import.{key}", **values) for key, values in self.notes
        ]


def import_weights(
    path: Path,
    options: ImportOptions | None = None,
    *,
    folder: Path | None = None,
    sandbox: Sandbox | None = None,
) -> ImportReport:
    """Convert a weights file into a checkpoint, by default in the user's folder.

    Parameters
    ----------
    path
        ``.pt``, ``.pth``, ``.safetensors``, or ``.onnx`` with its card in the same folder.
    options
        What the file does not tell. An ``.onnx`` file takes a name only: its card says the rest.
    folder
        Where the checkpoint is written; by default :func:`ccmusic.zoo.user_folder`.
    sandbox
        Where the file is read; by default in a child of its own, with limits by the file's size.

    Raises
    ------
    WeightsError
        If the file cannot be imported.
    CheckpointError
        If the name is taken or impossible, the converted network does not do what the weights do,
        or the checkpoint cannot be written. Nothing half-done stays.
    """
    options = options or ImportOptions()
    folder = folder or user_folder()
    name = options.name or _name_of(path)
    for checkpoint in scan()[0]:
        if checkpoint.card.name.lower() == name.lower():
            raise CheckpointError("duplicate_name", name=checkpoint.card.name)
    if path.suffix.lower() == ".onnx":
        others = set(options.model_dump(exclude_defaults=True)) - {"name"}
        if others:
            raise WeightsError("onnx_options", file=path, names=", ".join(sorted(others)))
        return ImportReport(_take_onnx(path, name, folder, sandbox), None, ())
    state = read_weights(path, sandbox=sandbox)
    network, mapping = map_weights(
        path, state, backbone=options.backbone, activation=options.activation
    )
    notes: list[Note] = [("nested", {"key": state.taken_from})] if state.taken_from else []
    if state.left:
        notes.append(("others", {"keys": ", ".join(key or "/" for key in state.left)}))
    card = _describe(path, state, network, mapping, options, notes).renamed(name)
    content = _convert(path, network, card)
    card = card.model_copy(update={"sha256": hashlib.sha256(content).hexdigest()})
    return ImportReport(store(card, content, folder), mapping, tuple(notes))


def _describe(
    path: Path,
    state: StateDict,
    network: nn.Module,
    mapping: Mapping,
    options: ImportOptions,
    notes: list[Note],
) -> ModelCard:
    """Card of a network without its name and hash; what was guessed for it goes into the notes."""
    chosen = options.preprocessing or _preprocessing_by_name(path, mapping)
    if options.preprocessing is None:
        notes.append(("recipe_guessed", {"recipe": chosen}))
    preprocessing = _preprocessing(chosen, mapping, options)
    names = _class_names(path, options.classes, state, mapping, notes)
    return ModelCard(
        name="unnamed",
        backbone=mapping.backbone,
        preprocessing=preprocessing,
        classes=names,
        parameters=sum(p.numel() for p in network.parameters()),
        multiply_adds=count_multiply_adds(network, preprocessing),
        precision=options.precision,
        explanation=mapping.explanation,
        sha256="0" * 64,
        data=f"Imported from {path.name}; {len(names)} classes.",
        licence="that of the imported weights",
        notes=tuple(mapping.message("en")),
    )


def _convert(path: Path, network: nn.Module, card: ModelCard) -> bytes:
    """ONNX file of a network that gives PyTorch's scores."""
    try:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
            converted = Path(scratch) / "network.onnx"
            to_onnx(network, card.preprocessing, converted, outputs=_outputs(card))
            if card.precision == "fp16":
                to_fp16(converted, source=path)
            _compare(path, converted, network, card)
            return converted.read_bytes()
    except (OSError, RuntimeError) as error:
        reason = reason_of(error)[:200]
        raise CheckpointError("conversion", file=path, reason=reason) from None


def _outputs(card: ModelCard) -> list[str]:
    return ["logits"] if card.explanation == "none" else ["logits", "maps"]


def _name_of(path: Path) -> str:
    stem = path.resolve().parent.name if path.stem.lower() in _ANY_NAME else path.stem
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", stem).strip("_.-") or "imported"


def _preprocessing_by_name(path: Path, mapping: Mapping) -> str:
    for text in (path.stem, path.resolve().parent.name):
        ending = re.search(r"(?:^|[_-])(cqt|mel|chroma)$", text.lower())
        if ending:
            return f"ccmusic-{ending[1]}" if mapping.ccmusic else ending[1]
    raise WeightsError("no_recipe", file=path)


def _preprocessing(name: str, mapping: Mapping, options: ImportOptions) -> Preprocessing:
    known = _PREPROCESSINGS.get(name)
    try:
        if known:
            content = {**known.model_dump(), "size": family_of(mapping.backbone).size}
        else:
            content = Preprocessing.model_validate_json(Path(name).read_bytes()).model_dump()
        for key, value in (("mean", options.mean), ("std", options.std)):
            if value is not None:
                content[key] = _numbers(key, value)
        return Preprocessing.model_validate(content)
    except OSError as error:
        raise WeightsError("bad_recipe", name=name, reason=error.strerror) from None
    except ValidationError as error:
        first = error.errors()[0]
        fault = first.get("ctx", {}).get("error", f"JSON: {first['msg']}")
        raise WeightsError("bad_recipe", name=name, reason=str(fault)) from None


def _numbers(key: str, value: Normalisation) -> float | tuple[float, ...]:
    if value == "imagenet":
        return _IMAGENET[key]
    if not isinstance(value, str):
        return value
    try:
        numbers = tuple(float(part) for part in value.split(","))
    except ValueError:
        raise WeightsError("bad_normalisation", name=value) from None
    return numbers[0] if len(numbers) == 1 else numbers


def _class_names(
    path: Path, classes: str | None, state: StateDict, mapping: Mapping, notes: list[Note]
) -> tuple[str, ...]:
    k = mapping.classifier[-1]
    fitting = next((names for names in state.classes if len(names) == k), None)
    if classes is not None:
        names = _read_names(classes)
    elif fitting:
        names = fitting
        notes.append(("classes_in_file", {"names": ", ".join(names)}))
    elif mapping.ccmusic and k == len(CCMUSIC_CLASSES):
        names = tuple(CCMUSIC_CLASSES)
        notes.append(("classes_ccmusic", {}))
    else:
        names = tuple(f"class_{i}" for i in range(k))
        notes.append(("classes_assumed", {"first": names[0], "last": names[-1]}))
        notes += [("classes_unused", {"n": len(others), "k": k}) for others in state.classes]
    if len(names) != k:
        raise WeightsError("wrong_classes", file=path, k=k, n=len(names))
    if len(set(names)) < k:
        raise WeightsError("bad_classes", name=classes, reason="a name stands in it twice")
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


def _picture(preprocessing: Preprocessing) -> Floats:
    """What a network would be given for a fading chord, float32 [1, channels, size, size]."""
    rate = preprocessing.transform.sample_rate
    times = np.arange(round((preprocessing.slice_seconds or CLIP_SECONDS) * rate)) / rate
    chord = sum(np.sin(2 * np.pi * pitch * times) for pitch in (110, 220, 277, 330, 1320))
    noise = np.random.default_rng(0).normal(0, 0.05, len(times))
    spectrogram = preprocessing.transform((0.1 * chord * 0.5**times + noise).astype(np.float32))
    if preprocessing.slice_seconds:
        return Picture.slices(spectrogram, preprocessing)[0].input[None]
    return Picture.from_spectrogram(spectrogram, preprocessing).input[None]


def _compare(path: Path, converted: Path, network: nn.Module, card: ModelCard) -> None:
    """Make sure that a converted network says what PyTorch says."""
    picture = _picture(card.preprocessing)
    with torch.inference_mode():
        output = network(torch.from_numpy(picture))
    expected = (output if card.explanation == "none" else output[0]).numpy()
    (given,) = open_onnx(converted).run(["logits"], {"picture": picture})
    if not (np.isfinite(expected).all() and np.isfinite(given).all()):
        raise CheckpointError("onnx_not_finite", file=path)
    difference = np.abs(given - expected).max()
    if difference > _CLOSE[card.precision] * max(1, np.abs(expected).max()):
        raise CheckpointError("onnx_differs", file=path, difference=float(difference))


def _take_onnx(path: Path, name: str, folder: Path, sandbox: Sandbox | None) -> Checkpoint:
    """Try an ONNX file with its card in a child process, and take both."""
    card_file = path.with_suffix(".json")
    if not path.exists():
        raise WeightsError("no_such_file", file=path)
    if not card_file.exists():
        raise WeightsError("onnx_without_card", file=path, card=card_file.name)
    card = ModelCard.read(card_file).renamed(name)
    Checkpoint(card, path).verify()
    memory = _TIMES_LARGER * check_size(path)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        alone = Path(scratch) / "network.onnx"  # without the other files of the folder
        shutil.copyfile(path, alone)
        run_apart(path, _try_onnx, path, alone, card, sandbox=sandbox, memory=memory)
        return store(card, alone.read_bytes(), folder)


def _try_onnx(path: Path, alone: Path, card: ModelCard) -> None:
    """Load a network and let it judge a picture.

    Parameters
    ----------
    path
        What messages call the file.
    alone
        The file itself.
    """
    try:
        for tensor in onnx.load(alone, load_external_data=False).graph.initializer:
            if tensor.data_location == onnx.TensorProto.EXTERNAL:
                raise WeightsError("onnx_external", file=path, name=_printable(tensor.name))
        session = open_onnx(alone, threads=1)
        if reason := _breach(session, card):
            raise WeightsError("onnx_contract", file=path, reason=_printable(reason))
        logits = session.run(_outputs(card), {"picture": _picture(card.preprocessing)})[0]
    except (WeightsError, MemoryError):
        raise
    except Exception as error:  # neither ONNX nor ONNX Runtime has a base class for its errors
        reason = str(error)
        if "alloc" in reason:
            raise MemoryError from None
        raise CheckpointError("bad_weights", file=path, reason=_printable(reason)) from None
    n = len(card.classes)
    if logits.shape != (1, n):
        raise CheckpointError("wrong_width", file=path, k=logits.shape[-1], n=n)
    if not np.isfinite(logits).all():
        raise CheckpointError("onnx_not_finite", file=path)


def _printable(text: str) -> str:
    """What a stranger wrote, fit for a line."""
    return "".join(c if c.isprintable() else " " for c in text)[:200]


def _breach(session: onnxruntime.InferenceSession, card: ModelCard) -> str:
    """What a network does otherwise than its card says; empty if nothing."""
    inputs = {each.name for each in session.get_inputs()}
    outputs = {each.name: each.shape for each in session.get_outputs()}
    if inputs != {"picture"}:
        return f"its inputs are {', '.join(sorted(inputs))}, not picture"
    if "logits" not in outputs:
        return "it has no output called logits"
    if "maps" not in outputs and card.explanation != "none":
        return "it has no output called maps, and the card does not say explanation: none"
    given = (outputs["logits"] or ["no"])[-1]
    if given != len(card.classes):
        return f"it gives {given} scores for {len(card.classes)} classes"
    return ""
