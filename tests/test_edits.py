from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ccmusic import (
    AudioError,
    CCMusicError,
    Change,
    Channel,
    Clip,
    Edit,
    Panel,
    ParameterError,
    Without,
    edits,
    load,
    schema,
)
from ccmusic.edits import OneChannel
from ccmusic.engine import Engine
from ccmusic.picture import Preprocessing
from ccmusic.prepare import prepare
from small_models import make_checkpoint
from sounds import noise, tone

RATE = 44_100


def mixed(seconds: float = 10.0) -> Clip:
    """White noise, as strong everywhere."""
    return Clip.from_samples(noise(seconds, RATE, amplitude=0.1), RATE, name="noise")


def level(clip: Clip, band: tuple[float, float], seconds: tuple[float, float] = (0, 10)) -> float:
    """Decibels of the energy in a region."""
    first, last = (round(second * RATE) for second in seconds)
    part = clip.original[first:last]
    power = np.abs(np.fft.rfft(part * np.blackman(len(part)))) ** 2
    hertz = np.fft.rfftfreq(len(part), 1 / RATE)
    inside = (hertz >= band[0]) & (hertz < band[1])
    return float(10 * np.log10(power[inside].sum() + 1e-30))


def loudest(clip: Clip) -> float:
    """Frequency of the strongest tone, hertz."""
    power = np.abs(np.fft.rfft(clip.original * np.hanning(len(clip.original))))
    return float(power.argmax() * RATE / len(clip.original))


@pytest.mark.parametrize("band", [(30.0, 40.0), (64.0, 127.0), (500.0, 1000.0), (5000.0, 8000.0)])
def test_a_band_is_gone_and_its_neighbours_are_not(band: tuple[float, float]) -> None:
    clip = mixed()
    left = clip.without(band=band)
    low, high = band
    edge = 2 ** (1 / 12)
    assert level(left, band) < level(clip, band) - 40
    for outside in (
        (low / 2, min(low / edge, low - 4) - 1),
        (max(high * edge, high + 4) + 1, 2 * high),
    ):
        assert level(left, outside) == pytest.approx(level(clip, outside), abs=0.5)


def test_a_band_is_gone_for_some_seconds_alone() -> None:
    clip, band, above = mixed(), (200.0, 400.0), (430.0, 800.0)
    left = clip.without(band=band, seconds=(3, 6))
    assert level(left, band, (3, 6)) < level(clip, band, (3, 6)) - 40
    assert level(left, above, (3, 6)) == pytest.approx(level(clip, above, (3, 6)), abs=0.5)
    first, last = round(2.95 * RATE), round(6.05 * RATE)
    assert np.array_equal(left.original[:first], clip.original[:first])
    assert np.array_equal(left.original[last:], clip.original[last:])


