import asyncio
import io
import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.figure import Figure

from ccmusic import (
    Analysis,
    AudioError,
    CCMusicError,
    CheckpointError,
    Panel,
    ParameterError,
    SandboxError,
    Verdict,
    WholePiece,
    analyze,
    analyze_many,
    report,
    zoo,
)
from ccmusic.audio import Clip, load
from ccmusic.axes import Orientation
from ccmusic.spectrogram import Cqt
from small_models import make_checkpoint

EXAMPLES = Path(__file__).parent.parent / "examples"
SONG = EXAMPLES / "vibe_ace.ogg"
VERDICTS = Path(__file__).parent / "golden" / "verdicts.json"


@pytest.fixture
def small_zoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three models for CQT, one for Mel."""
    monkeypatch.setenv("CCMUSIC_HOME", str(tmp_path))
    monkeypatch.setattr(zoo, "SHIPPED", tmp_path / "none")
    folder = tmp_path / "checkpoints"
    for favourite in ("jazz", "rock"):
        make_checkpoint(folder, f"{favourite}_cqt", favourite=favourite, backbone=favourite)
    make_checkpoint(folder, "late_cqt", favourite="jazz", backbone="late")
    make_checkpoint(folder, "pop_mel", favourite="pop", transform="mel", backbone="pop")
    return folder


def test_every_step_can_be_looked_at(small_zoo: Path) -> None:
    seen: list[Verdict] = []
    analysis = analyze(SONG, on_verdict=seen.append)
    assert analysis.clip.samples.shape == (220_500,)
    (spectrogram,) = analysis.spectrograms.values()
    assert spectrogram.values.shape == (84, 431)
    ((picture,),) = analysis.pictures.values()
    assert picture.pixels.shape == (224, 224)
    assert sorted(v.card.name for v in seen) == sorted(analysis.verdicts)
    assert len(analysis.verdicts) == 3
    assert analysis.agreement is not None
    assert (analysis.agreement.top, analysis.agreement.votes) == ("jazz", 2)
    assert max(analysis.mean, key=lambda genre: analysis.mean[genre]) == "jazz"
    assert sum(analysis.mean.values()) == pytest.approx(1)
    assert analysis.elapsed_ms > max(v.latency_ms for v in analysis.verdicts.values())


def test_mel_has_its_own_models(small_zoo: Path) -> None:
    analysis = analyze(SONG, transform="mel")
    assert list(analysis.verdicts) == ["pop_mel"]
    assert next(iter(analysis.pictures)).transform.name == "mel"


def test_models_are_chosen_by_name(small_zoo: Path) -> None:
    assert list(analyze(SONG, models=["rock"]).verdicts) == ["rock_cqt"]
    assert list(analyze(SONG, models="rock").verdicts) == ["rock_cqt"]
    with pytest.raises(CheckpointError, match="unknown model tuba"):
        analyze(SONG, models=["tuba"])


def test_an_open_panel_knows_its_transform(small_zoo: Path) -> None:
    with Panel.open("mel") as mel, Panel.open("cqt") as cqt, Panel.open("both") as both:
        assert (mel.transform, cqt.transform, both.transform) == ("mel", "cqt", "both")
        assert cqt.combine(mel).transform == "both"
        assert both.select(["pop"]).transform == "mel"
        assert both.select("pop").transform == "mel"
        analysis = mel.analyze(SONG)
        assert analysis.transform == "mel"
        assert analysis.to_dict()["transform"] == "mel"


def test_a_panels_analysis_is_that_of_the_module(small_zoo: Path) -> None:
    for transform in ("cqt", "mel", "both"):
        with Panel.open(transform) as panel:
            by_panel = panel.analyze(SONG, crop=1.0)
        by_module = analyze(SONG, transform=transform, crop=1.0)
        assert by_panel.mean == by_module.mean
        assert by_panel.agreement == by_module.agreement
        assert by_panel.transform == by_module.transform == transform
        assert by_panel.clip.info == by_module.clip.info


def test_a_clip_has_been_cropped_already(small_zoo: Path) -> None:
    with pytest.raises(ParameterError, match="cropped already"):
        analyze(load(SONG), crop=1.0)


@pytest.mark.parametrize("crop", ["centre", "whole", "", -1, -0.5, np.nan, np.inf, None, True])
def test_a_crop_is_honoured_or_refused(small_zoo: Path, crop: Any) -> None:
    for judge in (analyze, load):
        with pytest.raises(ParameterError, match=r"crop cannot be .*'center'"):
            judge(SONG, crop=crop)
    with pytest.raises(ParameterError, match="crop cannot be"):
        list(analyze_many([SONG], crop=crop))


@pytest.mark.parametrize("seconds", [0, -1, np.nan, np.inf, None, "5", True, 1e-9])
def test_a_length_is_honoured_or_refused(seconds: Any) -> None:
    for loop in (True, False):
        with pytest.raises(ParameterError, match=r"load: seconds cannot be .* float >= 0.1"):
            load(SONG, seconds=seconds, loop=loop)


def test_a_transform_is_honoured_or_refused(small_zoo: Path) -> None:
    wrong: Any = "CQT"
    with pytest.raises(ParameterError, match="transform cannot be 'CQT'; it must be 'cqt'"):
        analyze(SONG, transform=wrong)


@pytest.mark.parametrize("kind", ["bytes", "stream", "samples", "clip", "from_samples"])
def test_every_source_gives_what_the_file_gives(small_zoo: Path, kind: str) -> None:
    content, clip = SONG.read_bytes(), load(SONG)
    whole = (clip.original.astype(np.float64), clip.info.sample_rate)
    sources: dict[str, Any] = {
        "bytes": content,
        "stream": io.BytesIO(content),
        "samples": whole,
        "clip": clip,
        "from_samples": Clip.from_samples(*whole),
    }
    expected = analyze(SONG)
    assert analyze(sources[kind]).mean == expected.mean


@pytest.mark.parametrize(
    ("source", "kind", "said"),
    [
        ([0.1, 0.2], TypeError, "not list"),
        (7, TypeError, "not int"),
        (None, TypeError, "not NoneType"),
        (io.StringIO("text"), TypeError, "mode 'rb'"),
        ((np.zeros((3, 4, 5)), 44_100), AudioError, "these are float64 of shape 3 x 4 x 5"),
        ((np.zeros((44_100, 2)), 44_100), AudioError, "of shape 44100 x 2"),
        ((np.zeros(44_100, np.int64), 44_100), AudioError, "these are int64"),
        ((np.zeros(44_100, bool), 44_100), AudioError, "these are bool"),
        ((np.zeros(44_100), 0), AudioError, "0 is no sample rate"),
        ((np.zeros(44_100), 44_100.5), AudioError, "44100.5 is no sample rate"),
        ((np.zeros(44_100), True), AudioError, "True is no sample rate"),
        ((np.zeros(44_100), "44100"), AudioError, "44100 is no sample rate"),
        ((np.zeros(44_100), None), AudioError, "None is no sample rate"),
        ((np.zeros((9, 44_100)), 44_100), AudioError, "at most 8 channels; these are float64"),
        ((np.zeros((0, 44_100)), 44_100), AudioError, "at most 8 channels; these are float64"),
        ((np.zeros(0), 44_100), AudioError, "no audio"),
        ((np.full(44_100, np.nan), 44_100), AudioError, "invalid samples"),
        ((np.full(44_100, 1e300), 44_100), AudioError, "invalid samples"),
        ((np.ones(441), 44_100), AudioError, "only 0.010 s of audio"),
        (b"", AudioError, "the file is empty"),
        ("", AudioError, "the name of the recording is empty"),
        (b"no music", AudioError, "not a supported audio format"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_recording_is_refused(
    small_zoo: Path, source: object, kind: type[Exception], said: str
) -> None:
    with pytest.raises(kind, match=re.escape(said)):
        analyze(source)  # type: ignore[arg-type]


def test_a_closed_file_is_refused(small_zoo: Path) -> None:
    with SONG.open("rb") as file:
        pass
    with pytest.raises(AudioError, match="closed already"):
        analyze(file)


def test_integers_are_shares_of_their_full_scale() -> None:
    floats = np.sin(np.linspace(0, 4_000, 48_000)) * 0.5
    expected = Clip.from_samples(floats, 48_000).original
    for kind, full, tolerance in ((np.int16, 2**15, 1e-4), (np.int32, 2**31, 1e-6)):
        integers = np.round(floats * full).astype(kind)
        clip = Clip.from_samples(np.stack([integers, integers]), 48_000)
        np.testing.assert_allclose(clip.original, expected, atol=tolerance)
        assert (clip.info.channels, clip.info.sample_rate) == (2, 48_000)
    eight = np.round(floats * 127 + 128).astype(np.uint8)
    np.testing.assert_allclose(Clip.from_samples(eight, 48_000).original, expected, atol=0.01)


@pytest.mark.parametrize(
    ("seconds", "of_sound", "judged", "english", "chinese"),
    [
        (10, 0, "silent", "silence: there is nothing to judge", "这段是静音，不作判断"),
        (0.2, 0.2, "too_short", "only 0.2 s of sound: too short", "只有 0.2 秒的声音，太短"),
        (10, 0.5, "too_short", "only 0.5 s of sound: too short", "只有 0.5 秒的声音，太短"),
        (
            1.6,
            1.6,
            "doubtful",
            "doubtful, for there is only 1.6 s",
            "只有 1.6 秒的声音，仅供参考：",
        ),
        (10, 2.5, "doubtful", "doubtful, for there is only 2.5", "只有 2.5 秒的声音，仅供参考"),
        (3, 3, "yes", "2 of 3 models say Jazz", "3 个模型中有 2 个认为是爵士"),
        (10, 10, "yes", "2 of 3 models say Jazz", "3 个模型中有 2 个认为是爵士"),
    ],
)
def test_no_verdict_without_enough_sound(
    small_zoo: Path, seconds: float, of_sound: float, judged: str, english: str, chinese: str
) -> None:
    rate = 22_050
    seen: list[Verdict] = []
    sound = np.zeros(round(seconds * rate))
    length = round(of_sound * rate)
    sound[:length] = 0.3 * np.sin(np.arange(length) * 0.1)
    analysis = analyze((sound, rate), on_verdict=seen.append)
    assert analysis.judged == judged
    assert analysis.message().startswith(english)
    assert analysis.message("zh").startswith(chinese)
    assert analysis.to_dict()["judged"] == judged
    told = judged in ("yes", "doubtful")
    assert bool(seen) == bool(analysis.verdicts) == bool(analysis.mean) == told
    assert (analysis.agreement is not None) == told
    assert len(analysis.pictures) == 1
    assert analysis.select(["jazz_cqt"]).judged == judged


def test_attention_of_a_short_piece_stays_within_it(small_zoo: Path) -> None:
    rate = 22_050
    sound = np.random.default_rng(5).normal(0, 0.1, 4 * rate)
    analysis = analyze((sound, rate), transform="both")
    for name in analysis.verdicts:
        for genre in ("jazz", "rock", "pop", "blues"):
            looked = analysis.attention(name, genre)
            assert looked is not None
            if looked.region:
                assert 0 <= looked.region.start < looked.region.end <= 4


def test_results_are_equal_if_they_say_the_same(small_zoo: Path) -> None:
    one, same, other = (analyze(SONG, crop=crop) for crop in ("center", "center", "start"))
    assert one == same != other
    assert one.clip == same.clip != other.clip
    assert one.verdicts == same.verdicts
    assert len({one, same, other}) == 2
    assert len({*one.verdicts.values(), *same.verdicts.values()}) == 3
    assert one != "an analysis"
    (first,), (second,) = one.spectrograms.values(), other.spectrograms.values()
    assert first != second
    assert one.attention("jazz_cqt") == same.attention("jazz_cqt")
    assert one.attention("jazz_cqt") != other.attention("jazz_cqt")
    hash(one.attention("jazz_cqt"))
    assert one.select(["jazz_cqt"]) != one
    failed = replace(
        one.verdicts["jazz_cqt"], logits=None, error=CheckpointError("no_card", file="x")
    )
    again = replace(failed, error=CheckpointError("no_card", file="x"))
    assert failed == again != one.verdicts["jazz_cqt"]


def test_a_repr_can_be_read(small_zoo: Path) -> None:
    analysis = analyze(SONG)
    text = repr(analysis)
    assert len(text) < 1_500
    assert "vibe_ace.ogg" in text
    assert "late_cqt" in text
    assert "samples=float32[220500]" in repr(analysis.clip)
    assert repr(analysis.verdicts["late_cqt"]).startswith("Verdict(card=ModelCard('late_cqt')")
    for part in (*analysis.spectrograms.values(), analysis.attention("late_cqt"), analysis.clip):
        assert len(repr(part)) < 800


def test_a_frame_has_a_row_per_model_and_class(small_zoo: Path) -> None:
    analysis = analyze(SONG, transform="both")
    frame = analysis.to_frame()
    assert list(frame.columns)[:5] == ["file", "transform", "model", "class", "probability"]
    assert len(frame) == (4 + 1) * 13
    mean = frame[frame["model"] == "mean"].set_index("class")["probability"]
    assert mean.to_dict() == pytest.approx(analysis.mean)


def test_without_pandas_and_polars_there_is_no_frame(
    small_zoo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    analysis = analyze(SONG)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(CCMusicError, match="needs pandas or polars: pip install pandas"):
        analysis.to_frame()


@pytest.mark.parametrize("name", ["song.html", "song.json", "song.csv"])
def test_an_analysis_saves_itself(small_zoo: Path, tmp_path: Path, name: str) -> None:
    analysis = analyze(SONG)
    analysis.save(tmp_path / name, language="zh")
    kind = report.kind_of(Path(name))
    assert (tmp_path / name).read_text("utf-8") == report.render(analysis, kind, "zh")


def test_saving_tells_what_it_cannot_do(small_zoo: Path, tmp_path: Path) -> None:
    analysis = analyze(SONG)
    with pytest.raises(CCMusicError, match=r"must end in \.html, \.json or \.csv"):
        analysis.save(tmp_path / "song.pdf")
    with pytest.raises(CCMusicError, match="cannot be written"):
        analysis.save(tmp_path / "nowhere" / "song.csv")


def test_results_draw_themselves_on_the_callers_axis(small_zoo: Path) -> None:
    analysis = analyze(SONG, crop=1.0)
    (spectrogram,) = analysis.spectrograms.values()
    looked = analysis.attention("jazz_cqt")
    assert looked is not None
    clip = analysis.clip
    start, end = clip.info.window_start, clip.info.window_end
    for plot, time in (
        (clip.plot, lambda axes: axes.dataLim.intervalx),
        (lambda ax: spectrogram.plot(ax, start=start), lambda axes: sorted(axes.get_ylim())),
        (looked.plot, lambda axes: sorted(axes.get_ylim())),
    ):
        axes = Figure().subplots()
        assert plot(axes).axes is axes
        assert list(time(axes)) == pytest.approx([start, end], abs=0.05)
        assert "time" in axes.get_xlabel() + axes.get_ylabel()


def test_colour_bars_of_plots_are_right(small_zoo: Path) -> None:
    analysis = analyze(SONG, crop=1.0)
    (spectrogram,) = analysis.spectrograms.values()
    looked = analysis.attention("jazz_cqt")
    assert looked is not None
    for drawn, values, ends in (
        (spectrogram.plot(Figure().subplots()), spectrogram.decibels(), (-80, 0)),
        (looked.plot(Figure().subplots()), looked.values, (0, looked.coarse.max())),
        (looked.plot(Figure().subplots(), strongest=9.0), looked.values, (0, 9)),
    ):
        np.testing.assert_array_equal(np.asarray(drawn.get_array()), values.T)
        bar: Any = drawn.figure.colorbar(drawn)
        assert (bar.vmin, bar.vmax) == pytest.approx(ends)
        assert bar.cmap is drawn.cmap
    red, green, blue, opacity = drawn.cmap(1.0)
    assert (red, green, blue) == pytest.approx((1, 140 / 255, 0))
    assert drawn.cmap(0.0)[3] == 0 < opacity


@pytest.mark.parametrize("orientation", ["pitch_along_x", "time_along_x"])
def test_the_caller_chooses_the_orientation(orientation: Orientation) -> None:
    spectrogram = Cqt()(np.ones(22_050, np.float32))
    axes = spectrogram.plot(Figure().subplots(), orientation=orientation).axes
    pitch, time = (
        (axes.xaxis, axes.yaxis) if orientation == "pitch_along_x" else (axes.yaxis, axes.xaxis)
    )
    assert pitch.get_label_text() == "pitch"
    assert time.get_label_text() == "time, s"
    assert [text.get_text() for text in pitch.get_ticklabels()][3] == "C4\n262 Hz"


def test_without_an_axis_the_current_one_is_drawn_on(small_zoo: Path) -> None:
    pyplot.switch_backend("agg")
    axes = pyplot.figure().subplots()
    assert load(SONG).plot().axes is axes
    pyplot.close("all")


def test_many_recordings_come_in_order_with_their_errors(small_zoo: Path, tmp_path: Path) -> None:
    songs = sorted(EXAMPLES.glob("*.ogg"))
    text = tmp_path / "notes.mp3"
    text.write_text("not music")
    paths = [songs[0], text, *songs[1:], tmp_path / "missing.wav"]
    found = list(analyze_many(paths, models=["jazz", "rock"], workers=2, keep_sound=True))
    assert [isinstance(f, CCMusicError) for f in found] == [p.suffix != ".ogg" for p in paths]
    assert "missing.wav: no such file" in str(found[-1])
    for path, analysis in zip(paths, found, strict=True):
        if path.suffix == ".ogg":
            assert analysis == analyze(path, models=["jazz", "rock"])


def test_models_and_genres_are_found_by_every_name_that_they_have(small_zoo: Path) -> None:
    analysis = analyze(SONG)
    assert analysis.verdict("jazz") is analysis.verdict("jazz_cqt")
    assert (
        analysis.picture("jazz")
        is analysis.pictures[analysis.verdict("jazz").card.preprocessing][0]
    )
    shown = analysis.attention("jazz")
    assert shown is not None
    assert shown.genre == "jazz"
    assert list(analysis.select(["jazz"]).verdicts) == ["jazz_cqt"]
    assert list(analysis.select("jazz").verdicts) == ["jazz_cqt"]
    assert analysis.spectrogram("cqt") in analysis.spectrograms.values()
    assert analysis.top(2) == sorted(analysis.mean.items(), key=lambda item: -item[1])[:2]
    with pytest.raises(CheckpointError, match="unknown model jazzz; known: "):
        analysis.verdict("jazzz")
    with pytest.raises(ValueError, match="unknown genre 'jazzz'"):
        analysis.attention("jazz", "jazzz")
    with pytest.raises(ValueError, match="no mel spectrogram; there is cqt"):
        analysis.spectrogram("mel")


def test_a_panel_is_called_awaited_and_predicts(small_zoo: Path) -> None:
    with Panel.open("cqt", ["jazz"]) as panel:
        expected = panel.analyze(SONG)
        assert panel(SONG) == expected
        assert asyncio.run(panel.aanalyze(SONG)) == expected
        silence = np.zeros(220_500), 22_050
        assert panel.predict([SONG, silence]) == [expected.top(1)[0][0], None]


def test_many_recordings_may_be_of_any_kind(small_zoo: Path) -> None:
    y, sr = np.sin(np.arange(330_000) / 20), 22_050
    sources: list[Any] = [
        SONG,
        SONG.read_bytes(),
        io.BytesIO(SONG.read_bytes()),
        load(SONG, crop="start"),
    ]
    found = list(analyze_many([*sources, (y, sr)], models=["jazz"], crop="start"))
    *same, refused, of_samples = found
    analyses = [each for each in same if isinstance(each, Analysis)]
    assert len({analysis.mean["jazz"] for analysis in analyses}) == 1
    assert [len(analysis.clip.samples) for analysis in analyses] == [0, 0, 0]
    assert str(refused).startswith(f"{SONG}: it has been cropped already")
    assert isinstance(of_samples, Analysis)
    assert of_samples.clip.info.window_start == 0


def test_many_recordings_without_a_process_are_one_error(
    small_zoo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ccmusic.sandbox._PROGRAM", "raise SystemExit(1)")
    with pytest.raises(SandboxError, match="cannot start a process"):
        list(analyze_many([SONG] * 3, models=["jazz"]))


def test_a_name_is_what_messages_call_a_recording(small_zoo: Path) -> None:
    y, sr = np.sin(np.arange(330_000) / 20), 22_050
    for source in (SONG, SONG.read_bytes(), (y, sr), load(SONG)):
        assert analyze(source, models=["jazz"], name="my song").file == "my song"
    with pytest.raises(CCMusicError, match=r"^my song: "):
        analyze(b"nothing", models=["jazz"], name="my song")


def test_many_recordings_need_not_all_be_wanted(small_zoo: Path) -> None:
    asked: list[Path] = []

    def endless() -> Iterator[Path]:
        while True:
            asked.append(SONG)
            yield SONG

    walk = analyze_many(endless(), models=["jazz"], workers=1)
    assert isinstance(next(walk), Analysis)
    walk.close()  # type: ignore[attr-defined]
    assert len(asked) < 30


def test_a_stream_gives_what_the_file_gives(small_zoo: Path) -> None:
    from_stream = analyze(io.BytesIO(SONG.read_bytes()))
    from_path = analyze(SONG)
    assert from_stream.mean == from_path.mean
    assert from_stream.clip.info == from_path.clip.info


def test_a_kept_panel_is_shared_by_threads(small_zoo: Path) -> None:
    songs = sorted(EXAMPLES.glob("*.ogg"))
    with Panel.open("cqt") as panel:
        alone = [panel.analyze(song).mean for song in songs]
        with ThreadPoolExecutor(4) as pool:
            together = list(pool.map(lambda song: panel.analyze(song).mean, songs))
    assert together == alone


def test_a_file_that_cannot_be_read_is_an_audio_error(small_zoo: Path, tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="no such file"):
        analyze(tmp_path / "nothing.mp3")


def test_a_loaded_clip_is_not_decoded_again(small_zoo: Path) -> None:
    whole = analyze(SONG)
    again = analyze(whole.clip)
    assert again.mean == whole.mean
    assert again.file == whole.file == str(SONG)
    assert again.clip is whole.clip


def _shipped_verdicts() -> dict[str, dict[str, dict[str, float]]]:
    """Probabilities that each shipped model gives each example."""
    with Panel(zoo.find("both")) as panel:
        return {
            song.name: {
                name: verdict.probabilities
                for name, verdict in panel.analyze(song).verdicts.items()
            }
            for song in sorted(EXAMPLES.glob("*.ogg"))
        }


def test_the_shipped_models_judge_the_examples_as_they_did(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CCMUSIC_HOME", str(tmp_path))
    golden = json.loads(VERDICTS.read_text())
    now = _shipped_verdicts()
    assert now.keys() == golden.keys()
    for song, models in golden.items():
        assert now[song].keys() == models.keys()
        for name, probabilities in models.items():
            genres = list(probabilities)
            moved = [abs(now[song][name][g] - probabilities[g]) for g in genres]
            # Processors add in orders of their own.
            assert sum(moved) / 2 < 0.05, (song, name)
        before, after = (
            np.mean([list(p.values()) for p in each[song].values()], axis=0)
            for each in (golden, now)
        )
        assert before.argmax() == after.argmax(), song


if __name__ == "__main__":
    rounded = {
        song: {m: {g: round(p, 4) for g, p in shares.items()} for m, shares in models.items()}
        for song, models in _shipped_verdicts().items()
    }
    VERDICTS.write_text(json.dumps(rounded, indent=1) + "\n")


def test_a_model_that_is_not_there_cannot_be_selected(small_zoo: Path) -> None:
    with Panel.open("cqt") as panel:
        analysis, silence = panel.analyze(SONG), panel.analyze((np.zeros(220_500), 22_050))
    for result in (analysis, WholePiece.of([analysis])):
        assert list(result.select(["jazz"]).verdicts) == ["jazz_cqt"]
        with pytest.raises(CheckpointError, match="unknown model nonsense; known: jazz_cqt"):
            result.select(["jazz", "nonsense"])
    assert silence.select(["jazz"]) == silence  # nothing was asked
