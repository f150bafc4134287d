"""Checkpoints: those shipped with the program, and those of the user."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import platformdirs
from pydantic import ValidationError

from ccmusic.card import ModelCard, PanelCard, matching
from ccmusic.errors import AudioError, CheckpointError, reason_of
from ccmusic.files import replacing
from ccmusic.picture import Floats, Preprocessing
from ccmusic.sandbox import MEMORY, Sandbox
from ccmusic.spectrogram import TransformChoice, transforms_of

if TYPE_CHECKING:
    from torch import nn

_SECONDS = 60.0  # to load and run a checkpoint once
_DAY = 86_400
_TIMES_LARGER = 4  # what ONNX Runtime needs of a file's size
_tried: set[str] = set()
"""Hashes of the user's checkpoints that were run once."""

SHIPPED = Path(__file__).parent / "checkpoints"


def user_folder() -> Path:
    """Folder of the user's own checkpoints.

    ``checkpoints`` below the environment variable ``CCMUSIC_HOME``, or below the platform's data
    directory. It need not exist.
    """
    home = os.environ.get("CCMUSIC_HOME") or platformdirs.user_data_dir("ccmusic", appauthor=False)
    return Path(home) / "checkpoints"


class Session(Protocol):
    """What runs a model: an ``onnxruntime.InferenceSession``, or a function in memory.

    >>> session = find_one("mobilenet_v3_large_cqt").open()
    >>> (logits,) = session.run(["logits"], {"picture": np.zeros((1, 3, 224, 224), np.float32)})
    >>> logits.shape
    (1, 13)
    """

    def run(self, names: Sequence[str] | None, inputs: Mapping[str, Floats]) -> Sequence[Any]:
        """Outputs of these names for the input ``picture``."""


@dataclass(frozen=True)
class Checkpoint:
    """A card and its ONNX file, not yet opened; or a model in memory.

    >>> from ccmusic import zoo
    >>> zoo.find_one("mobilenet_v3_large_cqt").card.title()
    'MobileNetV3'
    """

    card: ModelCard
    path: Path
    """The ONNX file."""

    @staticmethod
    def from_function(
        function: Callable[[Floats], Any],
        *,
        name: str,
        classes: Sequence[str],
        preprocessing: Preprocessing,
    ) -> Checkpoint:
        """Let any function join a panel, without a file or a card.

        >>> from ccmusic import Panel
        >>> def loudness(pictures):  # as surely rock as the picture is bright
        ...     return [[picture.mean(), 0.0] for picture in pictures]
        >>> model = Checkpoint.from_function(
        ...     loudness, name="loud", classes=["rock", "folk"],
        ...     preprocessing=Preprocessing.default("cqt"),
        ... )
        >>> with Panel([model]) as panel:
        ...     list(panel.analyze("examples/rain.ogg").mean)
        ['rock', 'folk']

        Parameters
        ----------
        function
            Called with pictures, float32 [n, channels, height, width], in threads; returns logits,
            [n, n_classes].
        name
            Of the model in results: letters, digits, and ``_.-``.
        classes
            What the logits stand for, in order.
        preprocessing
            How a spectrogram becomes a picture.

        Raises
        ------
        CheckpointError
            If the name cannot be used, or the classes are fewer than two or not distinct.
        """
        try:
            card = ModelCard(
                name="unnamed",
                backbone=name,
                preprocessing=preprocessing,
                classes=tuple(classes),
                parameters=0,
                multiply_adds=0,
                precision="fp32",
                explanation="none",
                sha256="0" * 64,
                data="A model in memory.",
                licence="that of the model",
            )
        except ValidationError as error:
            reason = error.errors()[0]["msg"]
            raise CheckpointError("bad_classes", name=name, reason=reason) from None
        return _InMemory(card.renamed(name), Path(name), function)

    @staticmethod
    def from_module(
        module: nn.Module,
        *,
        classes: Sequence[str],
        preprocessing: Preprocessing,
        name: str | None = None,
    ) -> Checkpoint:
        """Let a PyTorch module in memory join a panel; it is set to evaluate.

        Parameters
        ----------
        module
            From pictures, float32 [n, channels, height, width], to logits, [n, n_classes], on the
            device of its parameters.
        classes, preprocessing
            As in :meth:`from_function`.
        name
            As in :meth:`from_function`; by default that of its class.

        Raises
        ------
        CheckpointError
            As :meth:`from_function`.
        """
        import torch

        module.eval()
        device = next((p.device for p in module.parameters()), torch.device("cpu"))

        def function(pictures: Floats) -> Floats:
            with torch.inference_mode():
                logits = module(torch.from_numpy(pictures).to(device))
            return np.asarray(logits.float().cpu().numpy())

        found = Checkpoint.from_function(
            function,
            name=name or type(module).__name__,
            classes=classes,
            preprocessing=preprocessing,
        )
        count = sum(parameter.numel() for parameter in module.parameters())
        return replace(found, card=found.card.model_copy(update={"parameters": count}))

    def verify(self) -> None:
        """Check that the ONNX file exists and has the sha256 of the card.

        Raises
        ------
        CheckpointError
            If the file is missing or differs.
        """
        try:
            with self.path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except FileNotFoundError:
            raise CheckpointError("no_weights", file=self.path) from None
        except OSError as error:
            raise CheckpointError("cannot_open", file=self.path, reason=error.strerror) from None
        if digest != self.card.sha256:
            raise CheckpointError("wrong_sha256", file=self.path)

    def open(self, *, threads: int = 0) -> Session:
        """Verify and load the file.

        Parameters
        ----------
        threads
            Cores that one inference may use; 0 leaves the choice to ONNX Runtime.

        Raises
        ------
        CheckpointError
            If the file is missing, differs from the card, or cannot be loaded; if it is not shipped
            and takes too much time or memory to be loaded and run once.
        SandboxError
            If no child process can be started to try it.
        """
        from ccmusic.runtime import onnxruntime

        self.verify()
        _share_arena()
        if self.path.parent != SHIPPED:
            _try(self)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        options.enable_mem_pattern = False  # patterns use a tenth more memory and save no time
        options.add_session_config_entry("session.use_env_allocators", "1")
        try:
            # By path: a session keeps bytes that it was loaded from in memory.
            session: Session = onnxruntime.InferenceSession(
                self.path, options, providers=providers()
            )
        except Exception as error:
            # ONNX Runtime has no public base class for its errors.
            raise CheckpointError("bad_weights", file=self.path, reason=reason_of(error)) from None
        return session


