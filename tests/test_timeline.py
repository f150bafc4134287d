from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ccmusic import analyze
from ccmusic.analysis import Prepared, predict, prepare
from ccmusic.errors import AudioError
from ccmusic.panel import Panel, available_cores
from ccmusic.timeline import Timeline
from ccmusic.zoo import user_folder
from small_models import make_checkpoint

Sound = Callable[..., np.ndarray]
WriteSound = Callable[..., Path]


@pytest.fixture(autouse=True)
def _models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CCMUSIC_HOME", str(tmp_path / "home"))
    make_checkpoint(user_folder(), "one", favourite="jazz")


def test_windows_cover_the_piece_to_its_end(write_sound: WriteSound, tone: Sound) -> None:
    song = write_sound("song.wav", tone(440, 33))
    timeline = Timeline(song, hop=5, models=["one"])
    assert timeline.starts == pytest.approx((0, 5, 10, 15, 20, 23))
    analyses = list(timeline)
    assert len(analyses) == len(timeline) == 6
    for start, analysis in zip(timeline.starts, analyses, strict=True):
        info = analysis.clip.info
        assert (info.window_start, info.window_end) == pytest.approx((start, start + 10))
        assert not info.looped
        assert analysis.agreement is not None
        assert analysis.agreement.top == "jazz"


def test_a_window_is_what_an_analysis_of_that_window_sees(
    write_sound: WriteSound, noise: Sound
) -> None:
    sweep = np.sin(np.cumsum(np.linspace(0.01, 0.5, 30 * 44_100))).astype(np.float32) * 0.3
    song = write_sound("song.wav", sweep + noise(30))
    with Panel.open("cqt", ["one"]) as panel:
        windows = list(Timeline(song, hop=7.5, panel=panel))
        alone = analyze(song, crop=7.5, panel=panel)
    assert alone.clip.info.window_start == pytest.approx(7.5)
    ((seen,),) = windows[1].pictures.values()
    ((expected,),) = alone.pictures.values()
    difference = np.abs(seen.pixels.astype(int) - expected.pixels)
    assert difference.mean() < 1


def test_a_short_piece_is_one_looped_window(write_sound: WriteSound, tone: Sound) -> None:
    timeline = Timeline(write_sound("short.wav", tone(440, 4)), models=["one"])
    (analysis,) = timeline
    assert analysis.clip.info.looped
    assert len(analysis.clip.samples) == 220_500


def test_little_more_is_analysed_than_was_asked_for(
    write_sound: WriteSound, tone: Sound, monkeypatch: pytest.MonkeyPatch
) -> None:
    song = write_sound("song.wav", tone(440, 120))
    begun: list[object] = []

    def counted(*args: object, **kwargs: object) -> object:
        begun.append(args)
        return prepare(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr("ccmusic.timeline.prepare", counted)
    walk = iter(Timeline(song, hop=1, models=["one"]))
    assert next(walk).clip.info.window_start == 0
    walk.close()  # type: ignore[attr-defined]
    assert 1 <= len(begun) <= 2 * available_cores() + 1
    with pytest.raises(StopIteration):
        next(walk)


def test_a_window_that_fails_is_not_passed_over(
    write_sound: WriteSound, tone: Sound, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(prepared: Prepared, *args: object, **kwargs: object) -> object:
        if prepared.clip.info.window_start == 2:
            raise MemoryError
        return predict(prepared, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr("ccmusic.timeline.predict", failing)
    walk = iter(Timeline(write_sound("song.wav", tone(440, 20)), hop=1, models=["one"]))
    assert [next(walk).clip.info.window_start for _ in range(2)] == [0, 1]
    with pytest.raises(MemoryError):
        next(walk)


def test_errors_come_at_once(tmp_path: Path, write_sound: WriteSound, tone: Sound) -> None:
    with pytest.raises(AudioError):
        Timeline(tmp_path / "nowhere.mp3")
    with pytest.raises(ValueError, match="positive"):
        Timeline(write_sound("song.wav", tone(440, 12)), hop=0)
