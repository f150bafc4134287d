import numpy as np
import pytest

pytest.importorskip("plotly")

from ccmusic.attention import Attention
from ccmusic.audio import SAMPLE_RATE, Envelope
from ccmusic.axes import Orientation
from ccmusic.dashboard.signal_figures import attention_figure, spectrogram_figure, waveform_figure
from ccmusic.picture import Picture, Preprocessing
from ccmusic.spectrogram import Cqt, Mel, Spectrogram, TransformName
from ccmusic.texts import Language, translate


def tone(frequency: float) -> np.ndarray:
    seconds = np.arange(10 * SAMPLE_RATE) / SAMPLE_RATE
    return np.sin(2 * np.pi * frequency * seconds).astype(np.float32)


def test_sideways_has_pitch_along_x_and_time_downwards() -> None:
    figure = spectrogram_figure(Cqt()(tone(440)), "en", start=2.0, orientation="pitch_along_x")
    heatmap = figure.data[0]
    assert np.shape(heatmap.z) == (len(heatmap.y), len(heatmap.x)) == (431, 84)
    assert heatmap.y[0] == 2.0
    assert heatmap.y[-1] == pytest.approx(12.0, abs=0.03)
    assert figure.layout.yaxis.autorange == "reversed"
    loudest = int(np.argmax(heatmap.z[200]))
    assert heatmap.x[loudest] == "440.0 Hz · A4"
    assert heatmap.z[200][loudest] == pytest.approx(0, abs=0.2)


def test_cqt_ticks_are_the_cs() -> None:
    axis = spectrogram_figure(Cqt()(tone(440)), "en", orientation="pitch_along_x").layout.xaxis
    assert axis.tickvals == (0, 12, 24, 36, 48, 60, 72)
    assert [label.split("<br>")[0] for label in axis.ticktext] == [f"C{n}" for n in range(1, 8)]
    assert axis.ticktext[0] == "C1<br>33 Hz"


def test_mel_has_time_along_x_and_low_sounds_at_the_bottom() -> None:
    figure = spectrogram_figure(Mel()(tone(1000)), "zh")
    heatmap = figure.data[0]
    assert np.shape(heatmap.z) == (len(heatmap.y), len(heatmap.x)) == (128, 431)
    assert figure.layout.yaxis.autorange is None
    hertz = [float(name.split(" Hz")[0]) for name in heatmap.y]
    assert hertz == sorted(hertz)
    loudest = int(np.argmax(np.array(heatmap.z)[:, 200]))
    assert hertz[loudest] == pytest.approx(1000, rel=0.03)
    ticks = dict(zip(figure.layout.yaxis.ticktext, figure.layout.yaxis.tickvals, strict=True))
    assert ticks["1000"] == pytest.approx(np.interp(1000, hertz, range(128)), abs=0.02)
    assert "¢" in "".join(heatmap.y)


@pytest.mark.parametrize(("transform", "time", "pitch"), [(Cqt(), "y", "x"), (Mel(), "x", "y")])
def test_hover_tells_pitch_time_and_level(transform: Cqt | Mel, time: str, pitch: str) -> None:
    figure = spectrogram_figure(
        transform(tone(440)), "en", orientation="pitch_along_x" if time == "y" else "time_along_x"
    )
    template = figure.data[0].hovertemplate
    assert figure.layout.meta["time"] == time
    assert f"%{{{pitch}}}" in template
    assert f"%{{{time}:.2f}} s" in template
    assert "%{z:.1f} dB" in template


def test_a_waveform_is_as_wide_as_the_strip_below_it() -> None:
    envelope = Envelope.of(tone(440), SAMPLE_RATE, 0.0)
    layout = waveform_figure(envelope, "en").layout
    assert layout.xaxis.range == (0, pytest.approx(10))
    assert not layout.xaxis.automargin
    assert (layout.margin.l, layout.margin.r) == (0, 0)


def test_silence_can_be_drawn() -> None:
    silent: Spectrogram = Cqt()(np.zeros(10 * SAMPLE_RATE, np.float32))
    assert np.array(spectrogram_figure(silent, "en").data[0].z).max() == -120


