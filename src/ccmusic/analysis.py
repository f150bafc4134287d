"""What is known of a recording when the models have been asked."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ccmusic import files, report
from ccmusic.advice import Advice, advise
from ccmusic.agreement import Agreement, agree, mean_probabilities
from ccmusic.attention import Attention, attend
from ccmusic.errors import CCMusicError
from ccmusic.prepare import Prepared
from ccmusic.schema import (
    AdviceDocument,
    AgreementDocument,
    AnalysisDocument,
    ClipDocument,
    model_document,
)
from ccmusic.spectrogram import TransformChoice
from ccmusic.texts import Language, translate
from ccmusic.verdict import Verdict


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Analysis(Prepared):
    """Every step from the file to the verdicts and their agreement."""

    transform: TransformChoice
    verdicts: dict[str, Verdict]
    """By name of checkpoint."""
    mean: dict[str, float]
    """The ensemble: mean probability of each class among models that share their classes."""
    agreement: Agreement | None
    """None if every model failed, or none was asked."""

    def message(self, language: Language = "en") -> str:
        """One sentence: the agreement of the panel, or why there is none."""
        judged, seconds = self.judged, {"seconds": self.audible}
        if judged in ("silent", "too_short"):
            return translate(language, f"judged.{judged}", **seconds)
        if self.agreement is None:
            return translate(language, "judged.no_verdict")
        opinion = self.agreement.message(language)
        if judged == "doubtful":
            return translate(language, "judged.doubtful", opinion=opinion, **seconds)
        return opinion

    @property
    def advice(self) -> Advice | None:
        """What the mean is worth, and what else to ask; None without measurements or verdicts."""
        return advise([verdict.card for verdict in self.verdicts.values()], self.mean)

    @property
    def genres(self) -> list[str]:
        """Classes of all models that gave a verdict, the likeliest in the mean first."""
        known = dict.fromkeys(c for v in self.verdicts.values() for c in v.probabilities)
        return sorted(known, key=lambda genre: -self.mean.get(genre, 0.0))

    def attention(self, name: str, genre: str | None = None) -> Attention | None:
        """Regions that support a genre, by default the first choice; None if there are no maps."""
        verdict = self.verdicts[name]
        preprocessing = verdict.card.preprocessing
        slices = self.pictures[preprocessing]
        shown = self.whole if preprocessing.slice_seconds else self.clip.info
        return attend(
            verdict,
            slices[len(slices) // 2],
            genre,
            start=shown.window_start,
            length=shown.window_end - shown.window_start,
        )

    def select(self, names: Collection[str]) -> Analysis:
        """The analysis restricted to some of its models."""
        verdicts = {name: verdict for name, verdict in self.verdicts.items() if name in names}
        voices = list(verdicts.values())
        return replace(
            self, verdicts=verdicts, mean=mean_probabilities(voices), agreement=agree(voices)
        )

    def document(
        self, *, top_k: int = 3, attention: bool = False, language: Language = "en"
    ) -> AnalysisDocument:
        """The analysis in the JSON form of all front ends.

        Parameters
        ----------
        top_k
            Number of genres in ``top`` of each model.
        attention
            Whether to include the attention maps of the first choices.
        language
            Language of the sentences.
        """
        advice = self.advice
        return AnalysisDocument(
            file=self.file,
            clip=ClipDocument.of(self.clip, self.warnings, language),
            transform=self.transform,
            judged=self.judged,
            message=self.message(language),
            models={
                name: model_document(
                    verdict, top_k, language, self.attention(name) if attention else None
                )
                for name, verdict in self.verdicts.items()
            },
            mean=self.mean,
            agreement=self.agreement and AgreementDocument.of(self.agreement, language),
            advice=advice and AdviceDocument.of(advice, language),
            elapsed_ms=self.elapsed_ms,
        )

    def to_dict(self, *, top_k: int = 3) -> dict[str, Any]:
        """The analysis as ``ccmusic classify --json`` prints it; see :meth:`document`."""
        return self.document(top_k=top_k).to_dict()

    def save(self, path: str | os.PathLike[str], *, language: Language = "en") -> None:
        """Write a report: a page with its pictures, JSON or CSV, by the ending of the name.

        Parameters
        ----------
        path
            Ends in ``.html``, ``.json`` or ``.csv``.
        language
            Language of the page.

        Raises
        ------
        CCMusicError
            If the name ends otherwise, or the file cannot be written.
        """
        kind = report.kind_of(Path(path))
        files.write(Path(path), report.render(self, kind, language).encode())

    def rows(self) -> list[dict[str, str | float | None]]:
        """One row per model and class, those of the mean last; one row without verdicts."""
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

        def add(transform: str, model: str | None, **values: str | float | None) -> None:
            row = {"file": self.file, "transform": transform, "model": model, **values}
            found.append({**dict.fromkeys(columns), **row, "judged": self.judged})

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
        columns file, transform, model, class, probability, latency_ms, error and judged.

        Raises
        ------
        CCMusicError
            If neither is installed.
        """
        for library in ("pandas", "polars"):
            if importlib.util.find_spec(library):
                return importlib.import_module(library).DataFrame(self.rows())
        raise CCMusicError("a data frame needs pandas or polars: pip install pandas")
