"""The engine, open models, and the requests that wait for them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import reduce
from typing import Any, TypeVar, get_args

from fastapi import Request, UploadFile
from starlette.exceptions import HTTPException

from ccmusic.analysis import Analysis
from ccmusic.engine import Engine
from ccmusic.errors import CheckpointError, without_paths
from ccmusic.panel import Panel, available_cores
from ccmusic.picture import Preprocessing
from ccmusic.prepare import Prepared
from ccmusic.service.gate import Limits
from ccmusic.service.problems import CLIENT_GONE
from ccmusic.spectrogram import TransformChoice, TransformName, transforms_of
from ccmusic.verdict import Verdict
from ccmusic.zoo import scan

T = TypeVar("T")


class Backend:
    """Engine and open models; requests are served in the order of their arrival."""

    def __init__(self, limits: Limits) -> None:
        transforms = {checkpoint.card.transform for checkpoint in scan()[0]}
        if not transforms:
            raise CheckpointError("no_checkpoints", transform="cqt")
        known: tuple[TransformName, ...] = get_args(TransformName)
        self.panels = {name: Panel.open(name) for name in sorted(known) if name in transforms}
        """The open models of each transform."""
        cores = available_cores()
        self._engine = Engine(cores, seconds=limits.decode_seconds, minutes=limits.minutes)
        # Some requests wait for the models while others are decoded.
        self._threads = ThreadPoolExecutor(2 * cores, thread_name_prefix="ccmusic-service")

    @property
    def ready(self) -> bool:
        """Whether the models are loaded."""
        return all(panel.ready for panel in self.panels.values())

    def failed(self) -> list[str]:
        """Names of the models that could not be loaded."""
        return sorted(name for panel in self.panels.values() for name in panel.failed)

    def panel(self, transform: TransformChoice, models: str | None) -> Panel:
        """Those of a transform, or those named, separated by commas.

        Raises
        ------
        CheckpointError
            If there are none, or none of a name.
        """
        wanted = transforms_of(transform)
        open_ones = [self.panels[name] for name in wanted if name in self.panels]
        if not open_ones:
            raise CheckpointError("no_checkpoints", transform=transform)
        panel = reduce(Panel.combine, open_ones)
        names = [name.strip() for name in (models or "").split(",") if name.strip()]
        return panel.select(names) if names else panel

    async def classify(self, request: Request, upload: UploadFile, panel: Panel) -> Analysis:
        """Classify an upload.

        Raises
        ------
        AudioError
            If it cannot be read, or is too long.
        """
        return await self._run(request, lambda gone: self._predict(upload, panel, gone))

    async def verdicts(self, upload: UploadFile, panel: Panel) -> AsyncIterator[Verdict | Analysis]:
        """Give each verdict as it comes, and the analysis when all are there."""
        loop = asyncio.get_running_loop()
        ready: asyncio.Queue[Verdict] = asyncio.Queue()
        gone = threading.Event()

        def tell(verdict: Verdict) -> None:
            loop.call_soon_threadsafe(ready.put_nowait, verdict)

        analysis = loop.run_in_executor(
            self._threads, lambda: self._predict(upload, panel, gone, tell)
        )
        try:
            while not (analysis.done() and ready.empty()):
                verdict = asyncio.ensure_future(ready.get())
                await _first(analysis, verdict)
                if verdict.done():
                    yield verdict.result()
                else:
                    verdict.cancel()
            yield analysis.result()
        finally:
            gone.set()
            analysis.cancel()

    async def spectrogram(
        self, request: Request, upload: UploadFile, transform: TransformName
    ) -> Prepared:
        """Transform an upload.

        Raises
        ------
        AudioError
            As :meth:`classify`.
        """
        preprocessing, name = Preprocessing.default(transform), _name(upload)
        return await self._run(
            request,
            lambda gone: self._engine.prepare(
                # Into memory when its turn has come.
                upload.file.read(),
                [preprocessing],
                name=name,
                cancelled=gone,
            ),
        )

    async def _run(self, request: Request, job: Callable[[threading.Event], T]) -> T:
        """Run a job in its turn; cancel it when the client disconnects."""
        gone = threading.Event()
        answer = asyncio.get_running_loop().run_in_executor(self._threads, job, gone)
        leaving = asyncio.ensure_future(_leaving(request))
        try:
            await _first(answer, leaving)
            if answer.done():
                return answer.result()
            raise HTTPException(CLIENT_GONE, "the client has left")
        finally:
            gone.set()
            answer.cancel()
            leaving.cancel()

    def _predict(
        self,
        upload: UploadFile,
        panel: Panel,
        gone: threading.Event,
        on_verdict: Callable[[Verdict], None] = lambda _: None,
    ) -> Analysis:
        analysis = self._engine.run(
            panel,
            upload.file.read(),
            name=_name(upload),
            on_verdict=lambda verdict: on_verdict(_public(verdict)),
            cancelled=gone,
        )
        verdicts = {name: _public(verdict) for name, verdict in analysis.verdicts.items()}
        return replace(analysis, verdicts=verdicts)

    def close(self) -> None:
        """Close decoders and models."""
        self._threads.shutdown(cancel_futures=True)
        self._engine.close()
        for panel in self.panels.values():
            panel.close()


def _name(upload: UploadFile) -> str:
    """Name of an upload, which can contain anything: shown on one line, and never opened."""
    return " ".join((upload.filename or "").split())[:200] or "upload"


def _public(verdict: Verdict) -> Verdict:
    """Return the verdict without the server's folders in its error."""
    return replace(verdict, error=without_paths(verdict.error)) if verdict.error else verdict


async def _first(*futures: asyncio.Future[Any]) -> None:
    await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)


async def _leaving(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
