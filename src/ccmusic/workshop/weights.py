"""Reading of weights files; nothing in a file is ever executed."""

from __future__ import annotations

import json
import re
import stat
import tempfile
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import safe_open
from safetensors.numpy import save_file
from safetensors.torch import load_file
from torch.serialization import get_unsafe_globals_in_checkpoint

from ccmusic.errors import AudioError, WeightsError
from ccmusic.sandbox import Sandbox

Tensors = dict[str, torch.Tensor]
T = TypeVar("T")

LARGEST = 3 * 2**30  # bytes; the largest network that can be imported has half of that
TIMEOUT_SECONDS = 60.0
MEMORY = 2 << 30  # for PyTorch itself
_TIMES_LARGER = 6  # halves become floats, and are written once more
_LONGEST_NAME = 300
_VALUES = ("weight", "bias", "running_mean", "running_var")
# Where training programs put the state_dict.
_NESTED = (
    *("state_dict", "model_state_dict", "model", "net", "network", "module", "params", "weights"),
)
_AVERAGED = re.compile(r"(^|_)(ema|swa|averaged?)(_|$)", re.IGNORECASE)
_CLASS_LISTS = re.compile(r"class|label|categor|genre", re.IGNORECASE)
_LONGEST_CLASS = 100
_PART = re.compile(r"-0*(\d+)-of-0*(\d+)\.\w+$")


@dataclass(frozen=True)
class StateDict:
    """What a weights file holds, made plain."""

    tensors: Tensors
    """By their names in the file; float32 where it has any floating point."""
    taken_from: str
    """Key under which it lay in the file; empty if it was not nested."""
    left: tuple[str, ...]
    """Other collections of tensors in the file."""
    classes: tuple[tuple[str, ...], ...] = ()
    """Every list in the file that may name the classes."""
    plan: dict[str, Any] | None = None
    """Of a file of ``ccmusic train``, how it was trained."""


def read_weights(
    path: Path, *, allow_run: bool = False, sandbox: Sandbox | None = None
) -> StateDict:
    """Read ``.pt`` and ``.pth`` (zip and legacy) and ``.safetensors``, in a child process.

    Parameters
    ----------
    allow_run
        Take what ``ccmusic train`` leaves as well.
    sandbox
        Where the file is read; by default in a child of its own, with limits by the file's size.

    Raises
    ------
    WeightsError
        If it is something else, is damaged, holds anything but tensors and plain values, or takes
        too much time or memory.
    SandboxError
        If no child can be started.
    """
    size = check_size(path)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        # Tensors are too large for a pipe.
        plain = Path(scratch) / "plain.safetensors"
        taken_from, left, classes, plan = run_apart(
            path, _make_plain, path, plain, allow_run, sandbox=sandbox, memory=_TIMES_LARGER * size
        )
        lists = tuple(tuple(names) for names in classes)
        return StateDict(load_file(plain), taken_from, tuple(left), lists, plan)


def check_size(path: Path) -> int:
    """Size of a file; :class:`WeightsError` if it cannot be one with weights."""
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
    return size


def run_apart(
    path: Path,
    function: Callable[..., T],
    *args: Any,
    sandbox: Sandbox | None,
    memory: int,
) -> T:
    """Call a function on a weights file in a child process, in which PyTorch has been loaded.

    Parameters
    ----------
    path
        The file, for messages.
    sandbox
        Where to call it; by default in a child of its own. It must let functions write files.
    memory
        Bytes that this child may need beyond what PyTorch does.

    Raises
    ------
    WeightsError
        If the child died, or took too much time or memory.
    SandboxError
        If no child can be started.
    """
    with ExitStack() as stack:
        # On a busy machine PyTorch alone takes a minute to load: that is not the file's time.
        child = sandbox or stack.enter_context(
            Sandbox(
                1,
                seconds=TIMEOUT_SECONDS,
                memory=MEMORY + memory,
                writable=True,
                modules=[function.__module__],
            )
        )
        try:
            return child.run(str(path), function, *args)
        except AudioError as error:  # of the child, which has its own sentences
            raise WeightsError(error.key, **error.values) from None