def test_seconds_are_silent_and_count_from_the_start_of_the_piece() -> None:
    sound = noise(30, RATE)
    clip = load((sound, RATE), crop=15.0)
    left = clip.without(seconds=(17, 19))
    assert not left.original[2 * RATE : 4 * RATE].any()
    assert np.abs(left.samples[2 * 22_050 + 50 : 4 * 22_050 - 50]).max() < 1e-6
    assert np.array_equal(left.original[: round(1.9 * RATE)], clip.original[: round(1.9 * RATE)])


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 48_000])
def test_a_tone_in_the_band_is_gone_in_what_is_judged_at_every_rate(rate: int) -> None:
    clip = Clip.from_samples(tone(100, 10, rate) + tone(440, 10, rate), rate)
    left = clip.without(band=(64, 127))
    rest = Clip.from_samples(tone(440, 10, rate), rate)
    for judged, wanted in (
        (left.samples, rest.samples),
        (left.samples_at(32_000), rest.samples_at(32_000)),
    ):
        inner = slice(len(judged) // 10, -len(judged) // 10)
        assert np.abs(judged[inner] - wanted[inner]).max() < 1e-3


def test_a_piece_of_minutes_is_filtered_in_blocks_without_a_seam() -> None:
    rate = 4_000
    sound = tone(100, 150, rate) + tone(440, 150, rate)
    clip = load((sound, rate), seconds=150, loop=False)
    left = clip.without(band=(64, 127)).original
    inner = slice(rate, -rate)
    assert np.abs(left - tone(440, 150, rate))[inner].max() < 1e-3


@settings(max_examples=10, deadline=None)
@given(st.floats(20, 10_000), st.floats(1.05, 3), st.floats(0, 1.5), st.floats(0.1, 3))
def test_what_is_not_there_can_be_removed_without_a_trace(
    low: float, width: float, start: float, length: float
) -> None:
    """A tone more than an octave away stays as it is, whatever the region."""
    clip = Clip.from_samples(tone(low / 2.5, 4, RATE), RATE)
    left = clip.without(band=(low, low * width), seconds=(start, start + length))
    inner = slice(RATE // 4, -RATE // 4)
    assert np.abs(left.original - clip.original)[inner].max() < 0.02


def test_a_looped_clip_lacks_the_region_in_every_repetition() -> None:
    left = Clip.from_samples(noise(4, RATE), RATE).without(seconds=(1, 2))
    assert left.info.looped
    for start in (1, 5, 9):
        part = left.samples[round((start + 0.01) * 22_050) : round((start + 0.99) * 22_050)]
        assert np.abs(part).max() < 1e-6


@pytest.mark.parametrize(("pitch", "factor"), [(12, 2.0), (-12, 0.5), (7, 2 ** (7 / 12))])
def test_pitch_moves_a_tone_and_leaves_its_length(pitch: float, factor: float) -> None:
    clip = Clip.from_samples(tone(440, 10, RATE), RATE)
    higher = clip.changed(pitch=pitch)
    assert len(higher.original) == len(clip.original)
    assert loudest(higher) == pytest.approx(440 * factor, rel=0.005)


@pytest.mark.parametrize("tempo", [0.5, 0.8, 1.25, 2.0])
def test_tempo_changes_the_length_and_leaves_the_pitch(tempo: float) -> None:
    clip = Clip.from_samples(tone(440, 10, RATE), RATE)
    other = clip.changed(tempo=tempo)
    seconds = min(10.0, 10 / tempo)  # what is too long is cut
    assert len(other.original) == pytest.approx(seconds * RATE, abs=1)
    assert other.info.window_end == pytest.approx(seconds, abs=1e-3)
    assert other.info.looped == (tempo > 1)
    assert len(other.samples) == len(clip.samples)
    assert loudest(other) == pytest.approx(440, rel=0.005)


def test_pitch_and_tempo_together_are_a_tape_played_faster() -> None:
    clip = Clip.from_samples(tone(440, 10, RATE), RATE)
    faster = clip.changed(pitch=12, tempo=2).original
    assert np.abs(faster - tone(880, 5, RATE))[100:-100].max() < 1e-3


def test_filters_let_pass_what_is_between_them() -> None:
    clip = mixed()
    passed = clip.changed(highpass=300, lowpass=3_000)
    for gone in ((20.0, 300.0), (3_000.0, 20_000.0)):
        assert level(passed, gone) < level(clip, gone) - 40
    assert level(passed, (330, 2_800)) == pytest.approx(level(clip, (330, 2_800)), abs=0.5)


def test_noise_has_its_level_and_is_the_same_for_the_same_sound() -> None:
    clip = Clip.from_samples(tone(440, 10, RATE), RATE)
    noisy = clip.changed(noise=10)
    added = noisy.original - clip.original
    ratio = 10 * np.log10(np.mean(clip.original**2) / np.mean(added**2))
    assert ratio == pytest.approx(10, abs=0.05)
    assert noisy == clip.changed(noise=10)
    other = Clip.from_samples(tone(441, 10, RATE), RATE).changed(noise=10)
    assert not np.allclose(other.original - tone(441, 10, RATE), added, atol=1e-3)


def test_gain_is_cut_off_at_full_scale() -> None:
    clip = Clip.from_samples(tone(440, 1, RATE) * 0.5, RATE)
    quieter = clip.changed(gain=-20).original
    assert np.abs(quieter).max() == pytest.approx(np.abs(clip.original).max() / 10, rel=1e-4)
    assert np.abs(clip.changed(gain=40).original).max() == 1


def test_a_change_by_nothing_leaves_the_sound_as_it_is_and_is_written_down() -> None:
    clip = Clip.from_samples(tone(440, 1, RATE) * 0.5, RATE)
    same = clip.changed(pitch=0, tempo=1, gain=0)
    assert np.array_equal(same.original, clip.original)
    assert np.allclose(same.samples, clip.samples, atol=1e-6)
    assert same.edits == (Change(pitch=0, tempo=1, gain=0),)


def test_edits_are_made_and_kept_in_their_order() -> None:
    clip = Clip.from_samples(tone(440, 2, RATE), RATE)
    raised = clip.changed(pitch=12).without(band=(800, 950))  # at 880 Hz by then
    removed = clip.without(band=(800, 950)).changed(pitch=12)
    middle = slice(RATE // 2, -RATE // 2)
    assert np.abs(raised.original[middle]).max() < 0.01 < np.abs(removed.original[middle]).max()
    assert [edit.edit for edit in raised.edits] == ["change", "without"]
    assert clip.edited(raised.edits) == raised
    assert clip.edited([]) is clip
    assert [w.code for w in raised.warnings].count("edited") == 1
    assert "edited" not in [w.code for w in clip.warnings]


EDITS: tuple[Edit, ...] = (
    OneChannel(channel="left"),
    Without(band=(64, 127)),
    Without(seconds=(2, 4)),
    Without(band=(64, 127), seconds=(2, 4)),
    Change(pitch=2, tempo=1.1, highpass=80, lowpass=4_000, noise=20, gain=-6),
)


def test_a_line_tells_every_edit_in_both_languages() -> None:
    assert edits.message(EDITS, "en") == (
        "edited: left channel alone; without 64–127 Hz; without 2.0–4.0 s; "
        "without 64–127 Hz at 2.0–4.0 s; pitch +2 semitones; tempo × 1.1; high-pass 80 Hz; "
        "low-pass 4000 Hz; noise 20 dB below the sound; gain −6 dB"
    )
    assert edits.message(EDITS[:2], "zh") == "已改动：只用左声道；去掉 64–127 Hz"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("64-127Hz", Without(band=(64, 127))),
        ("2-4s", Without(seconds=(2, 4))),
        ("64-127Hz,2-4s", Without(band=(64, 127), seconds=(2, 4))),
        ("0.5-4.25 s, 1e3-2e3 hz", Without(band=(1000, 2000), seconds=(0.5, 4.25))),
    ],
)
def test_a_region_is_read_from_text(text: str, wanted: Without) -> None:
    assert Without.parse(text) == wanted


@pytest.mark.parametrize(
    "text",
    ["", "64", "64-127", "64Hz", "a-bHz", "-", "64-127Hz,1-2Hz", "127-64Hz", "-4-2s", "1-nans"],
)
def test_text_that_is_no_region_is_refused(text: str) -> None:
    with pytest.raises(ParameterError):
        Without.parse(text)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"band": (127, 64)},
        {"band": (64, 64)},
        {"band": (-1, 64)},
        {"band": (64, float("nan"))},
        {"band": (64, float("inf"))},
        {"band": (30_000, 40_000)},  # beyond half the sample rate
        {"seconds": (4, 2)},
        {"seconds": (10, 12)},  # after the end
        {"seconds": (-2, -1)},
    ],
)
def test_a_region_that_cannot_be_is_refused(given: dict[str, Any]) -> None:
    clip = Clip.from_samples(tone(440, 10, RATE), RATE)
    with pytest.raises(CCMusicError) as caught:
        clip.without(**given)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"pitch": 13},
        {"pitch": float("nan")},
        {"tempo": 0},
        {"tempo": 2.1},
        {"tempo": -1},
        {"lowpass": 0},
        {"lowpass": 30_000},
        {"highpass": 30_000},
        {"highpass": 3_000, "lowpass": 300},
        {"noise": 100},
        {"gain": float("inf")},
    ],
)
def test_a_change_that_cannot_be_is_refused(given: dict[str, Any]) -> None:
    clip = Clip.from_samples(tone(440, 1, RATE), RATE)
    with pytest.raises(CCMusicError) as caught:
        clip.changed(**given)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["stereo.wav", "stereo.mp3"])
