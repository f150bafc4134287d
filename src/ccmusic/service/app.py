"""The ASGI application."""

from __future__ import annotations

import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Depends, FastAPI
from fastapi.security import HTTPBearer
from fastapi_offline import FastAPIOffline
from prometheus_client import CollectorRegistry, ProcessCollector

from ccmusic.errors import CCMusicError
from ccmusic.service import routes
from ccmusic.service.backend import Backend
from ccmusic.service.gate import Gate, Limits
from ccmusic.service.problems import handle
from ccmusic.version import __version__


def create_app(*, token: str | None = None, limits: Limits | None = None) -> FastAPI:
    """Make the application, to be served alone or mounted in another one.

    Its decoders and models are closed when it shuts down. Starlette tells a mounted application
    nothing of that: there, they are closed when the interpreter ends, or by the lifespan of the
    outer application, if that runs ``app.router.lifespan_context(app)``.

    Parameters
    ----------
    token
        Token that clients must send as ``Authorization: Bearer``, except for the routes that tell
        of the service's health and its documentation; None accepts all clients.
    limits
        Limits of requests; None takes the defaults.

    Raises
    ------
    CCMusicError
        If the token is empty.
    CheckpointError
        If there is no model to ask.
    """
    if token is not None and not (token := token.strip()):
        raise CCMusicError(
            "the token is empty, which would let everybody in; give `token` or CCMUSIC_TOKEN a "
            "value, or leave both out"
        )
    limits = limits or Limits()
    app = FastAPIOffline(
        redoc_url=None,
        title="CCMusic",
        summary="Five vision networks look at the spectrogram of your music.",
        version=__version__,
        lifespan=_lifespan,
    )
    app.state.backend = backend = Backend(limits)
    app.state.close = weakref.finalize(app, backend.close)  # which also runs when Python ends
    app.state.registry = registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    handle(app)
    app.add_middleware(
        Gate,
        token=token,
        limits=limits,
        registry=registry,
        public=[*app.routes, *routes.public.routes],  # those of the app so far are of the document
        uploads=routes.music.routes,
    )
    app.include_router(routes.public)
    # Only for the document: the gate has asked for the token, before anything of the body is read.
    documented = [Depends(HTTPBearer(auto_error=False))] if token else []
    app.include_router(routes.music, dependencies=documented)
    app.include_router(routes.private, dependencies=documented)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    yield
    app.state.close()
