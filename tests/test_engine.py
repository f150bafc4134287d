import io
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ccmusic.api import analyze_many
from ccmusic.audio import Recording, load
from ccmusic.engine import Engine
from ccmusic.errors import AudioError, CCMusicError, ParameterError
from ccmusic.panel import Panel
from ccmusic.picture import Preprocessing
from ccmusic.prepare import prepare

CQT = [Preprocessing.default("cqt")]


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with Engine(1, keep_sound=True) as opened:
        yield opened


@pytest.fixture
def panel(home: Path) -> Iterator[Panel]:
    with Panel.open("cqt") as opened:
        yield opened


@pytest.fixture(scope="module")
def song(write_sound: Callable[..., Path], tone: Callable[..., np.ndarray]) -> Path:
    return write_sound("song.mp3", tone(440, 24))


def test_it_gives_what_the_panel_gives(engine: Engine, panel: Panel, song: Path) -> None:
    seen: list[str] = []
    expected = panel.analyze(song, crop="end")
    found = engine.run(panel, song, crop="end", on_verdict=lambda v: seen.append(v.card.name))
    assert found == expected
    assert sorted(seen) == sorted(found.verdicts)
    assert list(engine.windows(panel, song)) == list(panel.timeline(song, hop=10))


def test_every_kind_of_source_is_taken(engine: Engine, song: Path) -> None:
    expected = prepare(song, CQT)
    sources = (song, str(song), song.read_bytes(), io.BytesIO(song.read_bytes()), load(song))
    for source in sources:
        assert engine.prepare(source, CQT, name=str(song)) == expected
    y, sr = np.sin(np.arange(300_000) / 20), 22_050
    assert engine.prepare((y, sr), CQT) == prepare((y, sr), CQT)
    with pytest.raises(TypeError, match="a recording is a path"):
        engine.prepare(7, CQT)  # type: ignore[arg-type]


def test_the_waveform_is_that_of_the_whole(engine: Engine, song: Path) -> None:
    envelope = engine.envelope(song.read_bytes(), name="x")
    assert envelope == load(song, seconds=1800, loop=False).envelope()
    assert envelope.edges[0] == 0
    assert envelope.edges[-1] == pytest.approx(Recording(song).duration, abs=0.1)


def test_sound_stays_behind_unless_it_is_asked_for(panel: Panel, song: Path) -> None:
    with Engine(1) as engine:
        for analysis in (engine.run(panel, song), *engine.windows(panel, song)):
            assert len(analysis.clip.samples) == len(analysis.clip.original) == 0
            assert analysis.mean


def test_errors_name_the_recording_and_cost_it_alone(engine: Engine, panel: Panel) -> None:
    with pytest.raises(AudioError, match=r"^mine\.mp3: "):
        engine.run(panel, b"no music", name="mine.mp3")
    with pytest.raises(AudioError, match="no such file"):
        list(engine.windows(panel, "nowhere.mp3"))
    found = list(engine.map(panel, ["nowhere.mp3", (np.ones(300_000) * 0.1, 22_050)]))
    assert isinstance(found[0], CCMusicError)
    assert not isinstance(found[1], CCMusicError)


def test_long_recordings_are_refused(panel: Panel, song: Path) -> None:
    with Engine(1, minutes=0.1) as engine, pytest.raises(AudioError) as caught:
        engine.run(panel, song)
    assert caught.value.key == "too_long"


def test_a_run_is_cancelled_from_another_thread(engine: Engine, panel: Panel, song: Path) -> None:
    cancelled = threading.Event()
    threading.Timer(0.3, cancelled.set).start()
    with pytest.raises(CancelledError):
        while True:
            engine.run(panel, song, cancelled=cancelled)
    # Nor is there a result if it was there before anybody looked, and no model was asked.
    with pytest.raises(CancelledError):
        engine.run(panel, (np.zeros(300_000), 22_050), cancelled=cancelled)
    assert engine.run(panel, (np.ones(300_000) * 0.1, 22_050)).file == "the samples"


def test_one_child_serves_many_recordings(song: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Engine(1) as engine:
        engine.warm_up()
        monkeypatch.setattr("ccmusic.sandbox._PROGRAM", "raise SystemExit(1)")
        for _ in range(3):
            engine.prepare(song, CQT)
            with pytest.raises(AudioError):
                engine.prepare(b"no music", CQT)


@pytest.mark.parametrize("count", [0, -1, 1.5, "2"])
def test_a_number_of_workers_is_honoured_or_refused(count: Any) -> None:
    with pytest.raises(ParameterError, match=r"workers cannot be .* it must be int >= 1"):
        Engine(count)
    with pytest.raises(ParameterError, match=r"concurrency cannot be .* it must be int >= 1"):
        Panel([], concurrency=count)


@pytest.mark.parametrize("one", ["song.mp3", b"RIFF"])
def test_one_recording_is_not_taken_for_many(one: Any) -> None:
    with pytest.raises(TypeError, match="this is one"):
        list(analyze_many(one))
