"""Decoders, models, and the requests that wait for them."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import reduce
from typing import Any, BinaryIO, TypeVar, get_args

from fastapi import Request
from starlette.exceptions import HTTPException

from ccmusic import audio, plot
from ccmusic.analysis import Analysis, Prepared, prepare
from ccmusic.audio import Clip
from ccmusic.errors import AudioError, CheckpointError
from ccmusic.panel import Panel, available_cores
from ccmusic.picture import Preprocessing
from ccmusic.sandbox import Sandbox
from ccmusic.service.limits import Limits
from ccmusic.service.problems import CLIENT_GONE, without_paths
from ccmusic.spectrogram import Spectrogram, TransformChoice, TransformName, transforms_of
from ccmusic.verdict import Verdict
from ccmusic.zoo import scan

T = TypeVar("T")


class _GoneError(Exception):
    """The client has disconnected."""


class Upload:
    """An uploaded recording; its name is only displayed, never opened."""

    def __init__(self, file: BinaryIO, name: str | None) -> None:
        # A name can contain anything; answers show it on one line.
        self.name = " ".join((name or "").split())[:200] or "upload"
        self._file = file

    def read(self) -> bytes:
        """The content; read into memory when its turn has come."""
        return self._file.read()


class Work:
    """Decoders and open models; requests are served in the order of their arrival."""

    def __init__(self, limits: Limits) -> None:
        transforms = {checkpoint.card.transform for checkpoint in scan()[0]}
        if not transforms:
            raise CheckpointError("no_checkpoints", transform="cqt")
        self._limits = limits
        known: tuple[TransformName, ...] = get_args(TransformName)
        self._panels = {name: Panel.open(name) for name in sorted(known) if name in transforms}
        cores = available_cores()
        self._sandbox = Sandbox(cores, seconds=limits.decode_seconds)
        # Some requests wait for the models while others are decoded.
        self._threads = ThreadPoolExecutor(2 * cores, thread_name_prefix="ccmusic-service")

    @property
    def ready(self) -> bool:
        """Whether the models are loaded."""
        return all(panel.ready for panel in self._panels.values())

    def failed(self) -> list[str]:
        """Names of the models that could not be loaded."""
        return sorted(name for panel in self._panels.values() for name in panel.failed)

    @property
    def panels(self) -> dict[TransformName, Panel]:
        """The open models of each transform."""
        return self._panels

    def panel(self, transform: TransformChoice, models: str | None) -> Panel:
        """Those of a transform, or those named, separated by commas.

        Raises
        ------
        CheckpointError
            If there are none, or none of a name.
        """
        wanted = transforms_of(transform)
        open_ones = [self._panels[name] for name in wanted if name in self._panels]
        if not open_ones:
            raise CheckpointError("no_checkpoints", transform=transform)
        panel = reduce(Panel.combine, open_ones)
        names = [name.strip() for name in (models or "").split(",") if name.strip()]
        return panel.select(names) if names else panel

    async def classify(self, request: Request, upload: Upload, panel: Panel) -> Analysis:
        """Classify an upload.

        Raises
        ------
        AudioError
            If it cannot be read, or is too long.
        """
        return await self._run(
            request, lambda gone: self._predict(upload, panel, gone, lambda _: None)
        )

    async def verdicts(self, upload: Upload, panel: Panel) -> AsyncIterator[Verdict | Analysis]:
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
        self, request: Request, upload: Upload, transform: TransformName, *, png: bool
    ) -> tuple[Clip, Spectrogram, bytes]:
        """Transform an upload; with ``png`` also draw it.

        Raises
        ------
        AudioError
            As :meth:`classify`.
        """
        return await self._run(
            request,
            lambda gone: self._decoded(
                _spectrogram, upload, gone, Preprocessing.default(transform), png
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
        upload: Upload,
        panel: Panel,
        gone: threading.Event,
        on_verdict: Callable[[Verdict], None],
    ) -> Analysis:
        started = time.perf_counter()
        prepared = self._decoded(_prepared, upload, gone, panel.preprocessings)

        def heard(verdict: Verdict) -> None:
            if gone.is_set():
                raise _GoneError
            on_verdict(_public(verdict))

        analysis = panel.analyze_prepared(prepared, started=started, on_verdict=heard)
        verdicts = {name: _public(verdict) for name, verdict in analysis.verdicts.items()}
        return replace(analysis, verdicts=verdicts)

    def _decoded(
        self,
        function: Callable[..., Iterator[T]],
        upload: Upload,
        gone: threading.Event,
        *more: object,
    ) -> T:
        results = list(
            self._sandbox.stream(
                upload.name, function, upload.read(), upload.name, self._limits.minutes, *more,
                cancelled=gone,
            )
        )  # fmt: skip
        if not results:
            raise _GoneError
        return results[0]

    def close(self) -> None:
        """Close decoders and models."""
        self._threads.shutdown(cancel_futures=True)
        self._sandbox.close()
        for panel in self._panels.values():
            panel.close()


def _public(verdict: Verdict) -> Verdict:
    """Return the verdict without the server's folders in its error."""
    return replace(verdict, error=without_paths(verdict.error)) if verdict.error else verdict


async def _first(*futures: asyncio.Future[Any]) -> None:
    await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)


async def _leaving(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


# These functions run in a child of the sandbox.
def _prepared(
    content: bytes, name: str, minutes: float, preprocessings: set[Preprocessing]
) -> Iterator[Prepared]:
    stream = audio.named(content, name)
    clip = _loaded(stream, minutes)
    yield prepare(stream, preprocessings, clip=clip).without_sound()


def _spectrogram(
    content: bytes, name: str, minutes: float, preprocessing: Preprocessing, png: bool
) -> Iterator[tuple[Clip, Spectrogram, bytes]]:
    prepared = prepare(_loaded(audio.named(content, name), minutes), [preprocessing])
    clip, spectrogram = prepared.clip, prepared.spectrograms[preprocessing.transform]
    drawn = b""
    if png:
        drawn = plot.levels(spectrogram, preprocessing, start=clip.info.window_start).png()
    yield prepared.without_sound().clip, spectrogram, drawn


def _loaded(stream: BinaryIO, minutes: float) -> Clip:
    clip = audio.load(stream)
    if clip.info.duration > 60 * minutes:
        raise AudioError("too_long", file=clip.file, minutes=clip.info.duration / 60, most=minutes)
    return clip
