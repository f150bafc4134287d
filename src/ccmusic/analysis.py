"""What is known of a recording when the models have been asked."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import TypeVar

from ccmusic.agreement import agree, mean_probabilities
from ccmusic.attention import Attention, attend
from ccmusic.card import select
from ccmusic.importance import weigh
from ccmusic.picture import Picture
from ccmusic.prepare import Prepared
from ccmusic.result import PanelResult
from ccmusic.texts import Language, translate

Map = TypeVar("Map", bound=Attention)


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

    @property
    def measured(self) -> bool:
        """Whether its evidence is measured, not told from features: see :meth:`evidence`."""
        voices = [verdict for verdict in self.verdicts.values() if not verdict.error]
        return not voices or any(verdict.covered is not None for verdict in voices)

    def picture(self, name: str) -> Picture:
        """What a model saw, of several slices the middle one; errors as :meth:`verdict`."""
        slices = self.pictures[self.verdict(name).card.preprocessing]
        return slices[len(slices) // 2]

    def evidence(self, name: str, genre: str | None = None) -> Attention | None:
        """Where a model finds a genre, as well as is known.

        What was measured by :meth:`Panel.measure <ccmusic.Panel.measure>`, an
        :class:`~ccmusic.Importance`; else the activation map. Parameters, result and errors are
        those of :meth:`attention`. The cards tell under ``faithfulness`` how often the regions of
        both kinds matter.
        """
        measured = self.verdict(name).covered is not None
        return self._map(weigh if measured else attend, name, genre)

    def attention(self, name: str, genre: str | None = None) -> Attention | None:
        """The activation map: regions that support a genre, by the features of the network.

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
        return self._map(attend, name, genre)

    def _map(self, explain: Callable[..., Map | None], name: str, genre: str | None) -> Map | None:
        verdict = self.verdict(name)
        self.check_genre(genre)
        if verdict.maps is None and verdict.covered is None:
            return None  # nor need there be a picture
        shown = self.whole if verdict.card.preprocessing.slice_seconds else self.clip.info
        return explain(
            verdict,
            self.picture(name),
            genre,
            start=shown.window_start,
            length=shown.window_end - shown.window_start,
        )

    def check_genre(self, genre: str | None) -> None:
        """Raise a ValueError if models gave verdicts, and none of them knows a genre."""
        known = {c for verdict in self.verdicts.values() for c in verdict.card.classes}
        if known and genre is not None and genre not in known:
            raise ValueError(f"unknown genre {genre!r}; known: {', '.join(sorted(known))}")

    def select(self, names: Collection[str]) -> Analysis:
        """The analysis restricted to some of its models, by checkpoint or backbone.

        Raises
        ------
        CheckpointError
            If there are verdicts, and none of a named model.
        """
        if not self.verdicts:
            return self
        chosen = select(names, (verdict.card for verdict in self.verdicts.values()))
        verdicts = {name: verdict for name, verdict in self.verdicts.items() if name in chosen}
        voices = list(verdicts.values())
        return replace(
            self, verdicts=verdicts, mean=mean_probabilities(voices), agreement=agree(voices)
        )

    def compact(self) -> Analysis:
        """The same without samples, cells, pictures and maps: a few kilobytes."""
        shells = {
            transform: replace(drawn, values=drawn.values[:, :0], times=drawn.times[:0])
            for transform, drawn in self.spectrograms.items()
        }
        verdicts = {n: replace(v, maps=None, covered=None) for n, v in self.verdicts.items()}
        return replace(self.without_sound(), spectrograms=shells, pictures={}, verdicts=verdicts)