def _make_plain(
    path: Path, plain: Path, allow_run: bool
) -> tuple[str, tuple[str, ...], tuple[tuple[str, ...], ...], dict[str, Any] | None]:
    """Write a file's tensors as safetensors; return what else a :class:`StateDict` holds."""
    torch.set_num_threads(1)
    content = _read_content(path)
    plan = None
    if isinstance(content, Mapping) and {"plan", "network"} <= set(content):
        if not allow_run or not isinstance(content["plan"], dict):
            raise WeightsError("weights_own", file=path)
        plan, content = content["plan"], {"network": content["network"]}
    state = make_plain(path, content)
    save_file({key: t.contiguous().numpy() for key, t in state.tensors.items()}, plain)
    return state.taken_from, state.left, state.classes, plan


def _read_content(path: Path) -> Any:
    """Read what a weights file holds, as it is; a file that is damaged fails in a dozen ways."""
    try:
        with path.open("rb") as file:
            head = file.read(16)
        part = _PART.search(path.name)
        if path.name.endswith(".index.json") or (part and part[2] != "1"):
            raise WeightsError("weights_part", file=path)
        foreign = _foreign(path, head)
        if foreign:
            raise WeightsError("weights_foreign", file=path, kind=foreign)
        if head[8:9] == b"{":
            return {**_metadata(path), **load_file(path)}
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


def _metadata(path: Path) -> dict[str, Any]:
    """What a safetensors file says beside its tensors: text, which may be JSON or a list."""
    with safe_open(path, "pt") as file:
        said: dict[str, str] = file.metadata() or {}
    values: dict[str, Any] = {}
    for key, text in said.items():
        try:
            values[key] = json.loads(text)
        except ValueError:
            values[key] = text.split(",")
    return values


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
    for name, tensor in found[chosen].items():
        kind = _unusable(name, tensor)
        if kind:
            raise WeightsError("weights_kind", file=path, name=name, kind=kind)
        tensor = tensor.detach()
        tensors[name] = tensor.float() if tensor.is_floating_point() else tensor
        if not torch.isfinite(tensors[name]).all():
            raise WeightsError("weights_not_finite", file=path, name=name)
    return StateDict(tensors, chosen, tuple(ranking[1:]), _class_lists(content))


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
    """Every mapping of names to tensors under its path."""
    found: dict[str, Tensors] = {}
    for path, item in _mappings(content):
        tensors = {k: v for k, v in item.items() if isinstance(k, str) and torch.is_tensor(v)}
        if any(t.ndim > 1 for t in tensors.values()):
            found[path] = tensors
    return found


def _mappings(content: Any) -> Iterator[tuple[str, Mapping[Any, Any]]]:
    """Every mapping, however deep, with its path; each of them once."""
    seen: set[int] = set()
    waiting = [("", content)]
    for path, item in waiting:  # which grows meanwhile
        if not isinstance(item, Mapping) or id(item) in seen:
            continue
        seen.add(id(item))
        yield path, item
        waiting += [
            (f"{path}.{key}" if path else key, value)
            for key, value in item.items()
            if isinstance(key, str) and not key.startswith("optim")
        ]


def _class_lists(content: Any) -> tuple[tuple[str, ...], ...]:
    """What may be names of classes in their order: lists of text, or text and its number."""
    found: list[tuple[str, ...]] = []
    for _, item in _mappings(content):
        for key, value in item.items():
            if isinstance(key, str) and _CLASS_LISTS.search(key):
                names = _class_list(value)
                if len(names) > 1 and names not in found:
                    found.append(names)
    return tuple(found)


def _class_list(value: Any) -> tuple[str, ...]:
    if isinstance(value, Mapping):
        pairs = list(value.items())
        if not any(isinstance(number, str) for _, number in pairs):
            pairs = [(number, name) for name, number in pairs]  # class_to_idx, else id2label
        try:
            numbered = {int(number): name for number, name in pairs}
        except (TypeError, ValueError, RuntimeError):  # as of a tensor of several values
            return ()
        if sorted(numbered) != list(range(len(pairs))):
            return ()
        value = [numbered[number] for number in range(len(pairs))]
    if not isinstance(value, list | tuple) or not all(isinstance(name, str) for name in value):
        return ()
    names = tuple(name.strip() for name in value)
    usable = all(name and name.isprintable() and len(name) <= _LONGEST_CLASS for name in names)
    return names if usable and len(set(names)) == len(names) else ()


def is_averaged(name: str) -> bool:
    """Whether a part of a name says that the weights are averaged over the training."""
    return _AVERAGED.search(name) is not None


def _rank(path: str) -> int:
    """Place of the best name along the path; averaged weights are what was evaluated."""
    parts = path.split(".")
    if any(map(is_averaged, parts)):
        return -1
    return min((_NESTED.index(part) for part in parts if part in _NESTED), default=len(_NESTED))
