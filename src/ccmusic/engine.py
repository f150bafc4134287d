"""Many recordings, or untrusted ones: child processes decode them, a panel is asked here."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import AbstractContextManager
from typing import Any, BinaryIO, TypeAlias, cast

from ccmusic.analysis import Analysis
from ccmusic.audio import CLIP_SECONDS, MAX_SECONDS, Clip, Crop, Envelope, Recording, Source
from ccmusic.decode import check_crop, check_kind, name_of
from ccmusic.edits import Edit
from ccmusic.errors import AudioError, CCMusicError, attempt, check_count
from ccmusic.frames import carry
from ccmusic.panel import Panel, available_cores, in_order
from ccmusic.picture import Preprocessing
from ccmusic.prepare import Prepared, prepare, prepare_windows
from ccmusic.sandbox import TIMEOUT_SECONDS, Sandbox
from ccmusic.verdict import Verdict

Item: TypeAlias = Source | Clip
_IN_MEMORY = (tuple, Clip)  # decoded already: nothing untrusted is left to do


class Engine(AbstractContextManager["Engine"]):
    """Decoders in child processes. May be shared between threads, and by several panels.

    A recording that crashes or stalls its decoder, or exhausts its memory, fails alone.

    >>> from ccmusic.panel import Panel
    >>> with Panel.open("cqt", ["mobilenet_v3_large"]) as panel, Engine() as engine:
    ...     engine.run(panel, "examples/rain.ogg").agreement.top
    'environment'

    Parameters
    ----------
    workers
        Recordings that are decoded at the same time; by default as many as there are cores.
    seconds
        Time limit of decoding a window, see :class:`ccmusic.sandbox.Sandbox`.
    minutes
        Longer recordings are refused.
    keep_sound
        Whether results hold the samples of their clips, about 3 MB each.
    """

    def __init__(
        self,
        workers: int | None = None,
        *,
        seconds: float = TIMEOUT_SECONDS,
        minutes: float | None = None,
        keep_sound: bool = False,
    ) -> None:
        check_count("Engine", "workers", workers)
        self.workers = workers or available_cores()
        self._sandbox = Sandbox(self.workers, seconds=seconds)
        self._minutes, self._keep_sound = minutes, keep_sound

    def prepare(
        self,
        source: Item,
        preprocessings: Iterable[Preprocessing],
        *,
        crop: Crop | float = "center",
        edits: Sequence[Edit] = (),
        name: str | None = None,
        cancelled: threading.Event | None = None,
    ) -> Prepared:
        """Decode a window in a child process; see :func:`ccmusic.prepare.prepare`.

        Parameters
        ----------
        cancelled
            Set from another thread, it ends the decoding.

        Raises
        ------
        AudioError
            If the file cannot be read, took too much time or memory, or is too long.
        SandboxError
            If no process can be started.
        CancelledError
            Of :mod:`concurrent.futures`, if it was cancelled.
        """
        options = {"crop": crop, "edits": edits, "name": name}
        # To its end: a child that is left in the middle of its answers has to be replaced.
        found = list(self._decode(_prepare_one, source, preprocessings, options, cancelled))
        if not found or (cancelled and cancelled.is_set()):
            raise CancelledError
        return found[0]

    def run(
        self,
        panel: Panel,
        source: Item,
        *,
        crop: Crop | float = "center",
        edits: Sequence[Edit] = (),
        name: str | None = None,
        on_verdict: Callable[[Verdict], None] | None = None,
        cancelled: threading.Event | None = None,
    ) -> Analysis:
        """Analyse a recording: as :meth:`ccmusic.panel.Panel.analyze`, decoded in a child process.

        Raises
        ------
        CCMusicError, CancelledError
            As :meth:`prepare`.
        """

        def check(verdict: Verdict) -> None:
            if cancelled and cancelled.is_set():
                raise CancelledError
            if on_verdict:
                on_verdict(verdict)

        prepared = self.prepare(
            source, panel.preprocessings, crop=crop, edits=edits, name=name, cancelled=cancelled
        )
        return panel.analyze_prepared(prepared, on_verdict=check)

    def windows(
        self,
        panel: Panel,
        source: Source,
        *,
        name: str | None = None,
    ) -> Iterator[Analysis]:
        """Analyse a whole recording 10 s after 10 s: a ``timeline``, decoded in a child process.

        Raises
        ------
        CCMusicError
            As :meth:`prepare`.
        """
        options = {"hop": CLIP_SECONDS, "name": name}
        prepared = self._decode(prepare_windows, source, panel.preprocessings, options)
        return in_order(panel.analyze_prepared, prepared, workers=available_cores())

    def warm_up(self) -> None:
        """Start a child process ahead of the first recording; errors as :meth:`prepare`."""
        self._sandbox.run("no recording", os.getpid)

    def envelope(self, source: Source, *, name: str | None = None) -> Envelope:
        """Waveform of a whole recording, of its middle half hour if it is longer.

        Raises
        ------
        CCMusicError
            As :meth:`prepare`.
        """
        if isinstance(source, tuple):
            return _envelope(source, name)
        name = name or name_of(source)
        return self._sandbox.run(name, _envelope, _portable(source), name)

    def map(
        self, panel: Panel, sources: Iterable[Item], *, crop: Crop | float = "center"
    ) -> Iterator[Analysis | CCMusicError]:
        """Analyse many recordings, several at once; see :func:`ccmusic.analyze_many`."""
        check_crop(crop)
        if isinstance(sources, str | bytes):  # whose characters would be taken for files
            raise TypeError("several recordings are a list or another iterable; this is one")

        def one(source: Item) -> Analysis | CCMusicError:
            return attempt(lambda: self.run(panel, source, crop=crop), _name_of(source))

        return in_order(one, sources, workers=self.workers + available_cores())

    def _decode(
        self,
        function: Callable[..., Iterable[Prepared]],
        source: Item,
        preprocessings: Iterable[Preprocessing],
        options: Mapping[str, object],
        cancelled: threading.Event | None = None,
    ) -> Iterator[Prepared]:
        preprocessings = tuple(preprocessings)
        carry(*(type(preprocessing.transform) for preprocessing in preprocessings))
        if isinstance(source, _IN_MEMORY):
            found = iter(function(source, preprocessings, **options))
        else:
            name = str(options["name"] or name_of(source))
            request = (function, _portable(source), preprocessings, {**options, "name": name})
            found = self._sandbox.stream(
                name, _in_child, *request, self._keep_sound, cancelled=cancelled
            )
        for prepared in found:
            minutes = prepared.clip.info.duration / 60
            if self._minutes and minutes > self._minutes:
                raise AudioError(
                    "too_long", file=prepared.file, minutes=minutes, most=self._minutes
                )
            yield prepared if self._keep_sound else prepared.without_sound()

    def close(self) -> None:
        """End the child processes; a running analysis fails."""
        self._sandbox.close()

    def __exit__(self, *exception: object) -> None:
        self.close()


def _name_of(source: Item) -> str:
    return source.file if isinstance(source, Clip) else name_of(source)


def _portable(source: Source) -> str | bytes:
    """What a child process can open: a path, or the content of a file."""
    if isinstance(source, bytes):
        return source
    if isinstance(source, str | os.PathLike):
        return os.fspath(source)
    check_kind(source)
    stream = cast(BinaryIO, source)
    stream.seek(0)
    return stream.read()


# These functions run in a child process.
def _envelope(source: Source, name: str | None) -> Envelope:
    whole = Recording(source, name=name).load(seconds=MAX_SECONDS, loop=False)
    return whole.envelope()


def _prepare_one(
    source: Item, preprocessings: tuple[Preprocessing, ...], **options: Any
) -> list[Prepared]:
    return [prepare(source, preprocessings, **options)]


def _in_child(
    function: Callable[..., Iterable[Prepared]],
    source: str | bytes,
    preprocessings: tuple[Preprocessing, ...],
    options: dict[str, Any],
    keep_sound: bool,
) -> Iterator[Prepared]:
    carry(*(type(preprocessing.transform) for preprocessing in preprocessings))
    for prepared in function(source, preprocessings, **options):
        yield prepared if keep_sound else prepared.without_sound()
