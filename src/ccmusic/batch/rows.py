"""A recording in, the rows of the table out, one for each window."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

from ccmusic.analysis import Analysis, Prepared, prepare
from ccmusic.audio import CLIP_SECONDS
from ccmusic.card import ModelCard
from ccmusic.errors import SandboxError, as_expected
from ccmusic.panel import Panel
from ccmusic.picture import Preprocessing
from ccmusic.sandbox import Sandbox
from ccmusic.spectrogram import TransformChoice
from ccmusic.timeline import Windows

Window = Literal["center", "whole"]
Row: TypeAlias = dict[str, str | int | float | bool | None]

_COLUMNS: dict[str, type] = {
    "path": str,
    "window_start": float,
    "window_end": float,
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
    """What decides about the content of the table."""

    transform: TransformChoice = "cqt"
    models: tuple[str, ...] | None = None
    """Names of checkpoints or backbones; all of the transform by default."""
    window: Window = "center"
    """``center``: 10 s of each recording. ``whole``: 10 s after 10 s, as
    :class:`ccmusic.timeline.Windows` cuts them."""

    def fingerprint(self, cards: Sequence[ModelCard]) -> dict[str, Any]:
        """What must be the same for a batch to go on."""
        return {
            "transform": self.transform,
            "models": {card.name: card.sha256 for card in cards},
            "window": self.window,
        }


def columns(cards: Sequence[ModelCard]) -> dict[str, type]:
    """Names and types of the columns of a table: facts, the mean, each model by name."""
    cards = sorted(cards, key=lambda card: card.name)
    classes = dict.fromkeys(genre for card in cards for genre in card.classes)
    return {
        **_COLUMNS,
        **{f"mean_{genre}": float for genre in classes},
        **{f"{card.name}_{genre}": float for card in cards for genre in card.classes},
    }


class BatchWorker(AbstractContextManager["BatchWorker"]):
    """Turns recordings into rows; keeps decoders and models open. May be shared between threads.

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

    def __call__(self, file: str) -> list[Row]:
        """Rows of a recording; a failure is a row with an ``error``.

        Raises
        ------
        SandboxError
            If no recording can be read, for want of a process to do it in.
        """
        rows: list[Row] = []
        windows = self._sandbox.stream(
            file, _windows, file, self._panel.preprocessings, self._options.window
        )
        try:
            for prepared in windows:
                rows.append(_row(file, self._panel.analyze_prepared(prepared)))
        except SandboxError:  # which is no recording's fault
            raise
        except Exception as error:  # one odd recording must not stop a library
            rows.append({"path": file, "error": str(as_expected(error, file))})
        return rows

    def close(self) -> None:
        """Let decoders and models go."""
        self._sandbox.close()
        self._panel.close()

    def __exit__(self, *exception: object) -> None:
        self.close()


def _windows(file: str, preprocessings: set[Preprocessing], window: Window) -> Iterator[Prepared]:
    """What a child of the sandbox does with a recording."""
    if window == "center":
        yield prepare(file, preprocessings).without_sound()
        return
    for clip in Windows(file, hop=CLIP_SECONDS):
        yield prepare(clip, preprocessings).without_sound()


def _row(file: str, analysis: Analysis) -> Row:
    info = asdict(analysis.clip.info)
    row: Row = {name: info[name] for name in _COLUMNS if name in info}
    row["path"] = file
    row["warnings"] = " ".join(w.code for w in analysis.clip.warnings)
    verdicts = analysis.verdicts.values()
    row["error"] = "; ".join(str(v.error) for v in verdicts if v.error) or None
    if analysis.agreement:
        genre, probability = max(analysis.mean.items(), key=lambda item: item[1])
        row["genre"], row["probability"] = genre, round(probability, 6)
        row["votes"], row["models"] = analysis.agreement.votes, analysis.agreement.models
        row["divergence"] = round(analysis.agreement.divergence, 6)
        row["split"] = "/".join(analysis.agreement.split) if analysis.agreement.split else None
    row |= {f"mean_{genre}": round(share, 6) for genre, share in analysis.mean.items()}
    for verdict in verdicts:
        shares = verdict.probabilities.items()
        row |= {f"{verdict.card.name}_{genre}": round(share, 6) for genre, share in shares}
    return row
