"""The routes of the service, in one router for each kind of admission."""

from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

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
from ccmusic.service.backend import Backend
from ccmusic.service.problems import described, language, problem, responses
from ccmusic.service.schemas import Levels, Model
from ccmusic.spectrogram import TransformChoice, TransformName

music = APIRouter(prefix="/v1", tags=["music"])
"""Uploads: the token, and the limits of size, time and number."""
private = APIRouter()
"""The token alone."""
public = APIRouter(tags=["service"], default_response_class=PlainTextResponse)
"""For everybody."""


def _backend(request: Request) -> Backend:
    backend: Backend = request.app.state.backend
    return backend


_Backend = Annotated[Backend, Depends(_backend)]
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
    backend: _Backend,
    file: _File,
    transform: _PanelTransform = "cqt",
    models: _Models = None,
    top_k: _TopK = 3,
    attention: _Attention = False,
) -> tuple[UploadFile, Panel, dict[str, Any]]:
    return file, backend.panel(transform, models), {"top_k": top_k, "attention": attention}


_Asked = Annotated[tuple[UploadFile, Panel, dict[str, Any]], Depends(_asked)]


@music.post("/classify", responses=_REFUSALS)
async def classify(request: Request, backend: _Backend, asked: _Asked) -> AnalysisDocument:
    """Classify 10 s at the centre of a recording."""
    upload, panel, extent = asked
    analysis = await backend.classify(request, upload, panel)
    return analysis.document(**extent, language=language(request))


@music.post("/classify/events", response_class=EventSourceResponse, responses=_REFUSALS)
async def classify_events(
    request: Request, backend: _Backend, asked: _Asked
) -> AsyncIterator[ServerSentEvent]:
    """Tell each verdict as it comes.

    Server-sent events: `verdict` for each model, then `done` with the whole analysis; or
    `error` with a problem, if the recording cannot be read.
    """
    (upload, panel, extent), spoken = asked, language(request)
    try:
        async for news in backend.verdicts(upload, panel):
            if isinstance(news, Analysis):
                yield ServerSentEvent(event="done", data=news.document(**extent, language=spoken))
            else:
                one = {news.card.name: model_document(news, extent["top_k"], spoken)}
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
    backend: _Backend,
    file: _File,
    transform: _Transform = "cqt",
    format: Annotated[Literal["png", "json"], Form(description="Picture or numbers.")] = "png",
) -> Response | Levels:
    """Draw the spectrogram of 10 s at the centre of a recording."""
    prepared = await backend.spectrogram(request, file, transform)
    if format == "json":
        return Levels.of(prepared, language(request))
    ((picture,),) = prepared.pictures.values()
    start = prepared.clip.info.window_start
    drawn = plot.levels(picture.spectrogram, picture.preprocessing, start=start)
    return Response(await run_in_threadpool(drawn.png), media_type="image/png")


@private.get("/v1/models", tags=["music"], responses=responses(401))
async def models(backend: _Backend) -> list[Model]:
    """List the checkpoints of the panel."""
    return [
        Model.of(card)
        for panel in backend.panels.values()
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
async def readyz(backend: _Backend) -> Response:
    """Tell whether the models are loaded; if not, which ones failed."""
    if not backend.ready:
        return problem(503, "the models are being loaded", headers={"Retry-After": "1"})
    if failed := backend.failed():
        return problem(503, f"could not be loaded: {', '.join(failed)}", code="models_failed")
    return PlainTextResponse("ready")
