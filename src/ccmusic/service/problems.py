"""Errors as answers of the type ``application/problem+json`` (RFC 9457)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from ccmusic.errors import CataloguedError, CCMusicError, SandboxError, without_paths
from ccmusic.texts import LANGUAGES, Language

MEDIA_TYPE = "application/problem+json"
CLIENT_GONE = 499  # what nginx calls it; nobody reads this answer


class Problem(BaseModel):
    """A problem, as RFC 9457 defines it."""

    title: str = Field(examples=["Unprocessable Entity"])
    status: int = Field(examples=[422])
    detail: str = Field(
        description="One line; in Chinese where `Accept-Language` prefers it.",
        examples=["notes.mp3: not a supported audio format"],
    )
    code: str | None = Field(default=None, description="For programs.", examples=["unknown_format"])


def described(error: CCMusicError, language: Language) -> Problem:
    """Describe an error that was expected."""
    status = (
        HTTPStatus.SERVICE_UNAVAILABLE
        if isinstance(error, SandboxError)  # no fault of the request
        else HTTPStatus.UNPROCESSABLE_ENTITY
    )
    return Problem(
        title=status.phrase,
        status=status,
        detail=without_paths(error).message(language),
        code=error.key if isinstance(error, CataloguedError) else None,
    )


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe errors for the OpenAPI document."""
    content = {MEDIA_TYPE: {"schema": Problem.model_json_schema()}}
    return {s: {"description": HTTPStatus(s).phrase, "content": content} for s in statuses}


def problem(
    status: int, detail: str, *, code: str | None = None, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """Answer with an error."""
    title = "Client Closed Request" if status == CLIENT_GONE else HTTPStatus(status).phrase
    content = Problem(title=title, status=status, detail=detail, code=code)
    return JSONResponse(
        content.model_dump(exclude_none=True),
        status,
        headers=dict(headers or {}),
        media_type=MEDIA_TYPE,
    )


def language(request: Request) -> Language:
    """``zh`` if the client prefers Chinese to English; with equal weights, the first one counts."""
    weights: dict[str, float] = {}
    for choice in request.headers.get("accept-language", "").lower().split(","):
        name, _, weight = choice.partition(";")
        tongue = name.strip().partition("-")[0]
        weights[tongue] = max(weights.get(tongue, 0.0), _weight(weight))
    chosen = max(weights, key=lambda name: weights[name] if name in LANGUAGES else 0.0)
    return "zh" if chosen == "zh" and weights["zh"] > 0 else "en"


def _weight(parameter: str) -> float:
    """Of ``q=0.8``; 1 without one, 0 of what is none."""
    if not parameter.strip():
        return 1.0
    found = re.fullmatch(r"q=([01](\.\d{0,3})?)", parameter.replace(" ", ""))
    return float(found[1]) if found else 0.0


def handle(app: FastAPI) -> None:
    """Register handlers that answer every error as a problem."""

    @app.exception_handler(CCMusicError)
    async def expected(request: Request, error: CCMusicError) -> JSONResponse:
        told = described(error, language(request))
        return problem(told.status, told.detail, code=told.code)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        return problem(
            HTTPStatus.UNPROCESSABLE_ENTITY, f"{where}: {first['msg']}", code="invalid_request"
        )

    @app.exception_handler(HTTPException)
    async def refused(_: Request, error: HTTPException) -> JSONResponse:
        return problem(error.status_code, error.detail, headers=error.headers)

    @app.exception_handler(Exception)
    async def unexpected(_: Request, __: Exception) -> JSONResponse:
        return problem(
            HTTPStatus.INTERNAL_SERVER_ERROR, "the service has a fault; its log has more"
        )
