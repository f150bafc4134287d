"""A whole piece in, an :class:`~ccmusic.analysis.Analysis` of every window out, one by one."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import overload

import numpy as np

from ccmusic.analysis import Analysis, prepare
from ccmusic.audio import CLIP_SECONDS, MAX_SECONDS, Clip, Recording, Source
from ccmusic.picture import Preprocessing


class Windows(Sequence[Clip]):
    """The windows of 10 s of a piece; each is what ``load`` gives from its start on.

    Parameters
    ----------
    source
        As in :func:`ccmusic.audio.load`; of a piece of more than half an hour, the middle.
    hop
        Seconds from the start of one window to that of the next. The last one ends with the piece.

    Raises
    ------
    AudioError
        If the file cannot be read.
    ValueError
        If ``hop`` is not positive.
    """

    def __init__(self, source: Source, *, hop: float) -> None:
        if not hop > 0:
            raise ValueError(f"hop must be positive, not {hop}")
        self._recording = Recording(source)
        duration = self._recording.duration
        begin = max(0.0, (duration - MAX_SECONDS) / 2)
        last = min(duration, MAX_SECONDS) - CLIP_SECONDS
        starts = np.arange(0, max(last, 0) + 1e-6, hop)
        if last > 0 and last - starts[-1] > 1e-3:
            starts = np.append(starts, last)
        self.starts: tuple[float, ...] = tuple((begin + starts).tolist())
        """Seconds from the beginning of the piece at which the windows begin."""

    def __len__(self) -> int:
        return len(self.starts)

    def __iter__(self) -> Iterator[Clip]:
        hop = self.starts[1] - self.starts[0] if len(self) > 1 else CLIP_SECONDS
        if CLIP_SECONDS / 20 <= hop <= 2 * CLIP_SECONDS:
            yield from self._recording.windows(self.starts)
        else:  # many would be in memory at once; or seeking takes less time
            yield from (self[index] for index in range(len(self)))

    @overload
    def __getitem__(self, index: int) -> Clip: ...
    @overload
    def __getitem__(self, index: slice) -> list[Clip]: ...
    def __getitem__(self, index: int | slice) -> Clip | list[Clip]:
        if isinstance(index, slice):
            return [self._recording.load(crop=start) for start in self.starts[index]]
        return self._recording.load(crop=self.starts[index])


class Timeline:
    """The analyses of a whole piece: :meth:`Panel.timeline <ccmusic.panel.Panel.timeline>`.

    Iterating analyses window after window, in order, and may be given up at any time.

    >>> from ccmusic import Panel
    >>> with Panel.open("cqt", ["mobilenet_v3_large"]) as panel:
    ...     [window.agreement.top for window in panel.timeline("examples/rain.ogg", hop=5)]
    ['environment', 'environment']
    """

    def __init__(
        self,
        source: Source,
        *,
        hop: float,
        preprocessings: Collection[Preprocessing],
        analyze: Callable[..., Analysis],
        workers: int,
    ) -> None:
        self._windows = Windows(source, hop=hop)
        self._preprocessings, self._analyze = preprocessings, analyze
        self._workers = workers

    @property
    def starts(self) -> tuple[float, ...]:
        """Seconds from the beginning of the piece at which the windows begin."""
        return self._windows.starts

    def __len__(self) -> int:
        return len(self._windows)

    def __iter__(self) -> Iterator[Analysis]:
        coming: deque[Future[Analysis]] = deque()
        pool = ThreadPoolExecutor(self._workers, thread_name_prefix="ccmusic-window")
        try:
            started = time.perf_counter()
            for clip in self._windows:
                # One window becomes a picture while the models look at those before it.
                prepared = prepare(clip, self._preprocessings)
                coming.append(pool.submit(self._analyze, prepared, started=started))
                if len(coming) > 2 * self._workers:
                    yield coming.popleft().result()
                started = time.perf_counter()
            while coming:
                yield coming.popleft().result()
        finally:  # the consumer may have stopped: cancel what has not started
            pool.shutdown(cancel_futures=True)

    def window(self, start: float) -> Clip:
        """The window that begins at one of the :attr:`starts`."""
        return self._windows[self.starts.index(start)]
