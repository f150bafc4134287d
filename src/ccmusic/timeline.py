"""A whole piece in, an :class:`~ccmusic.analysis.Analysis` of every window out, one by one."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace

import numpy as np

from ccmusic import audio
from ccmusic.analysis import Analysis, predict, prepare
from ccmusic.audio import CLIP_SECONDS, MAX_SECONDS, SAMPLE_RATE, Clip, Source
from ccmusic.panel import Panel, available_cores
from ccmusic.spectrogram import TransformChoice


class Timeline:
    """The windows of a piece; iterating analyses them in order, and may be given up at any time.

    >>> for analysis in Timeline("song.mp3", hop=5.0):  # doctest: +SKIP
    ...     print(analysis.clip.facts.window_start, analysis.agreement.top)

    Parameters
    ----------
    source
        Path, or seekable binary stream; decoded at once, half an hour of it at most: of a longer
        piece the middle.
    hop
        Seconds from the start of one window of 10 s to that of the next. The last window ends with
        the piece.
    transform, models
        As in :func:`ccmusic.analysis.analyze`.
    panel
        An open panel to reuse; without one the models are opened each on one core, since several
        windows are worked on at once.

    Raises
    ------
    AudioError
        If the file cannot be read.
    ValueError
        If ``hop`` is not positive.
    """

    def __init__(
        self,
        source: Source,
        *,
        hop: float = 5.0,
        transform: TransformChoice = "cqt",
        models: Sequence[str] | None = None,
        panel: Panel | None = None,
    ) -> None:
        if hop <= 0:
            raise ValueError("hop must be positive")
        piece = audio.load(source, seconds=MAX_SECONDS, loop=False)
        self._piece, self._samples = piece, piece.samples
        self._transform, self._models, self._panel = transform, models, panel
        begin, last = piece.info.window_start, len(self._samples) / SAMPLE_RATE - CLIP_SECONDS
        starts = np.arange(0, max(last, 0) + 1e-6, hop)
        if last > 0 and last - starts[-1] > 1e-3:
            starts = np.append(starts, last)
        self.starts: tuple[float, ...] = tuple((begin + starts).tolist())
        """Seconds from the beginning of the piece at which the windows begin."""

    def __len__(self) -> int:
        return len(self.starts)

    def __iter__(self) -> Iterator[Analysis]:
        cores = available_cores()
        panel = self._panel
        coming: deque[Future[Analysis]] = deque()
        with (
            nullcontext(panel)
            if panel
            else Panel.open(self._transform, self._models, concurrency=cores)
        ) as opened:
            pool = ThreadPoolExecutor(cores, thread_name_prefix="ccmusic-window")
            preprocessings = {card.preprocessing for card in opened.cards}
            try:
                for start in self.starts:
                    # One window becomes a picture while the models look at those before it.
                    started = time.perf_counter()
                    prepared = prepare(self.window(start), preprocessings)
                    predicting = pool.submit(
                        predict, prepared, opened, transform=self._transform, started=started
                    )
                    coming.append(predicting)
                    if len(coming) > 2 * cores:
                        yield coming.popleft().result()
                while coming:
                    yield coming.popleft().result()
            finally:  # who stops listening needs no more
                pool.shutdown(cancel_futures=True)

    def window(self, start: float) -> Clip:
        """Cut out the window that begins at one of the :attr:`starts`."""
        info = self._piece.info
        length = round(CLIP_SECONDS * SAMPLE_RATE)
        first = round((start - info.window_start) * SAMPLE_RATE)
        samples = self._samples[first : first + length]
        end = start + len(samples) / SAMPLE_RATE
        looped = len(samples) < length
        return replace(
            self._piece,
            samples=np.resize(samples, length),
            original=samples,
            info=replace(info, window_start=start, window_end=end, looped=looped),
        )
