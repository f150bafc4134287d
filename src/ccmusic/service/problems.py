"""An error in, an answer of the type ``application/problem+json`` out (RFC 9457)."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from ccmusic.errors import CataloguedError, CCMusicError
from ccmusic.texts import Language

MEDIA_TYPE = "application/problem+json"
CLIENT_GONE = 499  # what nginx calls it; nobody reads this answer


class Problem(BaseModel):
    """What went wrong."""

    title: str = Field(examples=["Unprocessable Entity"])
    status: int = Field(examples=[422])
    detail: str = Field(
        description="One line; in Chinese where `Accept-Language` prefers it.",
        examples=["notes.mp3: not a sound file this program knows"],
    )
    code: str | None = Field(default=None, description="For programs.", examples=["unknown_format"])


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
    """``zh`` where the client names Chinese before English."""
    accepted = request.headers.get("accept-language", "").lower()
    chinese, english = accepted.find("zh"), accepted.find("en")
    return "zh" if chinese >= 0 and (english < 0 or chinese < english) else "en"


def handle(app: FastAPI) -> None:
    """Let every error of an application be answered as a problem."""

    @app.exception_handler(CCMusicError)
    async def expected(request: Request, error: CCMusicError) -> JSONResponse:
        code = error.key if isinstance(error, CataloguedError) else None
        return problem(HTTPStatus.UNPROCESSABLE_ENTITY, error.message(language(request)), code=code)

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
