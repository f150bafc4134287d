"""Where the time of a file goes, from opening it to the JSON: ``python benchmarks/parts.py``.

Milliseconds of processor time, for ten seconds and for the centre of five minutes of every common
format. A part has what its own functions take, without that of other parts which they call. Each
figure is the least of many runs, so that other work on the machine does not count.
"""

import argparse
import json
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from importlib import import_module
from inspect import isgeneratorfunction
from pathlib import Path
from typing import Any

from ccmusic import Panel
from pieces import KINDS, long_song
from timing import keep

# Functions of each part, in the order of the table. Of a generator that has two parts, the time to
# its first result is the first.
PARTS = {
    "open": ["ccmusic.decode:open_regular", "ccmusic.decode:av.open"],
    "header": ["ccmusic.audio:read_header"],
    "seek": ["ccmusic.decode:_demux"],
    "decode": ["ccmusic.audio:decode_windows", "ccmusic.decode:_demux"],
    "mix": ["ccmusic.decode:_Windows._mix"],
    "resample": ["ccmusic.audio:Recording._clip"],
    "quality": ["ccmusic.audio:find_warnings", "ccmusic.audio:audible_seconds"],
    "speech": ["ccmusic.speech:is_speech"],
    "cqt": ["ccmusic.spectrogram:Cqt.__call__"],
    "picture": ["ccmusic.picture:Picture.from_spectrogram"],
    "networks": ["ccmusic.panel:Panel.run"],
    "agreement": ["ccmusic.panel:agree", "ccmusic.panel:mean_probabilities"],
    "json": ["ccmusic.result:PanelResult.to_dict", "json:dumps"],
}
LENGTHS = {"10 s": 1 / 6, "5 min": 5.0}


class Clock:
    """Processor time of nested parts: what an inner one takes does not count for the outer."""

    def __init__(self) -> None:
        self.spent: defaultdict[str, float] = defaultdict(float)
        self._parts, self._since = ["rest"], time.process_time()

    @contextmanager
    def running(self, part: str) -> Iterator[None]:
        """Count what the block takes as that of a part."""
        self._turn()
        self._parts.append(part)
        try:
            yield
        finally:
            self._turn()
            self._parts.pop()

    def _turn(self) -> None:
        now = time.process_time()
        self.spent[self._parts[-1]] += now - self._since
        self._since = now


def watch(clock: Clock) -> None:
    """Let the functions of all parts tell the clock when they begin and end."""
    parts_of: dict[str, list[str]] = {}
    for part, places in PARTS.items():
        for place in places:
            parts_of.setdefault(place, []).append(part)
    for place, parts in parts_of.items():
        module, _, path = place.partition(":")
        *owners, name = path.split(".")
        owner: Any = import_module(module)
        for each in owners:
            owner = getattr(owner, each)
        kept = vars(owner)[name]
        function = getattr(kept, "__func__", kept)
        timed = (in_parts if isgeneratorfunction(function) else in_part)(clock, parts, function)
        setattr(owner, name, type(kept)(timed) if function is not kept else timed)


def in_part(clock: Clock, parts: list[str], function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def timed(*arguments: Any, **options: Any) -> Any:
        with clock.running(parts[0]):
            return function(*arguments, **options)

    return timed


def in_parts(clock: Clock, parts: list[str], function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def timed(*arguments: Any, **options: Any) -> Iterator[Any]:
        found, part = function(*arguments, **options), parts[0]
        while True:
            with clock.running(part):
                result = next(found, None)
            if result is None:
                return
            yield result
            part = parts[-1]

    return timed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=15)
    repeats = parser.parse_args().repeats
    rows: dict[str, dict[str, dict[str, float]]] = {}
    with tempfile.TemporaryDirectory() as folder, Panel.open("cqt") as panel:
        songs = {
            (suffix, length): long_song(Path(folder), minutes, suffix)
            for suffix in KINDS
            for length, minutes in LENGTHS.items()
        }
        clock = Clock()
        watch(clock)
        runs: dict[tuple[str, str], list[dict[str, float]]] = {song: [] for song in songs}
        for _ in range(repeats):
            for song, path in songs.items():
                clock.spent.clear()
                with clock.running("rest"):
                    json.dumps(panel.analyze(path).to_dict())
                runs[song].append(dict(clock.spent))
        for (suffix, length), spent in runs.items():
            parts = {
                part: 1000 * min(run.get(part, 0) for run in spent) for part in [*PARTS, "rest"]
            }
            rows.setdefault(length, {})[suffix] = parts
    keep("parts", rows)


if __name__ == "__main__":
    main()
