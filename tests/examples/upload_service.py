"""Genres of uploads in an application of one's own."""

from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI, HTTPException, UploadFile
from fastapi.testclient import TestClient

from ccmusic import CCMusicError, Panel, schema


@asynccontextmanager
async def lifespan(app):
    with Panel.open("cqt", ["mobilenet_v3_large", "resnet50"]) as app.state.panel:
        yield


app = FastAPI(lifespan=lifespan)


@app.post("/genre")
async def genre(file: UploadFile) -> schema.AnalysisDocument:
    try:
        analysis = await app.state.panel.aanalyze(file.file, name=file.filename)
    except CCMusicError as error:
        raise HTTPException(422, error.message("en")) from error
    return analysis.document(top_k=1)


with TestClient(app) as client:
    with Path("music/rain.ogg").open("rb") as song:
        answer = client.post("/genre", files={"file": song}).json()
    print(answer["file"], answer["message"])
    answer = client.post("/genre", files={"file": ("notes.txt", b"not a sound")})
    print(answer.status_code, answer.json()["detail"].partition(",")[0][:40])
