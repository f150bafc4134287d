"""Models that people bring: the user's own, or the visitor's where others reach the server.

Those of a visitor lie in a temporary folder and are kept for a day. Nobody else sees or asks them.
"""

from __future__ import annotations

import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from ccmusic import zoo
from ccmusic.dashboard.visitors import VisitorStore, known_visitor, visitor
from ccmusic.errors import CheckpointError, MissingExtraError
from ccmusic.options import ImportOptions
from ccmusic.zoo import Checkpoint

if TYPE_CHECKING:
    from ccmusic.workshop.importer import ImportReport

_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_KEPT = VisitorStore[Checkpoint](
    seconds=86_400,
    most=2**32,
    each=2**30,
    size=lambda checkpoint: sum(f.stat().st_size for f in checkpoint.path.parent.glob("*")),
    discard=lambda checkpoint: shutil.rmtree(checkpoint.path.parent, ignore_errors=True),
)


def others_come() -> bool:
    """Whether this server listens to more than its own machine."""
    return st.get_option("server.address") not in _LOOPBACK


def own_models() -> list[Checkpoint]:
    """Models that this visitor may remove."""
    if others_come():
        return private_models()
    folder = zoo.user_folder()
    return [checkpoint for checkpoint in zoo.scan()[0] if checkpoint.path.parent == folder]


def private_models() -> list[Checkpoint]:
    """Models that this visitor alone sees, beside those of everybody."""
    secret = known_visitor() if others_come() else None
    return list(_KEPT.get(secret).values()) if secret else []


def import_model(path: Path, options: ImportOptions) -> ImportReport:
    """Import a file for this visitor.

    Raises
    ------
    WeightsError, CheckpointError
        As :func:`ccmusic.workshop.importer.import_weights`.
    MissingExtraError
        Without PyTorch.
    """
    try:
        from ccmusic.workshop.importer import import_weights
    except ImportError:
        raise MissingExtraError("importing weights", "torch") from None
    if not others_come():
        return import_weights(path, options)
    name = options.name or ""
    if name.lower() in {checkpoint.card.name.lower() for checkpoint in private_models()}:
        raise CheckpointError("duplicate_name", name=name)
    folder = Path(tempfile.mkdtemp(dir=_folder().name))
    try:
        imported = import_weights(path, options, folder=folder)
    except BaseException:
        shutil.rmtree(folder)
        raise
    _KEPT.put(visitor(), {name: imported.checkpoint})
    return imported


def remove_model(name: str) -> None:
    """Remove one of the :func:`own_models`; errors as :func:`ccmusic.zoo.remove`."""
    if others_come():
        _KEPT.remove(visitor(), [name])
    else:
        zoo.remove(name)


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    """Folder of all private models, which goes with the process."""
    return tempfile.TemporaryDirectory(prefix="ccmusic-", ignore_cleanup_errors=True)