def test_one_channel_is_taken_when_a_recording_is_read(
    name: str, write_sound: Callable[..., Path]
) -> None:
    both = np.stack([tone(440, 3, RATE), tone(880, 3, RATE)])
    path = write_sound(name, both)
    expected: tuple[tuple[Channel, int], ...] = (("left", 440), ("right", 880))
    for channel, hertz in expected:
        for source in (path, (both, RATE)):
            clip = load(source, channel=channel)
            assert loudest(clip) == pytest.approx(hertz, rel=0.005)
            assert np.abs(clip.original).max() == pytest.approx(np.abs(both).max(), rel=0.05)
            assert clip.edits == (OneChannel(channel=channel),)
            assert "edited" in [w.code for w in clip.warnings]


def test_a_channel_of_opposite_phase_is_taken_as_it_is() -> None:
    sound = tone(440, 10, RATE)
    clip = load((np.stack([sound, -sound]), RATE), channel="right")
    assert np.allclose(clip.original, -sound)
    assert "opposite_phase" not in [w.code for w in clip.warnings]


def test_a_channel_that_is_not_there_is_refused(write_sound: Callable[..., Path]) -> None:
    mono = tone(440, 2, RATE)
    for source in (write_sound("mono.wav", mono), (mono, RATE)):
        with pytest.raises(AudioError, match="single channel"):
            load(source, channel="left")
    with pytest.raises(ParameterError, match="mixed already"):
        load((mono, RATE)).edited([OneChannel(channel="left")])


