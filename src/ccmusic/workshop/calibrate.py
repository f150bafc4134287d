"""Calibration of checkpoints on a user's own recordings."""

from __future__ import annotations

from pathlib import Path

from ccmusic.card import ModelCard
from ccmusic.errors import DataError
from ccmusic.workshop.evaluate import calibrate
from ccmusic.zoo import Checkpoint, find_one, store, user_folder


def calibrate_stored(
    name: str, manifest: Path, *, store_as: str | None = None, split: str = "valid"
) -> tuple[ModelCard, Checkpoint]:
    """Fit temperature and confidence bands, and store the checkpoint with them.

    Parameters
    ----------
    name
        Checkpoint to calibrate.
    manifest, split
        As of :func:`ccmusic.workshop.evaluate.calibrate`.
    store_as
        Name of a copy. Without it a checkpoint of the user's own is rewritten; a shipped one
        stays as it is and needs a name.

    Returns
    -------
    before
        The card as it was.
    stored
        The calibrated checkpoint.

    Raises
    ------
    CheckpointError
        If there is no such checkpoint, or no copy of this name can be stored.
    DataError
        If the manifest cannot be used, or a shipped checkpoint has no new name.
    """
    checkpoint = find_one(name)
    if store_as is None and checkpoint.path.parent != user_folder():
        raise DataError(f"{name} is shipped with the program: name the calibrated copy with --as")
    card = calibrate(checkpoint, manifest, split=split).renamed(store_as or name)
    return checkpoint.card, store(card, checkpoint.path.read_bytes(), user_folder())
