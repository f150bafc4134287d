"""A weights file in, its tensors by name out; nothing in the file is ever executed."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch.serialization import get_unsafe_globals_in_checkpoint

from ccmusic.errors import WeightsError

Tensors = dict[str, torch.Tensor]

_LARGEST = 3 * 2**30  # bytes; the largest network that can be imported has half of that
# Where training programs put the state_dict: averaged weights first, they are what was evaluated.
_NESTED = (
    *("ema_state_dict", "state_dict_ema", "model_ema", "ema"),
    *("state_dict", "model_state_dict", "model", "net", "network", "module", "params", "weights"),
)
_PREFIXES = ("module.", "model.", "backbone.", "net.", "network.", "_orig_mod.")


@dataclass(frozen=True)
class StateDict:
    """What a weights file holds, made plain."""

    tensors: Tensors
    """float32 where the file has any floating point, without the prefixes of wrappers."""
    taken_from: str
    """Key under which it lay in the file; empty if it was not nested."""
    left: tuple[str, ...]
    """Other collections of tensors in the file."""


def read_weights(path: Path) -> StateDict:
    """Read ``.pt`` and ``.pth`` (zip and legacy) and ``.safetensors``.

    Raises
    ------
    WeightsError
        If it is something else, is damaged, or holds anything but tensors and plain values.
    """
    content = read_content(path)
    if is_own(content):
        raise WeightsError("weights_own", file=path)
    return make_plain(path, content)


def is_own(content: Any) -> bool:
    """Whether a file's content is what ``ccmusic train`` leaves."""
    return isinstance(content, Mapping) and {"plan", "network"} <= set(content)


def read_content(path: Path) -> Any:
    """Read what a weights file holds, as it is; errors as of :func:`read_weights`."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(16)
    except FileNotFoundError:
        raise WeightsError("no_such_file", file=path) from None
    except OSError as error:
        raise WeightsError("cannot_open", file=path, reason=error.strerror) from None
    if size > _LARGEST:
        raise WeightsError("weights_too_large", file=path, size=size / 2**30, most=_LARGEST / 2**30)
    foreign = _foreign(path, head)
    if foreign:
        raise WeightsError("weights_foreign", file=path, kind=foreign)
    return _read_safetensors(path) if head[8:9] == b"{" else _read_torch(path)


def _foreign(path: Path, head: bytes) -> str:
    """Name of a format that is known and cannot be imported; empty otherwise."""
    if head.startswith(b"\x89HDF\r\n\x1a\n"):
        return "Keras/HDF5"
    if head[4:8] == b"TFL3":
        return "TensorFlow Lite"
    if head.startswith(b"GGUF"):
        return "GGUF"
    if path.name == "saved_model.pb" or path.suffix == ".ckpt-index":
        return "TensorFlow SavedModel"
    if head.startswith(b"PK") and zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
        if any(name.endswith(("model.weights.h5", "metadata.json")) for name in names):
            return "Keras"
        if any(name.endswith("constants.pkl") for name in names):
            return "TorchScript"
    return ""


def _read_torch(path: Path) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file fails in a dozen ways inside torch
        text = str(error)
        if "Unsupported global" in text or "Unsupported class" in text or "GLOBAL" in text:
            raise WeightsError("weights_code", file=path, names=_globals(path, text)) from None
        tells = text and not isinstance(error, LookupError)  # those hold a bare key
        reason = text.splitlines()[0][:200] if tells else type(error).__name__
        raise WeightsError("weights_damaged", file=path, reason=reason) from None


def _globals(path: Path, text: str) -> str:
    """What the file would have had executed."""
    try:
        found = get_unsafe_globals_in_checkpoint(path)
    except Exception:  # the legacy format cannot be asked
        found = [word for word in text.replace("`", " ").split() if "." in word and "(" not in word]
    # The most telling first: not the layers that every network has.
    names = sorted(set(found), key=lambda name: (name.startswith(("torch.", "collections")), name))
    return ", ".join(names[:3]) or "?"


def _read_safetensors(path: Path) -> Tensors:
    try:
        return dict(load_file(path))
    except (SafetensorError, OSError, ValueError) as error:
        reason = str(error).splitlines()[0][:200]
        raise WeightsError("weights_damaged", file=path, reason=reason) from None


def make_plain(path: Path, content: Any) -> StateDict:
    """Find the network in a file's content; errors as of :func:`read_weights`."""
    found = dict(_collections(content, ""))
    if not found:
        raise WeightsError("weights_none", file=path)
    # A handful of tensors beside the network is not the network, whatever it is called.
    most = max(len(tensors) for tensors in found.values())
    ranking = sorted(found, key=lambda key: (2 * len(found[key]) < most, _rank(key)))
    chosen = ranking[0]
    tensors: Tensors = {}
    for key, tensor in found[chosen].items():
        name = _without_prefixes(key)
        if name in tensors:
            raise WeightsError("weights_ambiguous", file=path, name=name)
        tensors[name] = tensor.float() if tensor.is_floating_point() else tensor
    return StateDict(tensors, chosen, tuple(ranking[1:]))


def _collections(content: Any, path: str) -> list[tuple[str, Tensors]]:
    """Every mapping of names to tensors, however deep, under its path."""
    if not isinstance(content, Mapping):
        return []
    tensors = {k: v for k, v in content.items() if isinstance(k, str) and torch.is_tensor(v)}
    found = [(path, tensors)] if any(t.ndim > 1 for t in tensors.values()) else []
    for key, value in content.items():
        if isinstance(key, str) and not key.startswith("optim"):
            found += _collections(value, f"{path}.{key}" if path else key)
    return found


def _rank(path: str) -> int:
    """Place of the best name along the path."""
    known = [_NESTED.index(part) for part in path.split(".") if part in _NESTED]
    return min(known, default=len(_NESTED))


def _without_prefixes(key: str) -> str:
    while prefix := next((p for p in _PREFIXES if key.startswith(p)), None):
        key = key.removeprefix(prefix)
    return key