def test_a_clip_without_its_sound_is_not_edited(tmp_path: Path) -> None:
    prepared = prepare((tone(440, 10, RATE), RATE), [Preprocessing.default("cqt")])
    with pytest.raises(AudioError):
        prepared.without_sound().clip.without(band=(64, 127))


@pytest.fixture
def panel(home: Path) -> Iterator[Panel]:
    make_checkpoint(home, "mel", transform="mel", favourite="folk", backbone="folk")
    make_checkpoint(
        home, "slices", favourite="pop", backbone="pop", preprocessing=Preprocessing.ccmusic("cqt")
    )
    with Panel.open("both") as opened:
        yield opened


def test_an_edited_clip_is_judged_as_it_sounds(panel: Panel) -> None:
    clip = load((tone(100, 30, RATE) + 0.5 * tone(1_000, 30, RATE), RATE))
    plain, edited = panel.analyze(clip), panel.analyze(clip.without(band=(64, 127)))
    assert edited.edits == (Without(band=(64, 127)),)
    assert not plain.edits
    for preprocessing, pictures in edited.pictures.items():
        for before, after in zip(plain.pictures[preprocessing], pictures, strict=True):
            hertz = after.spectrogram.frequencies
            low = (hertz > 70) & (hertz < 120)
            share = after.spectrogram.values[low].sum() / before.spectrogram.values[low].sum()
            assert share < 0.05
    for name, verdict in edited.verdicts.items():
        assert verdict.error is None
        assert verdict.probabilities != plain.verdicts[name].probabilities


def test_edits_of_a_file_reach_the_whole_piece_and_the_window(
    panel: Panel, write_sound: Callable[..., Path]
) -> None:
    sound = np.stack([tone(100, 30, RATE) + 0.5 * tone(1_000, 30, RATE)] * 2)
    path, asked = write_sound("song.wav", sound), (OneChannel(channel="left"), *EDITS[1:2])
    found = panel.analyze(path, edits=asked)
    assert found.edits == asked
    assert found.clip == load(path, channel="left").edited(asked[1:])
    # Outside the window, but in the piece that is cut into slices.
    early = panel.analyze(path, edits=[Without(seconds=(1, 5))])
    plain = panel.analyze(path)
    assert np.array_equal(early.clip.original, plain.clip.original)
    assert early.edits == (Without(seconds=(1, 5)),)
    (slices,) = (p for p in early.pictures if p.slice_seconds)
    assert not np.array_equal(early.pictures[slices][0].pixels, plain.pictures[slices][0].pixels)
    with pytest.raises(ParameterError, match="outside the sound"):
        panel.analyze(path, edits=[Without(seconds=(31, 35))])
    with pytest.raises(ParameterError, match="outside the sound"):
        panel.select(["jazz"]).analyze(path, edits=[Without(seconds=(1, 5))])


def test_what_is_edited_says_so_everywhere(
    panel: Panel, write_sound: Callable[..., Path], tmp_path: Path
) -> None:
    path = write_sound("song.wav", tone(440, 12, RATE))
    found = panel.analyze(path, edits=EDITS[1:])
    document = schema.read(json.dumps(found.to_dict()))
    assert isinstance(document, schema.AnalysisDocument)
    assert tuple(document.edits) == EDITS[1:]
    assert "edited" in [warning.code for warning in document.clip.warnings]
    line = edits.message(EDITS[1:], "en")
    assert {row["edits"] for row in found.rows()} == {line}
    found.save(tmp_path / "report.html", language="en")
    assert line[1:] in (tmp_path / "report.html").read_text("utf-8")
    assert panel.analyze(path).to_dict()["edits"] == []
    assert "edits" not in panel.analyze(path).rows()[0]


def test_no_measured_accuracy_stands_beside_an_edited_verdict() -> None:
    with Panel.open("cqt") as panel:
        clip = load("examples/vibe_ace.ogg")
        plain, edited = panel.analyze(clip), panel.analyze(clip.changed(gain=-1))
    assert plain.advice
    assert edited.advice is None
    for name, verdict in edited.verdicts.items():
        assert plain.verdicts[name].band
        assert verdict.band is None


def test_a_child_process_edits_too(home: Path, write_sound: Callable[..., Path]) -> None:
    path, asked = write_sound("song.wav", tone(440, 12, RATE)), EDITS[1:3]
    with Panel.open("cqt") as panel, Engine(1, keep_sound=True) as engine:
        found = engine.run(panel, str(path), edits=asked)
    assert found.clip == load(str(path)).edited(asked)
