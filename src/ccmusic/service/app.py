"""The ASGI application and its routes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Literal

from fastapi import Depends, FastAPI, File, Form, Request, Response, UploadFile
from fastapi.responses import PlainTextResponse
from fastapi.security import HTTPBearer
from fastapi.sse import EventSourceResponse, ServerSentEvent
from fastapi_offline import FastAPIOffline
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, ProcessCollector
from prometheus_client import generate_latest as exposition
from starlette.concurrency import run_in_threadpool

from ccmusic import plot
from ccmusic.analysis import Analysis
from ccmusic.errors import CCMusicError
from ccmusic.panel import Panel
from ccmusic.schema import AnalysisDocument, ModelsDocument, model_document
from ccmusic.service.gate import Gate
from ccmusic.service.limits import Limits
from ccmusic.service.problems import described, handle, language, problem, responses
from ccmusic.service.schemas import Levels, Model
from ccmusic.service.work import Upload, Work
from ccmusic.spectrogram import TransformChoice, TransformName
from ccmusic.version import __version__

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


def create_app(*, token: str | None = None, limits: Limits | None = None) -> FastAPI:
    """Make the application; models are loaded when it starts.

    Parameters
    ----------
    token
        Token that clients must send as ``Authorization: Bearer``; None accepts all clients.

    Raises
    ------
    CCMusicError
        If the token is empty.
    CheckpointError
        If there is no model to ask.
    """
    if token is not None and not (token := token.strip()):
        raise CCMusicError(
            "the token is empty, which would let everybody in; give --token or CCMUSIC_TOKEN a "
            "value, or leave both out"
        )
    limits = limits or Limits()
    work = Work(limits)
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        work.close()

    app = FastAPIOffline(
        redoc_url=None,
        title="CCMusic",
        summary="Five vision networks look at the spectrogram of your music.",
        version=__version__,
        lifespan=lifespan,
        dependencies=[Depends(HTTPBearer(auto_error=False))] if token else [],
    )
    handle(app)

    def prepared(
        file: _File, transform: _PanelTransform = "cqt", models: _Models = None
    ) -> tuple[Upload, Panel]:
        return Upload(file.file, file.filename), work.panel(transform, models)

    asked = Annotated[tuple[Upload, Panel], Depends(prepared)]

    @app.post("/v1/classify", tags=["music"], responses=_REFUSALS)
    async def classify(
        request: Request, what: asked, top_k: _TopK = 3, attention: _Attention = False
    ) -> AnalysisDocument:
        """Classify 10 s at the centre of a recording."""
        analysis = await work.classify(request, *what)
        return analysis.document(top_k=top_k, attention=attention, language=language(request))

    @app.post(
        "/v1/classify/events",
        tags=["music"],
        response_class=EventSourceResponse,
        responses=_REFUSALS,
    )
    async def classify_events(
        request: Request, what: asked, top_k: _TopK = 3, attention: _Attention = False
    ) -> AsyncIterator[ServerSentEvent]:
        """Tell each verdict as it comes.

        Server-sent events: `verdict` for each model, then `done` with the whole analysis; or
        `error` with a problem, if the recording cannot be read.
        """
        spoken = language(request)
        try:
            async for news in work.verdicts(*what):
                if isinstance(news, Analysis):
                    whole = news.document(top_k=top_k, attention=attention, language=spoken)
                    yield ServerSentEvent(event="done", data=whole)
                else:
                    one = {news.card.name: model_document(news, top_k, spoken)}
                    yield ServerSentEvent(event="verdict", data=ModelsDocument(models=one))
        except CCMusicError as error:
            yield ServerSentEvent(event="error", data=described(error, spoken))

    @app.post(
        "/v1/spectrogram",
        tags=["music"],
        response_model=Levels,
        responses={
            **_REFUSALS,
            200: {"content": {"image/png": {"schema": {"type": "string", "format": "binary"}}}},
        },
    )
    async def spectrogram(
        request: Request,
        file: _File,
        transform: _Transform = "cqt",
        format: Annotated[Literal["png", "json"], Form(description="Picture or numbers.")] = "png",
    ) -> Response | Levels:
        """Draw the spectrogram of 10 s at the centre of a recording."""
        upload = Upload(file.file, file.filename)
        prepared = await work.spectrogram(request, upload, transform)
        if format == "json":
            return Levels.of(prepared, language(request))
        ((picture,),) = prepared.pictures.values()
        start = prepared.clip.info.window_start
        drawn = plot.levels(picture.spectrogram, picture.preprocessing, start=start)
        return Response(await run_in_threadpool(drawn.png), media_type="image/png")

    @app.get("/v1/models", tags=["music"], responses=responses(401))
    async def models() -> list[Model]:
        """List the checkpoints of the panel."""
        return [
            Model.of(card)
            for panel in work.panels.values()
            for card in sorted(panel.cards, key=lambda card: card.name)
        ]

    @app.get("/healthz", tags=["service"], response_class=PlainTextResponse)
    async def healthz() -> str:
        """Tell that the service is alive."""
        return "alive"

    @app.get(
        "/readyz", tags=["service"], response_class=PlainTextResponse, responses=responses(503)
    )
    async def readyz() -> Response:
        """Tell whether the models are loaded; if not, which ones failed."""
        if not work.ready:
            return problem(503, "the models are being loaded", headers={"Retry-After": "1"})
        if failed := work.failed():
            return problem(503, f"could not be loaded: {', '.join(failed)}", code="models_failed")
        return PlainTextResponse("ready")

    @app.get(
        "/metrics", tags=["service"], response_class=PlainTextResponse, responses=responses(401)
    )
    async def metrics() -> Response:
        """Tell Prometheus how busy the service is."""
        return Response(exposition(registry), media_type=CONTENT_TYPE_LATEST)

    app.add_middleware(Gate, token=token, limits=limits, registry=registry)
    return app
