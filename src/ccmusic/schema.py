"""JSON of an analysis, used by the command line, HTTP, reports, and batches.

``docs/analysis.schema.json`` is its JSON Schema, written by ``tools/schema.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from ccmusic.advice import Advice
from ccmusic.agreement import Agreement, Spread
from ccmusic.attention import Attention
from ccmusic.audio import AudioWarning, Clip
from ccmusic.card import Level, MapKind
from ccmusic.edits import Edit
from ccmusic.errors import DataError
from ccmusic.quality import Judged
from ccmusic.texts import Language
from ccmusic.verdict import Verdict

VERSION: Literal[1] = 1
"""Incremented when a key changes its meaning or is removed; new keys may be added."""

Share = Annotated[float, Field(ge=0, le=1)]


class Document(BaseModel):
    """Base of what is written as JSON."""

    model_config = ConfigDict(frozen=True, from_attributes=True)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for ``json.dumps``."""
        return self.model_dump(mode="json", by_alias=True)


class Choice(Document):
    """A genre and its probability."""

    genre: str = Field(examples=["jazz"])
    probability: Share = Field(examples=[0.74])


class RegionDocument(Document):
    """A rectangle of the spectrogram."""

    start: float = Field(description="Seconds from the beginning of the piece.", examples=[1.4])
    end: float = Field(examples=[4.3])
    lowest: float = Field(description="Hertz.", examples=[65.4])
    highest: float = Field(examples=[261.6])


class AttentionDocument(Document):
    """Regions that support the first choice of a model."""

    kind: MapKind = Field(
        description="`occlusion`: measured, what the genre loses when a place is covered. "
        "`activation`: by the features of the network."
    )
    genre: str = Field(examples=["jazz"])
    region: RegionDocument | None = Field(
        description="The strongest place; null if none speaks for it."
    )
    values: list[list[float]] = Field(
        description="Rows from low to high frequencies, columns in time; calibrated logits "
        "against the other genres, weighted by their probability.",
        examples=[[[0.4, -0.1], [1.2, 0.3]]],
    )

    @classmethod
    def of(cls, attention: Attention) -> AttentionDocument:
        """Convert an attention map."""
        return cls.model_validate(
            {
                "kind": attention.kind,
                "genre": attention.genre,
                "region": attention.region,
                "values": attention.coarse.tolist(),
            }
        )


class VerdictDocument(Document):
    """Verdict of one model."""

    sha256: str = Field(description="Of the model's ONNX file.")
    probabilities: dict[str, Share] = Field(examples=[{"jazz": 0.74, "blues": 0.26}])
    top: list[Choice] = Field(description="The likeliest genres, as many as were asked for.")
    votes: dict[str, int] = Field(
        description="First choices of its windows or slices, if there are several."
    )
    latency_ms: float = Field(examples=[23.1])
    attention: AttentionDocument | None = Field(description="Null unless it was asked for.")


class FailureDocument(Document):
    """Error of one model."""

    sha256: str = Field(description="Of the model's ONNX file.")
    error: str


def model_document(
    verdict: Verdict, top_k: int, language: Language, attention: Attention | None = None
) -> VerdictDocument | FailureDocument:
    """Convert a verdict."""
    sha256 = verdict.card.sha256
    if verdict.error:
        return FailureDocument(sha256=sha256, error=verdict.error.message(language))
    return VerdictDocument(
        sha256=sha256,
        probabilities=verdict.probabilities,
        top=[Choice(genre=g, probability=p) for g, p in verdict.top(top_k)],
        votes=verdict.votes,
        latency_ms=verdict.latency_ms,
        attention=attention and AttentionDocument.of(attention),
    )


class ModelsDocument(Document):
    """Verdicts by name of model, without failed models."""

    models: dict[str, VerdictDocument | FailureDocument]


class WarningDocument(Document):
    """A reason to trust the verdicts less."""

    code: str = Field(examples=["short"])
    message: str = Field(examples=["only 4.0 s long: looped to 10 s"])


class ClipDocument(Document):
    """Format and duration of the file, and the window that was taken."""

    codec: str = Field(examples=["mp3"])
    bit_rate: int | None = Field(examples=[192000])
    sample_rate: int = Field(examples=[44100])
    channels: int = Field(examples=[2])
    duration: float = Field(description="Seconds.", examples=[215.3])
    window_start: float = Field(examples=[102.6])
    window_end: float = Field(examples=[112.6])
    looped: bool
    warnings: list[WarningDocument]

    @classmethod
    def of(cls, clip: Clip, warnings: Sequence[AudioWarning], language: Language) -> ClipDocument:
        """Convert a clip and the warnings that matter."""
        told = [WarningDocument(code=w.code, message=w.message(language)) for w in warnings]
        return cls(**asdict(clip.info), warnings=told)