@dataclass(frozen=True)
class _InMemory(Checkpoint):
    function: Callable[[Floats], Any]

    def verify(self) -> None:
        """There is no file."""

    def open(self, *, threads: int = 0) -> Session:
        """The function itself: how many threads it takes is its own matter."""
        return self

    def run(self, names: Sequence[str] | None, inputs: Mapping[str, Floats]) -> Sequence[Any]:
        return [np.asarray(self.function(inputs["picture"]), np.float32)]


@cache
def _share_arena() -> None:
    """One arena for the activations of all models; it grows by the requested size.

    Otherwise each session would keep the most that it ever needed, rounded up to a power of two.
    Only sessions that ask for it use it.
    """
    from ccmusic.runtime import onnxruntime

    cpu = onnxruntime.OrtMemoryInfo(
        "Cpu", onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, onnxruntime.OrtMemType.DEFAULT
    )
    config = onnxruntime.OrtArenaCfg({"arena_extend_strategy": 1})
    onnxruntime.create_and_register_allocator(cpu, config)


def _try(checkpoint: Checkpoint) -> None:
    """Load and run a file once in a child process, and remember that it passed.

    A graph may loop for ever, or fold constants to gigabytes when it is loaded: that must cost its
    own model, not every command. What was imported, exported or tried is known by its hash; what
    took too much is tried again after a day, for the machine may have been busy.
    """
    card, mark = checkpoint.card, _mark(checkpoint.card)
    if card.sha256 in _tried:
        return
    with suppress(OSError, ValueError):
        known = mark.read_text(encoding="utf-8")
        if not known:
            return
        if time.time() - mark.stat().st_mtime < _DAY:
            values = {"file": checkpoint.path, "name": card.name, **json.loads(known)}
            raise CheckpointError(values.pop("key"), **values)
    memory = MEMORY + _TIMES_LARGER * checkpoint.path.stat().st_size
    try:
        with Sandbox(1, seconds=_SECONDS, memory=memory, modules=[__name__]) as sandbox:
            sandbox.run(str(checkpoint.path), _run_once, checkpoint)
    except AudioError as error:  # of the child, which has its own sentences
        key = {"decoder_slow": "model_slow", "decoder_memory": "model_memory"}.get(error.key)
        if key:
            values = {name: value for name, value in error.values.items() if name != "file"}
            _write_mark(mark, json.dumps({"key": key, **values}))
            raise CheckpointError(key, file=checkpoint.path, name=card.name, **values) from None
        reason = str(error.values.get("reason", "the process that tried it crashed"))
        raise CheckpointError("bad_weights", file=checkpoint.path, reason=reason) from None
    _remember(card)


def _run_once(checkpoint: Checkpoint) -> None:
    from ccmusic.runtime import open_onnx

    picture = np.zeros((1, *checkpoint.card.preprocessing.shape), np.float32)
    try:
        open_onnx(checkpoint.path, threads=1).run(["logits"], {"picture": picture})
    except Exception as error:  # ONNX Runtime has no public base class for its errors
        if "alloc" in str(error):
            raise MemoryError from None
        raise CheckpointError(
            "bad_weights", file=checkpoint.path, reason=reason_of(error)
        ) from None


def _mark(card: ModelCard) -> Path:
    """File that is empty if a checkpoint passed, and else tells why not."""
    return user_folder().parent / "tried" / card.sha256


def _write_mark(mark: Path, text: str) -> None:
    with suppress(OSError):  # it is tried again then
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.write_text(text, encoding="utf-8")