def test_two_pictures_can_share_a_scale() -> None:
    figure = spectrogram_figure(Cqt()(tone(440)), "en", below=6.0)
    assert np.array(figure.data[0].z).max() == pytest.approx(-6)
    assert (figure.data[0].zmin, figure.data[0].zmax) == (-80, 0)


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize(("transform", "name"), [(Cqt(), "CQT"), (Mel(), "Mel")])
def test_both_axes_have_a_title_and_the_picture_a_name(
    transform: Cqt | Mel, name: str, language: Language
) -> None:
    spectrogram = transform(tone(440))
    axes = spectrogram_figure(spectrogram, language).layout
    (below,) = axes.annotations
    assert below.text == translate(language, "figure.time")
    assert axes.yaxis.title.text.startswith(name)
    preprocessing = Preprocessing.default("mel" if spectrogram.transform == "mel" else "cqt")
    coarse = np.ones((7, 7), np.float32)
    looked = Attention("jazz", coarse, Picture.from_spectrogram(spectrogram, preprocessing), 0.0)
    layout = attention_figure(looked, language, strongest=1.0, large=True).layout
    (below_map,) = layout.annotations
    assert {below_map.text, layout.yaxis.title.text} == {below.text, axes.yaxis.title.text}


@pytest.mark.parametrize("transform", ["cqt", "mel"])
def test_maps_lie_on_the_spectrogram_in_its_colours(transform: TransformName) -> None:
    preprocessing = Preprocessing.default(transform)
    coarse = np.zeros((7, 7), np.float32)
    coarse[6, 0] = 2  # high and early
    attention = Attention(
        "jazz",
        coarse,
        Picture.from_spectrogram(preprocessing.transform(tone(440)), preprocessing),
        5.0,
    )
    figure = attention_figure(attention, "en", strongest=4.0, orientation=preprocessing.orientation)
    below, above = figure.data
    assert (
        below.colorscale
        == spectrogram_figure(attention.picture.spectrogram, "en").data[0].colorscale
    )
    # Dimmed where nothing supports the genre; the frame encloses what does.
    assert [colour for _, colour in above.colorscale] == ["rgba(0, 0, 0, 0.75)", "rgba(0, 0, 0, 0)"]
    (frame,) = figure.layout.shapes
    region = attention.region
    assert region is not None
    sides = {"x": (frame.x0, frame.x1), "y": (frame.y0, frame.y1)}
    time_side, pitch_side = ("y", "x") if transform == "cqt" else ("x", "y")
    assert sides[time_side] == (region.start, region.end)
    bins = len(attention.picture.spectrogram.frequencies)
    assert sides[pitch_side] == pytest.approx((bins * 6 / 7 - 0.5, bins - 0.5), abs=0.6)
    assert np.shape(below.z) == np.shape(above.z) == (len(below.y), len(below.x))
    assert (above.zmin, above.zmax) == (0, 4)
    np.testing.assert_array_equal(above.z, below.customdata)
    row, column = np.unravel_index(np.argmax(above.z), np.shape(above.z))
    time, pitch = (row, column) if transform == "cqt" else (column, row)
    times, names = (below.y, below.x) if transform == "cqt" else (below.x, below.y)
    assert times[time] < 7
    assert times[0] == pytest.approx(5, abs=0.1)
    assert pitch > 0.8 * len(names)
    assert "%{customdata:.2f}" in below.hovertemplate


@pytest.mark.parametrize("transform", ["cqt", "mel"])
@pytest.mark.parametrize("orientation", ["time_along_x", "pitch_along_x"])
def test_maps_side_by_side_are_of_one_size_and_one_has_the_labels(
    transform: TransformName, orientation: Orientation
) -> None:
    preprocessing = Preprocessing.default(transform)
    coarse = np.ones((7, 7), np.float32)
    picture = Picture.from_spectrogram(preprocessing.transform(tone(440)), preprocessing)
    looked = Attention("jazz", coarse, picture, 0.0)
    first, second = (
        attention_figure(
            looked, "en", strongest=1.0, orientation=orientation, labelled=labelled
        ).layout
        for labelled in (True, False)
    )
    assert first.yaxis.showticklabels
    assert not second.yaxis.showticklabels
    for layout in (first, second):
        assert not layout.yaxis.automargin
        assert layout.margin == first.margin
        assert layout.height == first.height
