"""Rows of the table: one for each recording; of whole pieces, one for each window as well."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from ccmusic.audio import Crop
from ccmusic.card import ModelCard
from ccmusic.schema import VERSION
from ccmusic.spectrogram import TransformChoice

BatchCrop: TypeAlias = Crop | Literal["whole"] | float
Row: TypeAlias = dict[str, str | int | float | bool | None]
Document: TypeAlias = dict[str, Any]
"""An analysis or an error, in the form of :mod:`ccmusic.schema`."""

_COLUMNS: dict[str, type] = {
    "path": str,
    "window_start": float,
    "window_end": float,
    "windows": int,
    "judged": str,
    "message": str,
    "genre": str,
    "probability": float,
    "sureness": str,
    "accuracy": float,
    "votes": int,
    "models": int,
    "divergence": float,
    "split": str,
    "duration": float,
    "codec": str,
    "bit_rate": int,
    "sample_rate": int,
    "channels": int,
    "looped": bool,
    "warnings": str,
    "error": str,
}


@dataclass(frozen=True)
class Options:
    """Options that determine the content of the table."""

    transform: TransformChoice = "cqt"
    models: tuple[str, ...] | None = None
    """Names of checkpoints or backbones; all of the transform by default."""
    crop: BatchCrop = "center"
    """Which 10 s of each recording, as in :func:`ccmusic.load`. ``whole``: a row for the whole
    piece, see :class:`ccmusic.WholePiece`, and one for each of its windows."""

    def fingerprint(self, cards: Sequence[ModelCard]) -> dict[str, Any]:
        """Options and models that must be the same to resume a batch."""
        return {
            "transform": self.transform,
            "models": {card.name: card.sha256 for card in cards},
            "crop": self.crop,
            "schema": VERSION,
        }


def columns(cards: Sequence[ModelCard]) -> dict[str, type]:
    """Names and types of the columns: information, the mean, each model by name."""
    cards = sorted(cards, key=lambda card: card.name)
    classes = dict.fromkeys(genre for card in cards for genre in card.classes)
    return {
        **_COLUMNS,
        **{f"mean_{genre}": float for genre in classes},
        **{f"{card.name}_{genre}": float for card in cards for genre in card.classes},
    }


def row(document: Mapping[str, Any]) -> Row:
    """Row of an analysis or error, from the form of :mod:`ccmusic.schema`."""
    if "clip" not in document:
        return {"path": document["file"], "error": document["error"]}
    clip, agreement, mean = document["clip"], document["agreement"], document["mean"]
    advice = document.get("advice") or {}
    row: Row = {name: clip[name] for name in _COLUMNS if name in clip and name != "warnings"}
    row["path"], row["judged"] = document["file"], document["judged"]
    row["warnings"] = " ".join(warning["code"] for warning in clip["warnings"])
    silence = [w["message"] for w in clip["warnings"] if w["code"] == "silence"]
    row["message"] = silence[0] if silence and not mean else document["message"]
    row["error"] = error_of(document)
    row["windows"] = len(document.get("windows") or ()) or None
    if agreement:
        genre, probability = max(mean.items(), key=lambda item: item[1])
        row["genre"], row["probability"] = genre, round(probability, 6)
        row["sureness"], row["accuracy"] = advice.get("level"), advice.get("accuracy")
        row["votes"], row["models"] = agreement["camps"].get(genre, 0), agreement["models"]
        row["divergence"] = round(agreement["divergence"], 6)
        row["split"] = "/".join(agreement["split"]) if agreement["split"] else None
    row |= {f"mean_{genre}": round(share, 6) for genre, share in mean.items()}
    for name, verdict in document["models"].items():
        shares = verdict.get("probabilities", {}).items()
        row |= {f"{name}_{genre}": round(share, 6) for genre, share in shares}
    return row


def error_of(document: Mapping[str, Any]) -> str | None:
    """Error of a recording, or of its models."""
    if "error" in document:
        return str(document["error"])
    failures = [m["error"] for m in document["models"].values() if "error" in m]
    return "; ".join(failures) or None
