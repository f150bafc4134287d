from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any, Literal

import av
import numpy as np
import pytest

import ccmusic.decode
from ccmusic.analysis import Analysis
from ccmusic.audio import MAX_SECONDS, Recording, load
from ccmusic.errors import AudioError, ParameterError
from ccmusic.panel import Panel, available_cores
from ccmusic.prepare import Prepared, prepare
from ccmusic.zoo import user_folder
from small_models import make_checkpoint

Sound = Callable[..., np.ndarray]
WriteSound = Callable[..., Path]


@pytest.fixture
def panel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Panel]:
    monkeypatch.setenv("CCMUSIC_HOME", str(tmp_path / "home"))
    make_checkpoint(user_folder(), "one", favourite="jazz")
    with Panel.open("cqt", ["one"]) as panel:
        yield panel


def test_windows_cover_the_piece_to_its_end(
    panel: Panel, write_sound: WriteSound, tone: Sound
) -> None:
    song = write_sound("song.wav", tone(440, 33))
    starts = Recording(song).starts(5)
    assert starts == pytest.approx((0, 5, 10, 15, 20, 23))
    for start, analysis in zip(starts, panel.timeline(song, hop=5), strict=True):
        info = analysis.clip.info
        assert (info.window_start, info.window_end) == pytest.approx((start, start + 10))
        assert not info.looped
        assert analysis.agreement is not None
        assert analysis.agreement.top == "jazz"


def _changing(tone: Sound, noise: Sound) -> np.ndarray:
    """Thirty seconds in stereo: clipped in one channel, then silent, then clean."""
    rate = 44_100
    sound = np.stack([tone(440, 30, rate) + noise(30, rate)] * 2)
    sound[0, : 10 * rate] = np.clip(8 * sound[0, : 10 * rate], -1, 1)
    sound[:, 10 * rate : 20 * rate] = 0
    return sound


@pytest.fixture(scope="module")
def changing(write_sound: WriteSound, tone: Sound, noise: Sound) -> Callable[[str], Path]:
    """The same as a file of this name, which tells the format."""
    return cache(lambda name: write_sound(name, _changing(tone, noise)))


@pytest.mark.parametrize("name", ["song.wav", "song.mp3", "song.flac"])
def test_a_window_is_what_loading_it_gives(
    panel: Panel, changing: Callable[[str], Path], name: str
) -> None:
    song = changing(name)
    analyses = list(panel.timeline(song, hop=10))
    codes = [[warning.code for warning in a.clip.warnings] for a in analyses]
    assert ["clipping" in c for c in codes] == [True, False, False]
    if name != "song.mp3":  # whose encoder leaves a trace of its neighbours
        assert ["silence" in c for c in codes] == [False, True, False]
    for analysis, start in zip(analyses, Recording(song).starts(10), strict=True):
        expected = load(song, crop=start)
        assert analysis.clip.info == expected.info
        assert analysis.clip.warnings == expected.warnings
        assert analysis.clip.file == expected.file
        np.testing.assert_array_equal(analysis.clip.original, expected.original)
        np.testing.assert_array_equal(analysis.clip.samples, expected.samples)
    assert len(analyses[0].clip.original) == 441_000


def test_a_stream_may_be_read_while_its_windows_come(changing: Callable[[str], Path]) -> None:
    song = changing("song.mp3")
    with song.open("rb") as stream:
        recording = Recording(stream)
        expected = recording.load(crop=12.0).samples
        for index, clip in enumerate(recording.slide(4)):
            np.testing.assert_array_equal(recording.load(crop=12.0).samples, expected)
            np.testing.assert_array_equal(clip.samples, load(song, crop=4.0 * index).samples)


@pytest.mark.parametrize("name", ["song.wav", "song.mp3", "song.flac"])
@pytest.mark.parametrize("crop", ["start", "center", "end"])
def test_a_window_and_the_whole_are_decoded_at_once(
    changing: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch,
    name: str, crop: Literal["start", "center", "end"],
) -> None:  # fmt: skip
    song = changing(name)
    expected = load(song, crop=crop), load(song, seconds=MAX_SECONDS, loop=False)
    passes: list[object] = []
    decode = ccmusic.decode._decode
    monkeypatch.setattr(
        ccmusic.decode, "_decode", lambda *given: (passes.append(given), decode(*given))[1]
    )
    for clip, same in zip(Recording(song).load_with_whole(crop=crop), expected, strict=True):
        assert (clip.info, clip.warnings) == (same.info, same.warnings)
        np.testing.assert_array_equal(clip.original, same.original)
        np.testing.assert_array_equal(clip.samples, same.samples)
    assert len(passes) == 1


