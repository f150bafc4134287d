"""Model cards: classes, preprocessing, temperature, and metrics in one validated object."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import PydanticSerializationError

from ccmusic.errors import CCMusicError, CheckpointError
from ccmusic.genres import genre_name
from ccmusic.picture import Preprocessing
from ccmusic.spectrogram import TRANSFORM_TITLES
from ccmusic.texts import Language, translate

Explanation = Literal["exact", "gradient", "none"]
_BACKBONE_TITLES = {
    "vgg19_bn": "VGG19-BN",
    "resnet50": "ResNet50",
    "densenet121": "DenseNet121",
    "efficientnet_b0": "EfficientNet-B0",
    "mobilenet_v3_large": "MobileNetV3",
}
# Devices of Windows, whatever follows after a dot.
_RESERVED = frozenset(
    ["con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))]
)
Share = Annotated[float, Field(ge=0, le=1)]


MapKind = Literal["activation", "occlusion"]
"""How a map was made: from the network's features, or by covering one place after the other."""
Level = Literal["high", "middling", "low"]
"""How sure a verdict is, by its band."""


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    def to_json(self) -> str:
        """JSON text, the same in every run.

        Raises
        ------
        CCMusicError
            If the preprocessing has a transform of the caller's own.
        """
        try:
            content = self.model_dump(mode="json")
        except PydanticSerializationError as error:
            raise CCMusicError(str(error)) from None
        return json.dumps(content, indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read and validate a card.

        Raises
        ------
        CheckpointError
            If the card is missing, is not JSON, or has an invalid value.
        """
        try:
            status = path.stat()
            card: Self = _read(cls, path, status.st_ino, status.st_size, status.st_mtime_ns)
            return card
        except FileNotFoundError:
            raise CheckpointError("no_card", file=path) from None
        except OSError as error:
            raise CheckpointError("cannot_open", file=path, reason=error.strerror) from None
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "JSON"
            reason = str(first.get("ctx", {}).get("error", first["msg"]))
            raise CheckpointError("bad_card", file=path, where=where, reason=reason) from None


@lru_cache(maxsize=1024)
def _read(cls: type[BaseModel], path: Path, *_: int) -> Any:
    """Kept as long as the file is the same: every analysis looks for the cards of all models."""
    return cls.model_validate_json(path.read_bytes())


class Calibration(_Strict):
    """Verdicts of similar confidence, and how often they were right.

    >>> bin = Calibration(above=0.6, confidence=0.64, accuracy=0.69, recordings=42)
    >>> round(bin.accuracy - bin.confidence, 2)  # right more often than it said
    0.05
    """

    above: Share
    """Lower edge of the bin; a confidence is the probability of the first choice."""
    confidence: Share
    """Mean."""
    accuracy: Share
    recordings: int = Field(gt=0)


class Band(_Strict):
    """A range of confidence, and how often verdicts in it were right.

    >>> from ccmusic import zoo
    >>> card = zoo.find_one("mobilenet_v3_large_cqt").card
    >>> card.reliability.band(0.99).level
    'high'
    >>> card.reliability.band(0.99).accuracy > card.reliability.band(0.1).accuracy
    True
    """

    level: Level
    above: Share
    """Lower edge; the upper is that of the next band, or 1."""
    accuracy: Share
    """Share of the verdicts in this range that were right."""
    accuracy_interval: tuple[Share, Share]
    recordings: int = Field(gt=0)


class Metrics(_Strict):
    """What was measured on held-out recordings, one verdict per recording.

    >>> from ccmusic import zoo
    >>> card = zoo.find_one("mobilenet_v3_large_cqt").card
    >>> low, high = card.metrics.accuracy_interval
    >>> low < card.metrics.accuracy < high
    True
    >>> max(card.metrics.recall, key=card.metrics.recall.get) in card.classes
    True
    """

    split: str
    recordings: int = Field(ge=0)
    accuracy: Share
    accuracy_interval: tuple[Share, Share]
    """95 % bootstrap interval over recordings."""
    macro_recall: Share
    """Mean of :attr:`recall` over the genres present in the split."""
    macro_recall_interval: tuple[Share, Share]
    recall: dict[str, Share]
    support: dict[str, int]
    """Recordings per genre."""
    confusion: dict[str, dict[str, int]]
    """Genre, first choice, number of recordings; zeros left out."""
    accuracy_by_source: dict[str, Share]
    support_by_source: dict[str, int]
    calibration: tuple[Calibration, ...]
    """Fifteen equal bins of confidence, after the temperature; empty ones left out."""
    calibration_error: Share
    """Mean distance between confidence and accuracy over these bins, weighted by recordings."""
    calibration_error_by_chance: Share
    """Expected calibration error of a perfectly calibrated model on as few recordings."""
    bands: tuple[Band, ...] = ()
    """Two or three bands, the lowest first, from the same verdicts as the bins."""

    def taken_for(self, genre: str, language: str = "en") -> str:
        """What a genre was mistaken for: ``Rock 5, Pop 2``."""
        return ", ".join(
            f"{genre_name(choice, language)} {count}"
            for choice, count in self.confusion[genre].items()
            if choice != genre
        )

    def band(self, confidence: float) -> Band | None:
        """Band of a verdict whose first choice has this probability; None without bands."""
        return next((b for b in reversed(self.bands) if confidence >= b.above), None)


class Pair(_Strict):
    """Two models of a panel, and their accuracy together.

    >>> pair = Pair(models=("resnet50_cqt", "vgg19_bn_cqt"), accuracy=0.64, either=0.71)
    >>> pair.either >= pair.accuracy  # one of two is right more often than their mean
    True
    """

    models: tuple[str, str]
    accuracy: Share
    """Of the mean of the two."""
    either: Share
    """Share of the recordings on which at least one is right."""


class PanelCard(_Strict):
    """Metrics of the mean of several models; stored beside the shipped cards.

    >>> from ccmusic.zoo import SHIPPED
    >>> card = PanelCard.read(SHIPPED / "panels" / "cqt.json")
    >>> len(card.members), len(card.pairs), card.pairs[0].accuracy >= card.pairs[-1].accuracy
    (5, 10, True)
    """

    members: dict[str, str]
    """sha256 of each model's file; the metrics hold for these files only."""
    metrics: Metrics
    unknown_sources: Metrics | None = None
    """As of :class:`ModelCard`, for the mean."""
    scaled_calibration_error: Share
    """Calibration error that would remain with a temperature of its own. The mean has none, so that
    it stays the mean of the displayed probabilities; the bands tell how reliable it is."""
    pairs: tuple[Pair, ...]
    """All pairs of models, measured as :attr:`reliability`, the best mean first."""

    @property
    def reliability(self) -> Metrics:
        """As of :class:`ModelCard`."""
        return self.unknown_sources or self.metrics

    def describes(self, cards: Iterable[ModelCard]) -> bool:
        """Return whether these are the measured models."""
        return self.members == {card.name: card.sha256 for card in cards}


class Faithfulness(_Strict):
    """What the regions that a model's maps of a kind name are worth: chance is one half.

    Deletion and insertion of V. Petsiuk et al., "RISE: randomized input sampling for explanation
    of black-box models", 2018, with the named region in place of single cells.

    >>> Faithfulness(
    ...     recordings=37, removed=0.62, removed_interval=(0.46, 0.76),
    ...     alone=0.43, alone_interval=(0.29, 0.59),
    ... ).message()
    '62%, not surely better than chance'
    """

    recordings: int = Field(gt=0)
    """Those on which the map named a region."""
    removed: Share
    """Share of them on which silence in place of the named region cost the genre more probability
    than silence in place of the median of random regions of equal size."""
    removed_interval: tuple[Share, Share]
    """95 % interval of Wilson."""
    alone: Share
    """Share of them on which the named region alone kept more probability than the median of
    random regions of equal size."""
    alone_interval: tuple[Share, Share]

    @property
    def better_than_chance(self) -> bool:
        """Whether the regions matter to the verdict, as far as these recordings can tell."""
        return self.removed_interval[0] > 0.5

    def message(self, language: Language = "en") -> str:
        """The share in per cent; that it is not surely better than chance, if so."""
        share = f"{self.removed:.0%}"
        return share if self.better_than_chance else share + translate(language, "attention.chance")


class DataSource(_Strict):
    """Training material of one origin and licence.

    >>> from ccmusic import zoo
    >>> card = zoo.find_one("mobilenet_v3_large_cqt").card
    >>> sum(source.recordings for source in card.sources) > 1000
    True
    """

    source: str
    licence: str
    recordings: int = Field(gt=0)
    clips: dict[str, int]
    """Clips per genre."""
    unlabelled: int = Field(ge=0)
    """Clips without a label."""


class ModelCard(_Strict):
    """The card beside an ONNX file; see ``docs/architecture.md`` for the contract of the graph.

    >>> from ccmusic import zoo
    >>> card = zoo.find_one("mobilenet_v3_large_cqt").card
    >>> card.title(with_transform=True), len(card.classes), card.explanation
    ('MobileNetV3 · CQT', 13, 'exact')
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
    backbone: str
    preprocessing: Preprocessing
    classes: tuple[str, ...] = Field(min_length=2)
    temperature: float = Field(1.0, gt=0)
    """Logits are divided by it before the softmax."""
    width_divisor: int = Field(1, ge=1)
    """The published network has this many times as many channels in every layer."""
    parameters: int = Field(ge=0)
    """Number of weights; 0 if it is not known, as of a function."""
    multiply_adds: int = Field(ge=0)
    """Multiply-adds of one inference, counted over convolutions, matrix products and attention; 0
    if they are not known, as of a model in memory."""
    precision: Literal["fp32", "fp16"]
    """How the weights are stored."""
    explanation: Explanation = "exact"
    """Kind of the maps. ``exact``: the logits are their means, or differ by a constant.
    ``gradient``: derivative times feature, for this picture. ``none``: there are none."""
    faithfulness: dict[MapKind, Faithfulness] = {}
    """How much the strongest regions of its maps matter, by kind; without those not measured."""
    same_choice: Share | None = None
    """Share of the held-out clips with the same first choice as the fp32 weights."""
    relative_latency: float | None = Field(None, gt=0)
    """Time of one inference divided by that of the shipped MobileNetV3, in turn on one core."""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    """Hash of the ONNX file; zeros of a model in memory."""
    metrics: Metrics | None = None
    unknown_sources: Metrics | None = None
    """Metrics on music whose source training did not know: of our own checkpoints on songs by
    artists of whom they learnt nothing. Temperature and bands are fitted to these."""
    data: str
    """Description of the training."""
    sources: tuple[DataSource, ...] = ()
    """Training material, counted."""
    learning_curve: tuple[Share, ...] = ()
    """Accuracy on the held-out clips after each epoch; not used to choose anything."""
    licence: str
    notes: tuple[str, ...] = ()
    """Known weaknesses."""

    @model_validator(mode="after")
    def _classes_differ(self) -> Self:
        if len(set(self.classes)) != len(self.classes):
            raise ValueError("classes: the same class is listed twice")
        return self

    @property
    def reliability(self) -> Metrics | None:
        """Metrics whose bands tell how reliable a verdict is: on unknown sources, if measured."""
        return self.unknown_sources or self.metrics

    @property
    def transform(self) -> str:
        """``cqt``, ``mel``, ``chroma``, or the name of a transform of the caller's own."""
        return self.preprocessing.transform.name

    def title(self, *, with_transform: bool = False) -> str:
        """Display name: the backbone of a shipped model, the name of any other."""
        if self.name != f"{self.backbone}_{self.transform}":
            return self.name
        title = _BACKBONE_TITLES.get(self.backbone, self.backbone)
        transform = TRANSFORM_TITLES.get(self.transform, self.transform)
        return f"{title} · {transform}" if with_transform else title

    def maps_message(self, language: Language = "en") -> str:
        """How often the regions of its maps mattered in tests, by kind; empty if not measured.

        >>> from ccmusic import zoo
        >>> zoo.find_one("resnet50_mel").card.maps_message().partition(" ")[0]
        'measured'
        """
        return translate(language, "list.parts").join(
            f"{translate(language, f'{kind}.name')} {worth.message(language)}"
            for kind, worth in self.faithfulness.items()
        )

    def renamed(self, name: str) -> Self:
        """Return the same card under another name.

        Raises
        ------
        CheckpointError
            If the name is invalid, or no file can have it on Windows.
        """
        if name.lower().partition(".")[0] in _RESERVED:
            raise CheckpointError("reserved_name", name=name)
        try:
            return self.model_validate({**dict(self), "name": name})
        except ValidationError:
            raise CheckpointError("bad_name", name=name) from None


def matching(name: str, cards: Iterable[ModelCard]) -> list[ModelCard]:
    """Those whose checkpoint or backbone has this name."""
    return [card for card in cards if name in (card.name, card.backbone)]


def select(names: Iterable[str], cards: Iterable[ModelCard]) -> set[str]:
    """Names of the checkpoints among cards, of checkpoint or backbone names; a text is one name.

    Raises
    ------
    CheckpointError
        If one is of none of them.
    """
    cards, chosen = list(cards), set[str]()
    for name in [names] if isinstance(names, str) else names:
        found = matching(name, cards)
        if not found:
            known = ", ".join(sorted(card.name for card in cards))
            raise CheckpointError("unknown_model", name=name, known=known)
        chosen.update(card.name for card in found)
    return chosen


def fastest(cards: Iterable[ModelCard]) -> ModelCard:
    """The one with the least measured latency; of cards without, the one of least multiply-adds."""
    return min(
        cards, key=lambda c: (c.relative_latency is None, c.relative_latency or c.multiply_adds)
    )


def titles(cards: Iterable[ModelCard]) -> dict[str, str]:
    """Title of each model by name, with its transform where they have several."""
    cards = list(cards)
    several = len({card.transform for card in cards}) > 1
    return {card.name: card.title(with_transform=several) for card in cards}
