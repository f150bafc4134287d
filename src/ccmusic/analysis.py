"""What is known of a recording when the models have been asked."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from ccmusic.agreement import agree, mean_probabilities
from ccmusic.attention import Attention, Region, attend
from ccmusic.card import matching
from ccmusic.picture import Picture
from ccmusic.prepare import Prepared
from ccmusic.result import PanelResult
from ccmusic.schema import AnalysisDocument
from ccmusic.texts import Language, translate


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Analysis(Prepared, PanelResult):
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

    def _opinion(self, agreement: str, language: Language) -> str:
        if self.judged == "doubtful":
            return translate(language, "judged.doubtful", opinion=agreement, seconds=self.audible)
        return agreement

    def _regions(self, genre: str) -> list[Region]:
        looked = [
            self.attention(name, genre)
            for name, verdict in self.verdicts.items()
            if verdict.card.faithfulness and verdict.card.faithfulness.better_than_chance
        ]
        return [at.region for at in looked if at and at.region and not at.everywhere]

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
        names = [names] if isinstance(names, str) else names
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
        return self._document(
            top_k=top_k,
            language=language,
            attention=self.attention if attention else lambda name: None,
        )

    def compact(self) -> Analysis:
        """The same without samples, cells, pictures and maps: a few kilobytes."""
        shells = {
            transform: replace(drawn, values=drawn.values[:, :0], times=drawn.times[:0])
            for transform, drawn in self.spectrograms.items()
        }
        verdicts = {name: replace(v, maps=None) for name, v in self.verdicts.items()}
        return replace(self.without_sound(), spectrograms=shells, pictures={}, verdicts=verdicts)