class AgreementDocument(Document):
    """How far the models agree."""

    top: str = Field(examples=["jazz"])
    votes: int = Field(description="For `top`.", examples=[3])
    models: int = Field(examples=[5])
    camps: dict[str, int] = Field(
        description="Votes by first choice.", examples=[{"jazz": 3, "blues": 2}]
    )
    leader: str = Field(description="The likeliest genre in the mean.", examples=["jazz"])
    divergence: Share
    spread: Spread | None = Field(description="The divergence in a word; null of one model.")
    split: tuple[str, str] | None = Field(
        description="The two camps, neither of which has two thirds of the votes.",
        examples=[["jazz", "blues"]],
    )
    message: str = Field(examples=["split: 3 × Jazz, 2 × Blues; it may be a bit of both"])

    @classmethod
    def of(cls, agreement: Agreement, language: Language) -> AgreementDocument:
        """Convert an agreement."""
        plain = {**asdict(agreement), "camps": dict(agreement.camps)}
        return cls(**plain, spread=agreement.spread, message=agreement.message(language))


class AdviceDocument(Document):
    """What the probability of the mean has meant on test recordings, and what else to ask."""

    level: Level | None = Field(description="How sure the panel is, measured.", examples=["low"])
    accuracy: Share | None = Field(
        description="Of test recordings whose mean was as sure, the share that was right."
    )
    recordings: int | None = Field(description="Number of these recordings.", examples=[120])
    messages: list[str] = Field(description="One sentence for each piece of advice.")

    @classmethod
    def of(cls, advice: Advice, language: Language) -> AdviceDocument:
        """Convert advice."""
        band = advice.band
        return cls(
            level=band and band.level,
            accuracy=band and band.accuracy,
            recordings=band and band.recordings,
            messages=advice.message(language),
        )


class WindowDocument(Document):
    """Ten seconds of a whole piece."""

    start: float = Field(description="Seconds from the beginning of the piece.", examples=[20])
    end: float = Field(examples=[30])
    judged: Judged
    mean: dict[str, Share] = Field(description="Empty without a verdict.")
    choices: dict[str, Choice] = Field(description="First choice of each model, by its name.")


class _Versioned(Document):
    schema_: Literal["ccmusic.analysis"] = Field("ccmusic.analysis", alias="schema")
    version: Literal[1] = VERSION
    file: str = Field(examples=["song.mp3"])


class AnalysisDocument(_Versioned):
    """Analysis of ten seconds of a recording, or of the whole."""

    clip: ClipDocument
    edits: list[Annotated[Edit, Field(discriminator="edit")]] = Field(
        description="What was done to the sound before it was judged, in order. If there is any, "
        "this is no verdict on the recording itself."
    )
    transform: str
    judged: Judged = Field(
        description="`doubtful`: less than 3 s of sound. `too_short`: less than 1 s, `silent`: "
        "none; then no model was asked."
    )
    message: str = Field(description="One sentence that says it all.")
    models: dict[str, VerdictDocument | FailureDocument]
    mean: dict[str, Share] = Field(description="Of the models that share their classes.")
    agreement: AgreementDocument | None
    advice: AdviceDocument | None = Field(
        description="Null if the models were not measured together, gave no verdict, or heard an "
        "edited sound."
    )
    elapsed_ms: float = Field(description="Of reading and of asking the models, without waiting.")
    windows: list[WindowDocument] | None = Field(
        description="Of a whole piece, 10 s after 10 s: `models` and `mean` are means over those "
        "that have a verdict, and `votes` of a model their first choices. Null of ten seconds."
    )


class ErrorDocument(_Versioned):
    """Error of a recording."""

    error: str


AnyDocument: TypeAlias = AnalysisDocument | ErrorDocument
_ANY: TypeAdapter[AnyDocument] = TypeAdapter(AnyDocument)


def read(text: str | bytes) -> AnyDocument:
    """Read the JSON of an analysis, or of the error of a recording, back.

    >>> import json
    >>> from ccmusic import analyze
    >>> analysis = analyze("examples/rain.ogg", models=["mobilenet_v3_large"])
    >>> read(json.dumps(analysis.to_dict())) == analysis.document()
    True

    Parameters
    ----------
    text
        A report of the kind JSON, or a line of ``ccmusic classify --json``.

    Raises
    ------
    DataError
        If it is something else, or of a version that this one does not know.
    """
    try:
        return _ANY.validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"][1:])
        raise DataError(f"not the JSON of an analysis ({where}: {first['msg']})") from None


def json_schema() -> dict[str, Any]:
    """JSON Schema of a line of ``ccmusic classify --json``."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "CCMusic analysis",
        **_ANY.json_schema(mode="serialization"),
    }
