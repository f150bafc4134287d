"""Rows of the table: one for each window of a recording."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from ccmusic.analysis import Analysis, Prepared, prepare
from ccmusic.audio import CLIP_SECONDS, Crop
from ccmusic.card import ModelCard
from ccmusic.errors import SandboxError, as_expected
from ccmusic.panel import Panel
from ccmusic.picture import Preprocessing
from ccmusic.sandbox import Sandbox
from ccmusic.schema import VERSION, ErrorDocument
from ccmusic.spectrogram import TransformChoice
from ccmusic.timeline import Windows

BatchCrop: TypeAlias = Crop | Literal["whole"] | float
Row: TypeAlias = dict[str, str | int | float | bool | None]
Document: TypeAlias = dict[str, Any]
"""An analysis or an error, in the form of :mod:`ccmusic.schema`."""

_COLUMNS: dict[str, type] = {
    "path": str,
    "window_start": float,
    "window_end": float,
    "judged": str,
    "genre": str,
    "probability": float,
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
    """Which 10 s of each recording, as in :func:`ccmusic.load`. ``whole``: 10 s after 10 s, as
    :class:`ccmusic.timeline.Windows` cuts them."""

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


class BatchWorker(AbstractContextManager["BatchWorker"]):
    """Open decoders and models that analyse recordings. May be shared between threads.

    Parameters
    ----------
    decoders
        Processes that decode.
    cores
        Models that run at the same time, each on one core.
    """

    def __init__(self, options: Options, *, decoders: int, cores: int) -> None:
        self._options = options
        self._panel = Panel.open(options.transform, options.models, concurrency=cores)
        self._sandbox = Sandbox(decoders)

    def __call__(self, file: str) -> list[Document]:
        """Analyses of a recording, one for each window, or the error that ended them.

        Raises
        ------
        SandboxError
            If no child process can be started.
        """
        documents: list[Document] = []
        try:
            for analysis in self.analyze(file, keep_sound=False):
                documents.append(analysis.to_dict())
        except SandboxError:  # not the fault of a recording
            raise
        except Exception as error:  # one recording must not stop a library
            told = str(as_expected(error, file))
            documents.append(ErrorDocument(file=file, error=told).to_dict())
        return documents

    def analyze(self, file: str, *, keep_sound: bool) -> Iterator[Analysis]:
        """Analyse a recording, window by window.

        Parameters
        ----------
        keep_sound
            Whether the analyses hold their samples, which must come from another process then.

        Raises
        ------
        CCMusicError
            If the recording cannot be read.
        """
        crop, preprocessings = self._options.crop, self._panel.preprocessings
        for prepared in self._sandbox.stream(
            file, _windows, file, preprocessings, crop, keep_sound
        ):
            yield self._panel.analyze_prepared(prepared)

    def close(self) -> None:
        """Close decoders and models."""
        self._sandbox.close()
        self._panel.close()

    def __exit__(self, *exception: object) -> None:
        self.close()


def _windows(
    file: str, preprocessings: set[Preprocessing], crop: BatchCrop, keep_sound: bool
) -> Iterator[Prepared]:
    """Pictures of a recording; runs in a child of the sandbox."""
    found: Iterable[Prepared]
    if crop == "whole":
        found = (prepare(clip, preprocessings) for clip in Windows(file, hop=CLIP_SECONDS))
    else:
        found = [prepare(file, preprocessings, crop=crop)]
    for prepared in found:
        yield prepared if keep_sound else prepared.without_sound()


def row(document: Mapping[str, Any]) -> Row:
    """Row of an analysis or error, from the form of :mod:`ccmusic.schema`."""
    if "clip" not in document:
        return {"path": document["file"], "error": document["error"]}
    clip, agreement, mean = document["clip"], document["agreement"], document["mean"]
    row: Row = {name: clip[name] for name in _COLUMNS if name in clip and name != "warnings"}
    row["path"], row["judged"] = document["file"], document["judged"]
    row["warnings"] = " ".join(warning["code"] for warning in clip["warnings"])
    row["error"] = error_of(document)
    if agreement:
        genre, probability = max(mean.items(), key=lambda item: item[1])
        row["genre"], row["probability"] = genre, round(probability, 6)
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