def _remember(card: ModelCard) -> None:
    _tried.add(card.sha256)
    _write_mark(_mark(card), "")


def providers() -> list[str]:
    """What models run on: the CPU, and CUDA if onnxruntime-gpu is installed instead."""
    from ccmusic.runtime import onnxruntime

    here = onnxruntime.get_available_providers()
    return [p for p in ("CUDAExecutionProvider", "CPUExecutionProvider") if p in here]


def store(card: ModelCard, weights: bytes, folder: Path) -> Checkpoint:
    """Write a checkpoint that has been run once, replacing one of the same name.

    Raises
    ------
    CheckpointError
        If it cannot be written, or a name differs only in case, which some file systems do not
        tell apart; nothing is left behind then.
    """
    checkpoint = Checkpoint(card, folder / f"{card.name}.onnx")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for other in folder.glob("*.onnx"):
            if other.stem != card.name and other.stem.lower() == card.name.lower():
                raise CheckpointError("duplicate_name", name=other.stem)
        with replacing(checkpoint.path) as new:
            new.write_bytes(weights)
        with replacing(checkpoint.path.with_suffix(".json")) as new:
            new.write_text(card.to_json(), encoding="utf-8")
        _remember(card)
    except OSError as error:
        raise CheckpointError("cannot_write", file=checkpoint.path, reason=error.strerror) from None
    return checkpoint


def remove(name: str) -> None:
    """Delete a checkpoint of the user.

    Raises
    ------
    CheckpointError
        If there is none of that name, or it is shipped with the program.
    """
    path = find_one(name).path
    if path.parent != user_folder():
        raise CheckpointError("shipped_model", name=name)
    for part in (path.with_suffix(".json"), path):
        part.unlink(missing_ok=True)


def scan() -> tuple[list[Checkpoint], list[CheckpointError]]:
    """All checkpoints with a valid card, and the errors of the others.

    A checkpoint of the user hides a shipped one of the same name.
    """
    found: dict[str, Checkpoint] = {}
    problems: list[CheckpointError] = []
    for folder in (SHIPPED, user_folder()):
        cards = sorted(folder.glob("*.json"))
        orphans = {path.with_suffix(".json") for path in folder.glob("*.onnx")} - set(cards)
        for path in [*cards, *sorted(orphans)]:
            try:
                card = ModelCard.read(path)
            except CheckpointError as error:
                problems.append(error)
            else:
                found[card.name] = Checkpoint(card, path.with_suffix(".onnx"))
    return sorted(found.values(), key=lambda c: c.card.name), problems


def find(transform: TransformChoice, names: Sequence[str] | None = None) -> list[Checkpoint]:
    """Checkpoints of a transform (``both``: CQT and Mel), or those of them that are named.

    Parameters
    ----------
    names
        Names of checkpoints (``resnet50_cqt``) or of their backbones (``resnet50``), or one name.

    Raises
    ------
    CheckpointError
        If a name is unknown, belongs to the other transform, or has no valid card; or if there is
        no checkpoint for the transform.
    """
    checkpoints, problems = scan()
    fitting = [c for c in checkpoints if c.card.transform in transforms_of(transform)]
    if names is None:
        if not fitting:
            raise (
                problems[0] if problems else CheckpointError("no_checkpoints", transform=transform)
            )
        return fitting
    known = {c.card.name: c for c in fitting}
    chosen: dict[str, Checkpoint] = {}
    for name in [names] if isinstance(names, str) else names:
        matches = matching(name, [c.card for c in fitting])
        if not matches:
            raise _why_not(name, checkpoints, problems)
        chosen.update({card.name: known[card.name] for card in matches})
    return list(chosen.values())


def find_one(name: str) -> Checkpoint:
    """Checkpoint with exactly this name.

    Raises
    ------
    CheckpointError
        If there is none, or its card is not valid.
    """
    checkpoints, problems = scan()
    for checkpoint in checkpoints:
        if checkpoint.card.name == name:
            return checkpoint
    raise _why_not(name, checkpoints, problems)


def panel_card(cards: Iterable[ModelCard]) -> PanelCard | None:
    """Card of a panel of exactly these models; None if it was not measured.

    Raises
    ------
    CheckpointError
        If a shipped panel card is not valid.
    """
    cards = list(cards)
    measured = map(PanelCard.read, sorted((SHIPPED / "panels").glob("*.json")))
    return next((panel for panel in measured if panel.describes(cards)), None)


def _why_not(
    name: str, checkpoints: list[Checkpoint], problems: list[CheckpointError]
) -> CheckpointError:
    for checkpoint in checkpoints:
        if checkpoint.card.name == name:
            transform = checkpoint.card.transform
            return CheckpointError("other_transform", name=name, transform=transform)
    for problem in problems:
        if Path(str(problem.values.get("file"))).stem == name:
            return problem
    known = ", ".join(c.card.name for c in checkpoints) or "none"
    return CheckpointError("unknown_model", name=name, known=known)
