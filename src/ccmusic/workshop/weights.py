"""Reading of weights files; nothing in a file is ever executed."""

from __future__ import annotations

import re
import stat
import tempfile
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.numpy import save_file
from safetensors.torch import load_file
from torch.serialization import get_unsafe_globals_in_checkpoint

from ccmusic.errors import AudioError, WeightsError
from ccmusic.sandbox import Sandbox

Tensors = dict[str, torch.Tensor]

LARGEST = 3 * 2**30  # bytes; the largest network that can be imported has half of that
TIMEOUT_SECONDS = 60.0
MEMORY = 2 << 30  # for PyTorch itself
_TIMES_LARGER = 6  # halves become floats, and are written once more
_LONGEST_NAME = 300
_VALUES = ("weight", "bias", "running_mean", "running_var")
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
    plan: dict[str, Any] | None = None
    """Of a file of ``ccmusic train``, how it was trained."""


def read_weights(path: Path, *, own: bool = False) -> StateDict:
    """Read ``.pt`` and ``.pth`` (zip and legacy) and ``.safetensors``, in a child process.

    Parameters
    ----------
    own
        Take what ``ccmusic train`` leaves as well.

    Raises
    ------
    WeightsError
        If it is something else, is damaged, holds anything but tensors and plain values, or takes
        too much time or memory.
    """
    try:
        state = path.stat()
    except FileNotFoundError:
        raise WeightsError("no_such_file", file=path) from None
    except OSError as error:
        raise WeightsError("cannot_open", file=path, reason=error.strerror) from None
    if not stat.S_ISREG(state.st_mode):
        raise WeightsError("cannot_open", file=path, reason="not a regular file")
    size = state.st_size
    if size > LARGEST:
        raise WeightsError("weights_too_large", file=path, size=size / 2**30, most=LARGEST / 2**30)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        # Tensors are too large for a pipe.
        plain = Path(scratch) / "plain.safetensors"
        memory = MEMORY + _TIMES_LARGER * size
        try:
            with Sandbox(1, seconds=TIMEOUT_SECONDS, memory=memory) as sandbox:
                about = sandbox.run(str(path), _make_plain, path, plain, own)
        except AudioError as error:  # of the child, which has its own sentences
            raise WeightsError(error.key, **error.values) from None
        return StateDict(load_file(plain), *about)


def _make_plain(
    path: Path, plain: Path, own: bool
) -> tuple[str, tuple[str, ...], dict[str, Any] | None]:
    """Write a file's tensors as safetensors; return what else a :class:`StateDict` holds."""
    torch.set_num_threads(1)
    content = _read_content(path)
    plan = None
    if isinstance(content, Mapping) and {"plan", "network"} <= set(content):
        if not own or not isinstance(content["plan"], dict):
            raise WeightsError("weights_own", file=path)
        plan, content = content["plan"], {"network": content["network"]}
    state = make_plain(path, content)
    save_file({key: t.contiguous().numpy() for key, t in state.tensors.items()}, plain)
    return state.taken_from, state.left, plan


def _read_content(path: Path) -> Any:
    """Read what a weights file holds, as it is; a file that is damaged fails in a dozen ways."""
    try:
        with path.open("rb") as file:
            head = file.read(16)
        foreign = _foreign(path, head)
        if foreign:
            raise WeightsError("weights_foreign", file=path, kind=foreign)
        if head[8:9] == b"{":
            return load_file(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PyTorch's advice on a file that is odd
            return torch.load(path, map_location="cpu", weights_only=True)
    except (WeightsError, MemoryError):
        raise
    except Exception as error:
        # Its text may quote the file, or advise to read it without care: only parts are used.
        text = str(error)
        if "Unsupported global" in text or "Unsupported class" in text or "GLOBAL" in text:
            raise WeightsError("weights_code", file=path, names=_globals(path, text)) from None
        if "allocate" in text:
            raise MemoryError from None
        raise WeightsError("weights_damaged", file=path, reason=type(error).__name__) from None


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


def _globals(path: Path, text: str) -> str:
    """What the file would have had executed."""
    try:
        found = get_unsafe_globals_in_checkpoint(path)
    except Exception:  # the legacy format cannot be asked
        found = [word for word in text.replace("`", " ").split() if "." in word and "(" not in word]
    # The most telling first: not the layers that every network has.
    names = sorted(set(found), key=lambda name: (name.startswith(("torch.", "collections")), name))
    return ", ".join(name for name in names[:3] if re.fullmatch(r"[\w.]{1,100}", name)) or "?"


def make_plain(path: Path, content: Any) -> StateDict:
    """Find the network in a file's content; raises what :func:`read_weights` raises."""
    found = _collections(content)
    if not found:
        raise WeightsError("weights_none", file=path)
    for name in (*found, *(key for tensors in found.values() for key in tensors)):
        if not name.isprintable() or len(name) > _LONGEST_NAME:
            raise WeightsError("weights_damaged", file=path, reason="a name that is no text")
    # A handful of tensors beside the network is not the network, whatever it is called.
    most = max(len(tensors) for tensors in found.values())
    ranking = sorted(found, key=lambda key: (2 * len(found[key]) < most, _rank(key)))
    chosen = ranking[0]
    tensors: Tensors = {}
    for key, tensor in found[chosen].items():
        name = _without_prefixes(key)
        if name in tensors:
            raise WeightsError("weights_ambiguous", file=path, name=name)
        kind = _unusable(name, tensor)
        if kind:
            raise WeightsError("weights_kind", file=path, name=name, kind=kind)
        tensor = tensor.detach()
        tensors[name] = tensor.float() if tensor.is_floating_point() else tensor
        if not torch.isfinite(tensors[name]).all():
            raise WeightsError("weights_not_finite", file=path, name=name)
    return StateDict(tensors, chosen, tuple(ranking[1:]))


def _unusable(name: str, tensor: torch.Tensor) -> str:
    """What a tensor is, if it is nothing to compute with; empty otherwise."""
    if tensor.layout != torch.strided:
        return str(tensor.layout).removeprefix("torch.")
    if tensor.device.type != "cpu":
        return tensor.device.type
    if tensor.is_quantized or tensor.is_complex():
        return str(tensor.dtype).removeprefix("torch.")
    if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        return "stride 0"
    if not tensor.is_floating_point() and name.rpartition(".")[2] in _VALUES:
        return str(tensor.dtype).removeprefix("torch.")
    return ""


def _collections(content: Any) -> dict[str, Tensors]:
    """Every mapping of names to tensors, however deep, under its path; each of them once."""
    found: dict[str, Tensors] = {}
    seen: set[int] = set()
    waiting = [("", content)]
    for path, item in waiting:  # which grows meanwhile
        if not isinstance(item, Mapping) or id(item) in seen:
            continue
        seen.add(id(item))
        tensors = {k: v for k, v in item.items() if isinstance(k, str) and torch.is_tensor(v)}
        if any(t.ndim > 1 for t in tensors.values()):
            found[path] = tensors
        waiting += [
            (f"{path}.{key}" if path else key, value)
            for key, value in item.items()
            if isinstance(key, str) and not key.startswith("optim")
        ]
    return found


def _rank(path: str) -> int:
    """Place of the best name along the path."""
    known = [_NESTED.index(part) for part in path.split(".") if part in _NESTED]
    return min(known, default=len(_NESTED))


def _without_prefixes(key: str) -> str:
    while prefix := next((p for p in _PREFIXES if key.startswith(p)), None):
        key = key.removeprefix(prefix)
    return key
