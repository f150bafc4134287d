"""What every answer of a panel has: verdicts, their mean and agreement, advice, and its forms."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ccmusic import edits, files, report
from ccmusic.advice import Advice, advise
from ccmusic.agreement import Agreement, comparable
from ccmusic.attention import Attention, Region
from ccmusic.audio import AudioWarning
from ccmusic.card import matching
from ccmusic.errors import CCMusicError, CheckpointError
from ccmusic.prepare import ClipResult
from ccmusic.schema import (
    AdviceDocument,
    AgreementDocument,
    AnalysisDocument,
    Choice,
    ClipDocument,
    WindowDocument,
    model_document,
)
from ccmusic.texts import Language, default_language, translate
from ccmusic.verdict import Verdict
from ccmusic.why import Why, reasons


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class PanelResult(ClipResult):
    """Base of :class:`~ccmusic.Analysis`, of one window, and :class:`~ccmusic.WholePiece`.

    >>> from ccmusic import Panel
    >>> with Panel.open("cqt", ["mobilenet_v3_large"]) as panel:
    ...     answers = panel.analyze("examples/rain.ogg"), panel.analyze_whole("examples/rain.ogg")
    >>> [(len(answer.windows), answer.top(1)[0][0]) for answer in answers]
    [(0, 'environment'), (2, 'environment')]
    """

    transform: str
    """Of all its models; ``both`` if they do not all have the same."""
    verdicts: dict[str, Verdict]
    """By name of checkpoint."""
    mean: dict[str, float]
    """The ensemble: mean probability of each class among models that share their classes."""
    agreement: Agreement | None
    """None if every model failed, or none was asked."""
    windows: tuple[PanelResult, ...] = ()
    """Of a whole piece."""

    @property
    def warnings(self) -> tuple[AudioWarning, ...]:
        """What lessens the worth of the verdicts."""
        raise NotImplementedError

    def message(self, language: Language = "en") -> str:
        """One sentence that says it all: what the panel thinks, or why it does not."""
        if self.judged in ("silent", "too_short"):
            return translate(language, f"judged.{self.judged}", seconds=self.audible)
        if self.agreement is None:
            return translate(language, "judged.no_verdict")
        return self._opinion(self.agreement.message(language), language)

    def _opinion(self, agreement: str, language: Language) -> str:
        """The sentence, from that about the agreement of the panel."""
        raise NotImplementedError

    def document(
        self, *, top_k: int = 3, attention: bool = False, language: Language = "en"
    ) -> AnalysisDocument:
        """The JSON form of all front ends.

        Parameters
        ----------
        top_k
            Number of genres in ``top`` of each model.
        attention
            Whether to include the maps of the first choices; a whole piece has none.
        language
            Language of the sentences.
        """
        advice = self.advice
        return AnalysisDocument(
            file=self.file,
            clip=ClipDocument.of(self.clip, self.warnings, language),
            edits=list(self.clip.edits),
            transform=self.transform,
            judged=self.judged,
            message=self.message(language),
            models={
                name: model_document(
                    verdict, top_k, language, self.evidence(name) if attention else None
                )
                for name, verdict in self.verdicts.items()
            },
            mean=self.mean,
            agreement=self.agreement and AgreementDocument.of(self.agreement, language),
            advice=advice and AdviceDocument.of(advice, language),
            elapsed_ms=self.elapsed_ms,
            windows=[window._as_window() for window in self.windows] or None,
        )

    def _as_window(self) -> WindowDocument:
        info = self.clip.info
        first = {name: v.top(1)[0] for name, v in self.verdicts.items() if not v.error}
        return WindowDocument(
            start=info.window_start,
            end=info.window_end,
            judged=self.judged,
            mean=self.mean,
            choices={n: Choice(genre=g, probability=p) for n, (g, p) in first.items()},
        )

    @property
    def advice(self) -> Advice | None:
        """What the mean is worth, and what else to ask; None without measurements or verdicts.

        All of it was measured on music as it is: of edited sound, it is None.
        """
        if self.clip.edits:
            return None
        # A model whose classes are others than most models' is not in the mean, and changes
        # nothing of what that is worth.
        voices = comparable(list(self.verdicts.values()))
        return advise([verdict.card for verdict in voices], self.mean)

    def why(self, genre: str | None = None) -> Why | None:
        """What speaks for a genre and what against it; None if the mean does not know it.

        >>> from ccmusic import analyze
        >>> analyze("examples/rain.ogg").why().message("en").endswith(".")
        True

        Parameters
        ----------
        genre
            By default the likeliest in the mean.
        """
        genre = genre or (self.agreement.leader if self.agreement else "")
        if genre not in self.mean:
            return None
        voices = [verdict.probabilities for verdict in comparable(list(self.verdicts.values()))]
        return reasons(genre, self.mean, voices, list(self._regions(genre)))

    def evidence(self, name: str, genre: str | None = None) -> Attention | None:
        """Where a model finds a genre, as well as is known; None of a whole piece."""
        return None

    def _regions(self, genre: str) -> Iterator[Region]:
        """The strongest places of the maps that were measured to be better than chance."""
        for name, verdict in self.verdicts.items():
            at = self.evidence(name, genre)
            worth = at and at.worth(verdict.card)
            if at and at.region and not at.everywhere and worth and worth.better_than_chance:
                yield at.region

    @property
    def genres(self) -> list[str]:
        """Classes of all models that gave a verdict, the likeliest in the mean first."""
        known = dict.fromkeys(c for v in self.verdicts.values() for c in v.probabilities)
        return sorted(known, key=lambda genre: -self.mean.get(genre, 0.0))

    def top(self, k: int = 3) -> list[tuple[str, float]]:
        """The likeliest genres of the mean with their probabilities; none without verdicts."""
        return sorted(self.mean.items(), key=lambda item: -item[1])[:k]

    def verdict(self, name: str) -> Verdict:
        """Verdict of a model, by the name of its checkpoint or backbone.

        Raises
        ------
        CheckpointError
            If there is none, or there are two of a backbone.
        """
        found = matching(name, [verdict.card for verdict in self.verdicts.values()])
        if len(found) == 1:
            return self.verdicts[found[0].name]
        known = ", ".join(card.name for card in found) or ", ".join(self.verdicts) or "none"
        raise CheckpointError(
            "ambiguous_model" if found else "unknown_model", name=name, known=known
        )

    def to_dict(self, *, top_k: int = 3) -> dict[str, Any]:
        """The analysis as ``ccmusic classify --json`` prints it; see :meth:`document`."""
        return self.document(top_k=top_k).to_dict()

    def save(self, path: str | os.PathLike[str], *, language: Language | None = None) -> None:
        """Write a report: a page with its pictures, JSON or CSV, by the ending of the name.

        Parameters
        ----------
        path
            Ends in ``.html``, ``.json`` or ``.csv``.
        language
            Language of the page; by default that of ``CCMUSIC_LANGUAGE`` or of the locale.

        Raises
        ------
        CCMusicError
            If the name ends otherwise, or the file cannot be written.
        """
        kind = report.kind_of(Path(path))
        language = language or default_language()
        files.write(Path(path), report.render(self, kind, language).encode())

    def rows(self) -> list[dict[str, str | float | None]]:
        """One row per model and class, those of the mean last; one row without verdicts.

        Of edited sound, each says so in ``edits``.
        """
        columns = [
            "file",
            "transform",
            "model",
            "class",
            "probability",
            "latency_ms",
            "error",
            "judged",
        ]
        found: list[dict[str, str | float | None]] = []
        done = self.clip.edits
        edited = {"edits": edits.message(done, "en")} if done else {}

        def add(transform: str, model: str | None, **values: str | float | None) -> None:
            row = {"file": self.file, "transform": transform, "model": model, **values}
            found.append({**dict.fromkeys(columns), **row, "judged": self.judged, **edited})

        if not self.verdicts:
            add(self.transform, None)
        for name, verdict in self.verdicts.items():
            transform = verdict.card.transform
            if verdict.error:
                add(transform, name, error=str(verdict.error))
            for genre, share in verdict.probabilities.items():
                values = {"probability": share, "latency_ms": verdict.latency_ms}
                add(transform, name, **{"class": genre}, **values)
        for genre, share in self.mean.items():
            add(self.transform, "mean", **{"class": genre}, probability=share)
        return found

    def to_frame(self) -> Any:
        """A data frame of pandas, or of polars where pandas is not installed.

        One row per model and class, those of the mean last (``model`` is ``mean``), with the
        columns file, transform, model, class, probability, latency_ms, error and judged; of edited
        sound, also edits.

        Raises
        ------
        CCMusicError
            If neither is installed.
        """
        for library in ("pandas", "polars"):
            if importlib.util.find_spec(library):
                return importlib.import_module(library).DataFrame(self.rows())
        raise CCMusicError("a data frame needs pandas or polars: pip install pandas")