def test_windows_far_apart_are_what_loading_them_gives(
    write_sound: WriteSound, tone: Sound
) -> None:
    song = write_sound("song.mp3", tone(440, 75))
    clips = list(Recording(song).slide(25))
    assert [clip.info.window_start for clip in clips] == pytest.approx([0, 25, 50, 65], abs=0.1)
    for clip in clips:
        expected = load(song, crop=clip.info.window_start).samples
        np.testing.assert_allclose(clip.samples, expected, atol=1e-3)


def test_windows_in_a_gap_are_what_loading_them_gives(tmp_path: Path, tone: Sound) -> None:
    song, rate = tmp_path / "song.mka", 44_100
    with av.open(str(song), "w", format="matroska") as container:
        stream = container.add_stream("pcm_s16le", rate=rate, layout="mono")
        for begin, seconds in ((0, 12), (70, 30)):
            samples = (tone(440 + begin, seconds) * 32_767).astype(np.int16)[None]
            for offset in range(0, samples.shape[1], rate // 10):
                block = np.ascontiguousarray(samples[:, offset : offset + rate // 10])
                frame = av.AudioFrame.from_ndarray(block, "s16", "mono")
                frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
                frame.pts = begin * rate + offset
                container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    recording = Recording(song)
    assert len(recording.starts(5)) == 19
    for clip, start in zip(recording.slide(5), recording.starts(5), strict=True):
        expected = load(song, crop=start)
        np.testing.assert_array_equal(clip.samples, expected.samples)
        assert clip.info == expected.info


def test_a_piece_in_memory_has_the_windows_of_its_file(
    write_sound: WriteSound, tone: Sound, noise: Sound
) -> None:
    sound = _changing(tone, noise)
    sixteen = np.round(sound * 32_767).astype(np.int16)
    song = write_sound("song.wav", sixteen.astype(np.float32) / 32_768)
    for from_memory, from_file in zip(
        Recording((sixteen, 44_100)).slide(7), Recording(song).slide(7), strict=True
    ):
        np.testing.assert_allclose(from_memory.samples, from_file.samples, atol=1e-4)
        assert from_memory.info.window_start == from_file.info.window_start
        assert [w.code for w in from_memory.warnings] == [w.code for w in from_file.warnings]


def test_a_short_piece_is_one_looped_window(
    panel: Panel, write_sound: WriteSound, tone: Sound
) -> None:
    (analysis,) = panel.timeline(write_sound("short.wav", tone(440, 4)))
    assert analysis.clip.info.looped
    assert len(analysis.clip.samples) == 220_500


def test_little_more_is_analysed_than_was_asked_for(
    panel: Panel, write_sound: WriteSound, tone: Sound, monkeypatch: pytest.MonkeyPatch
) -> None:
    song = write_sound("song.wav", tone(440, 120))
    begun: list[object] = []

    def counted(*args: object, **kwargs: object) -> object:
        begun.append(args)
        return prepare(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr("ccmusic.prepare.prepare", counted)
    walk = iter(panel.timeline(song, hop=1))
    assert next(walk).clip.info.window_start == 0
    walk.close()  # type: ignore[attr-defined]
    assert 1 <= len(begun) <= 2 * available_cores() + 1
    with pytest.raises(StopIteration):
        next(walk)


def test_a_window_that_fails_is_not_passed_over(
    panel: Panel, write_sound: WriteSound, tone: Sound, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Panel.analyze_prepared

    def failing(self: Panel, prepared: Prepared, **options: Any) -> Analysis:
        if prepared.clip.info.window_start == 2:
            raise MemoryError
        return whole(self, prepared, **options)

    monkeypatch.setattr(Panel, "analyze_prepared", failing)
    walk = iter(panel.timeline(write_sound("song.wav", tone(440, 20)), hop=1))
    assert [next(walk).clip.info.window_start for _ in range(2)] == [0, 1]
    with pytest.raises(MemoryError):
        next(walk)


def test_errors_come_at_once(
    panel: Panel, tmp_path: Path, write_sound: WriteSound, tone: Sound
) -> None:
    with pytest.raises(AudioError):
        panel.timeline(tmp_path / "nowhere.mp3")
    wrong: list[Any] = [0, -1, float("nan"), None, "5", True, 1e-9]  # of the last, too many
    for hop in wrong:
        with pytest.raises(ParameterError, match="hop cannot be"):
            panel.timeline(write_sound("song.wav", tone(440, 12)), hop=hop)
