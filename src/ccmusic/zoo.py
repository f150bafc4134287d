"""Checkpoints: those shipped with the program, and those of the user."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from ccmusic.card import ModelCard, PanelCard, matching
from ccmusic.errors import CheckpointError, reason_of
from ccmusic.files import replacing
from ccmusic.spectrogram import TransformChoice, transforms_of

if TYPE_CHECKING:
    from ccmusic.runtime import onnxruntime

SHIPPED = Path(__file__).parent / "checkpoints"


def user_folder() -> Path:
    """Folder of the user's own checkpoints.

    ``checkpoints`` below the environment variable ``CCMUSIC_HOME``, or below the platform's data
    directory. It need not exist.
    """
    home = os.environ.get("CCMUSIC_HOME") or platformdirs.user_data_dir("ccmusic", appauthor=False)
    return Path(home) / "checkpoints"


@dataclass(frozen=True)
class Checkpoint:
    """A card and its ONNX file, not yet opened."""

    card: ModelCard
    path: Path
    """The ONNX file."""

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

    def open(self, *, threads: int = 0) -> onnxruntime.InferenceSession:
        """Verify and load the file.

        Parameters
        ----------
        threads
            Cores that one inference may use; 0 leaves the choice to ONNX Runtime.

        Raises
        ------
        CheckpointError
            If the file is missing, differs from the card, or cannot be loaded.
        """
        from ccmusic.runtime import onnxruntime

        self.verify()
        _share_arena()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        options.enable_mem_pattern = False  # patterns use a tenth more memory and save no time
        options.add_session_config_entry("session.use_env_allocators", "1")
        try:
            # By path: a session keeps bytes that it was loaded from in memory.
            session = onnxruntime.InferenceSession(self.path, options, providers=providers())
        except Exception as error:
            # ONNX Runtime has no public base class for its errors.
            raise CheckpointError("bad_weights", file=self.path, reason=reason_of(error)) from None
        return session


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


def providers() -> list[str]:
    """What models run on: the CPU, and CUDA if onnxruntime-gpu is installed instead."""
    from ccmusic.runtime import onnxruntime

    here = onnxruntime.get_available_providers()
    return [p for p in ("CUDAExecutionProvider", "CPUExecutionProvider") if p in here]


def store(card: ModelCard, weights: bytes, folder: Path) -> Checkpoint:
    """Write a checkpoint, replacing one of the same name.

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
        with replacing(checkpoint.path) as beside:
            beside.write_bytes(weights)
        with replacing(checkpoint.path.with_suffix(".json")) as beside:
            beside.write_text(card.to_json(), encoding="utf-8")
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
        Names of checkpoints (``resnet50_cqt``) or of their backbones (``resnet50``).

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
    for name in names:
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
