"""Analyses of all windows of a piece in, one answer for the piece out."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from ccmusic.agreement import agree, mean_probabilities
from ccmusic.analysis import Analysis
from ccmusic.audio import AudioWarning
from ccmusic.genres import genre_name
from ccmusic.result import PanelResult
from ccmusic.texts import Language, translate
from ccmusic.verdict import average


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class WholePiece(PanelResult):
    """The verdicts on a whole piece: of each model, the mean probabilities over its windows.

    Every window with a verdict has the same weight; silent ones have none. Temperatures and
    confidence bands are those of single windows: too few songs of which there are several were at
    hand to measure others. The ``clip`` reaches from the first window to the last, without samples;
    ``votes`` of a verdict are the first choices of the windows.

    >>> from ccmusic import Panel
    >>> with Panel.open("cqt", ["mobilenet_v3_large"]) as panel:
    ...     piece = panel.analyze_whole("examples/rain.ogg")
    >>> piece.agreement.top, [round(window.clip.info.window_start) for window in piece.windows]
    ('environment', [0, 2])
    """

    windows: tuple[Analysis, ...]
    """In order, :meth:`compact <ccmusic.Analysis.compact>`; at least one."""

    @classmethod
    def of(cls, windows: Iterable[Analysis]) -> Self:
        """Sum up the analyses of the windows of a piece, at least one."""
        kept = tuple(window.compact() for window in windows)
        names = dict.fromkeys(name for window in kept for name in window.verdicts)
        verdicts = {
            name: average([w.verdicts[name] for w in kept if name in w.verdicts]) for name in names
        }
        voices = list(verdicts.values())
        clip, end = kept[0].clip, kept[-1].clip.info.window_end
        return cls(
            windows=kept,
            clip=replace(
                clip,
                info=replace(clip.info, window_end=end),
                audible=max(window.audible for window in kept),
            ),
            transform=kept[0].transform,
            verdicts=verdicts,
            mean=mean_probabilities(voices),
            agreement=agree(voices),
            elapsed_ms=sum(window.elapsed_ms for window in kept),
        )

    @property
    def warnings(self) -> tuple[AudioWarning, ...]:
        """Warnings of more than half of the windows that are not silent, with mean numbers."""
        heard = [window for window in self.windows if window.judged != "silent"]
        found: dict[str, list[AudioWarning]] = {}
        for warning in (warning for window in heard for warning in window.warnings):
            found.setdefault(warning.code, []).append(warning)
        return tuple(
            AudioWarning(
                code, {k: float(np.mean([w.values[k] for w in same])) for k in same[0].values}
            )
            for code, same in found.items()
            if 2 * len(same) > len(heard)
        )

    def _opinion(self, agreement: str, language: Language) -> str:
        return translate(
            language,
            "whole.message",
            windows=len(self.windows),
            ranking=ranking(self.top(2), language),
            opinion=agreement,
        )

    def select(self, names: Collection[str]) -> Self:
        """The same restricted to some of its models; errors as of :meth:`Analysis.select`."""
        return self.of(window.select(names) for window in self.windows)


def ranking(choices: Sequence[tuple[str, float]], language: Language) -> str:
    """Genres with their probabilities in a line: ``Rock 46%, Folk 20%``."""
    shown = (f"{genre_name(genre, language)} {share:.0%}" for genre, share in choices)
    return translate(language, "agreement.and").join(shown)
