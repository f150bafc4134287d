"""The routes of the service, in one router for each kind of admission."""

from collections.abc import AsyncIterator
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, File, Form, Request, Response, UploadFile
from fastapi.responses import PlainTextResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent
from prometheus_client import CONTENT_TYPE_LATEST
from prometheus_client import generate_latest as exposition
from starlette.concurrency import run_in_threadpool

from ccmusic import plot
from ccmusic.analysis import Analysis
from ccmusic.errors import CCMusicError
from ccmusic.panel import Panel
from ccmusic.schema import AnalysisDocument, ModelsDocument, model_document
from ccmusic.service.problems import described, language, problem, responses
from ccmusic.service.schemas import Levels, Model
from ccmusic.service.work import Work
from ccmusic.spectrogram import TransformChoice, TransformName

music = APIRouter(prefix="/v1", tags=["music"])
"""Uploads: the token, and the limits of size, time and number."""
private = APIRouter()
"""The token alone."""
public = APIRouter(tags=["service"], default_response_class=PlainTextResponse)
"""For everybody."""


def _work(request: Request) -> Work:
    work: Work = request.app.state.work
    return work


_Working = Annotated[Work, Depends(_work)]
_File = Annotated[UploadFile, File(description="WAV, FLAC, OGG, Opus, MP3, M4A/AAC.")]
_Transform = Annotated[TransformName, Form(description="Which spectrogram.", examples=["cqt"])]
_PanelTransform = Annotated[
    TransformChoice,
    Form(description="Spectrogram that the models use, or both.", examples=["cqt"]),
]
_Models = Annotated[
    str | None,
    Form(
        description="Only these checkpoints or backbones, separated by commas.",
        examples=["resnet50,vgg19_bn"],
    ),
]
_TopK = Annotated[int, Form(ge=1, le=100, description="Genres per model.", examples=[3])]
_Attention = Annotated[bool, Form(description="Also tell where each model looked.")]
_REFUSALS = responses(400, 401, 408, 413, 422, 429, 503)


def _asked(
    work: _Working, file: _File, transform: _PanelTransform = "cqt", models: _Models = None
) -> tuple[UploadFile, Panel]:
    return file, work.panel(transform, models)


_Asked = Annotated[tuple[UploadFile, Panel], Depends(_asked)]


@music.post("/classify", responses=_REFUSALS)
async def classify(
    request: Request, work: _Working, asked: _Asked, top_k: _TopK = 3, attention: _Attention = False
) -> AnalysisDocument:
    """Classify 10 s at the centre of a recording."""
    analysis = await work.classify(request, *asked)
    return analysis.document(top_k=top_k, attention=attention, language=language(request))


@music.post("/classify/events", response_class=EventSourceResponse, responses=_REFUSALS)
async def classify_events(
    request: Request, work: _Working, asked: _Asked, top_k: _TopK = 3, attention: _Attention = False
) -> AsyncIterator[ServerSentEvent]:
    """Tell each verdict as it comes.

    Server-sent events: `verdict` for each model, then `done` with the whole analysis; or
    `error` with a problem, if the recording cannot be read.
    """
    spoken = language(request)
    try:
        async for news in work.verdicts(*asked):
            if isinstance(news, Analysis):
                whole = news.document(top_k=top_k, attention=attention, language=spoken)
                yield ServerSentEvent(event="done", data=whole)
            else:
                one = {news.card.name: model_document(news, top_k, spoken)}
                yield ServerSentEvent(event="verdict", data=ModelsDocument(models=one))
    except CCMusicError as error:
        yield ServerSentEvent(event="error", data=described(error, spoken))


@music.post(
    "/spectrogram",
    response_model=Levels,
    responses={
        **_REFUSALS,
        200: {"content": {"image/png": {"schema": {"type": "string", "format": "binary"}}}},
    },
)
async def spectrogram(
    request: Request,
    work: _Working,
    file: _File,
    transform: _Transform = "cqt",
    format: Annotated[Literal["png", "json"], Form(description="Picture or numbers.")] = "png",
) -> Response | Levels:
    """Draw the spectrogram of 10 s at the centre of a recording."""
    prepared = await work.spectrogram(request, file, transform)
    if format == "json":
        return Levels.of(prepared, language(request))
    ((picture,),) = prepared.pictures.values()
    start = prepared.clip.info.window_start
    drawn = plot.levels(picture.spectrogram, picture.preprocessing, start=start)
    return Response(await run_in_threadpool(drawn.png), media_type="image/png")


@private.get("/v1/models", tags=["music"], responses=responses(401))
async def models(work: _Working) -> list[Model]:
    """List the checkpoints of the panel."""
    return [
        Model.of(card)
        for panel in work.panels.values()
        for card in sorted(panel.cards, key=lambda card: card.name)
    ]


@private.get(
    "/metrics", tags=["service"], response_class=PlainTextResponse, responses=responses(401)
)
async def metrics(request: Request) -> Response:
    """Tell Prometheus how busy the service is."""
    return Response(exposition(request.app.state.registry), media_type=CONTENT_TYPE_LATEST)


@public.get("/healthz")
async def healthz() -> str:
    """Tell that the service is alive."""
    return "alive"


@public.get("/readyz", responses=responses(503))
async def readyz(work: _Working) -> Response:
    """Tell whether the models are loaded; if not, which ones failed."""
    if not work.ready:
        return problem(503, "the models are being loaded", headers={"Retry-After": "1"})
    if failed := work.failed():
        return problem(503, f"could not be loaded: {', '.join(failed)}", code="models_failed")
    return PlainTextResponse("ready")
