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
from ccmusic.agreement import Agreement, agree, comparable, mean_probabilities
from ccmusic.attention import Attention, attend
from ccmusic.card import matching
from ccmusic.errors import CCMusicError, CheckpointError
from ccmusic.picture import Picture
from ccmusic.prepare import Prepared
from ccmusic.schema import (
    AdviceDocument,
    AgreementDocument,
    AnalysisDocument,
    ClipDocument,
    model_document,
)
from ccmusic.texts import Language, default_language, translate
from ccmusic.verdict import Verdict


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Analysis(Prepared):
    """Every step from the file to the verdicts and their agreement.

    >>> from ccmusic import analyze
    >>> analysis = analyze("examples/rain.ogg")
    >>> analysis.message(), analysis.top(1)[0][0], len(analysis.verdicts)
    ('all 5 models say Environment', 'environment', 5)
    >>> analysis.picture("resnet50").input.shape, analysis.spectrogram("cqt").values.shape
    ((3, 224, 224), (84, 431))
    >>> analysis.to_dict()["clip"]["codec"]
    'vorbis'
    """

    transform: str
    """Of all its models; ``both`` if they do not all have the same."""
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
        # A model whose classes are others than most models' is not in the mean, and changes
        # nothing of what that is worth.
        voices = comparable(list(self.verdicts.values()))
        return advise([verdict.card for verdict in voices], self.mean)

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

    def picture(self, name: str) -> Picture:
        """What a model saw, of several slices the middle one; errors as :meth:`verdict`."""
        slices = self.pictures[self.verdict(name).card.preprocessing]
        return slices[len(slices) // 2]

    def attention(self, name: str, genre: str | None = None) -> Attention | None:
        """Regions that support a genre.

        Parameters
        ----------
        name
            As in :meth:`verdict`.
        genre
            By default the first choice of the model.

        Returns
        -------
        None if the model failed, has no maps, or does not know the genre, but another one does.

        Raises
        ------
        CheckpointError
            As :meth:`verdict`.
        ValueError
            If no model knows the genre.
        """
        verdict = self.verdict(name)
        known = {c for verdict in self.verdicts.values() for c in verdict.card.classes}
        if genre is not None and genre not in known:
            raise ValueError(f"unknown genre {genre!r}; known: {', '.join(sorted(known))}")
        shown = self.whole if verdict.card.preprocessing.slice_seconds else self.clip.info
        return attend(
            verdict,
            self.picture(name),
            genre,
            start=shown.window_start,
            length=shown.window_end - shown.window_start,
        )

    def select(self, names: Collection[str]) -> Analysis:
        """The analysis restricted to some of its models, by checkpoint or backbone."""
        cards = [verdict.card for verdict in self.verdicts.values()]
        chosen = {card.name for name in names for card in matching(name, cards)}
        verdicts = {name: verdict for name, verdict in self.verdicts.items() if name in chosen}
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
