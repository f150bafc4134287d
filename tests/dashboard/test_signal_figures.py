from html import unescape
from typing import Any

import numpy as np
import pytest

pytest.importorskip("streamlit")

from streamlit.testing.v1 import AppTest

from ccmusic.attention import Attention
from ccmusic.audio import SAMPLE_RATE, Envelope
from ccmusic.dashboard.signal_figures import attention_figure, spectrogram_figure, waveform_figure
from ccmusic.picture import Picture, Preprocessing
from ccmusic.spectrogram import Cqt, Mel, Spectrogram, TransformName
from ccmusic.texts import Language, translate
from page_figures import figures, levels, weights


def tone(frequency: float) -> np.ndarray:
    seconds = np.arange(10 * SAMPLE_RATE) / SAMPLE_RATE
    return np.sin(2 * np.pi * frequency * seconds).astype(np.float32)


def ends(axis: dict[str, Any]) -> tuple[float, float]:
    return axis["from"], axis["to"]


@pytest.mark.parametrize("turned", [False, True, None])
def test_a_cqt_is_told_alike_however_it_is_turned(turned: bool | None) -> None:
    figure = spectrogram_figure(Cqt()(tone(440)), "en", start=2.0, turned=turned)
    assert figure["turned"] is turned
    cells = levels(figure)
    assert cells.shape == (84, 431)
    assert ends(figure["y"]) == (83.5, -0.5)
    # A cell is as long as a hop, and its moment in the middle.
    hop = 512 / SAMPLE_RATE
    assert ends(figure["x"]) == pytest.approx((2 - hop / 2, 2 + 430.5 * hop))
    loudest = int(np.argmax(cells[:, 200]))
    assert figure["y"]["names"][83 - loudest] == "440.0 Hz · A4"
    assert cells[loudest, 200] == pytest.approx(0, abs=0.3)


def test_levels_are_told_to_half_a_decibel() -> None:
    spectrogram = Cqt()(tone(440))
    drawn = levels(spectrogram_figure(spectrogram, "en"))[::-1]
    np.testing.assert_allclose(drawn, spectrogram.decibels(), atol=0.26)


def test_cqt_ticks_are_the_cs() -> None:
    axis = spectrogram_figure(Cqt()(tone(440)), "en")["y"]
    places, labels = zip(*axis["ticks"], strict=True)
    assert places == (0, 12, 24, 36, 48, 60, 72)
    assert [label.split("\n")[0] for label in labels] == [f"C{n}" for n in range(1, 8)]
    assert labels[0] == "C1\n33 Hz"


def test_mel_has_time_along_x_and_low_sounds_at_the_bottom() -> None:
    figure = spectrogram_figure(Mel()(tone(1000)), "zh")
    cells, axis = levels(figure), figure["y"]
    assert cells.shape == (128, 431)
    assert ends(axis) == (127.5, -0.5)
    hertz = [float(name.split(" Hz")[0]) for name in axis["names"]]
    assert hertz == sorted(hertz)
    loudest = 127 - int(np.argmax(cells[:, 200]))
    assert hertz[loudest] == pytest.approx(1000, rel=0.03)
    ticks = {label: place for place, label in axis["ticks"]}
    assert ticks["1000"] == pytest.approx(np.interp(1000, hertz, range(128)), abs=0.02)
    assert "¢" in "".join(axis["names"])


@pytest.mark.parametrize("transform", [Cqt(), Mel()])
def test_a_picture_says_along_which_axis_time_runs(transform: Cqt | Mel) -> None:
    figure = spectrogram_figure(transform(tone(440)), "en", start=3.0)
    assert (figure["time"], figure["start"], figure["seek"]) == ("x", 3.0, True)
    assert "names" not in figure["x"]


def test_a_waveform_is_as_wide_as_the_strip_below_it() -> None:
    figure = waveform_figure(Envelope.of(tone(440), SAMPLE_RATE, 0.0), "en")
    assert ends(figure["x"]) == pytest.approx((0, 10))
    left, _, right, _ = figure["margins"]
    assert (left, right) == (0, 0)


def test_silence_can_be_drawn() -> None:
    silent: Spectrogram = Cqt()(np.zeros(10 * SAMPLE_RATE, np.float32))
    assert levels(spectrogram_figure(silent, "en")).max() == -120


@pytest.mark.parametrize("below", [6.0, -6.0])
def test_two_pictures_can_share_a_scale(below: float) -> None:
    figure = spectrogram_figure(Cqt()(tone(440)), "en", below=below)
    assert levels(figure).max() == pytest.approx(-below)
    assert figure["range"] == 80


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize(("transform", "name"), [(Cqt(), "CQT"), (Mel(), "Mel")])
def test_both_axes_have_a_title_and_the_picture_a_name(
    transform: Cqt | Mel, name: str, language: Language
) -> None:
    spectrogram = transform(tone(440))
    figure = spectrogram_figure(spectrogram, language)
    assert figure["x"]["title"] == translate(language, "figure.time")
    assert figure["y"]["title"].startswith(name)
    preprocessing = Preprocessing.default("mel" if spectrogram.transform == "mel" else "cqt")
    coarse = np.ones((7, 7), np.float32)
    looked = Attention("jazz", coarse, Picture.from_spectrogram(spectrogram, preprocessing), 0.0)
    large = attention_figure(looked, language, strongest=1.0, large=True)
    assert [large[axis]["title"] for axis in "xy"] == [figure[axis]["title"] for axis in "xy"]


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
    figure = attention_figure(attention, "en", strongest=4.0)
    assert figure["turned"] is (None if transform == "cqt" else False)
    whole = spectrogram_figure(attention.picture.spectrogram, "en", start=5.0)
    assert figure["range"] == whole["range"]
    # The frame encloses what supports the genre.
    region = attention.region
    assert region is not None
    assert figure["frame"]["time"] == (region.start, region.end)
    bins = len(attention.picture.spectrogram.frequencies)
    assert figure["frame"]["pitch"] == pytest.approx((bins * 6 / 7 - 0.5, bins - 0.5), abs=0.6)
    drawn = weights(figure)
    assert drawn.shape == levels(figure).shape
    assert figure["strongest"] == [2, 4]  # its own, and that of all maps
    row, column = np.unravel_index(np.argmax(drawn), drawn.shape)
    assert column < 7
    assert drawn.shape[0] - 1 - row > 0.8 * bins  # rows from the top, high sounds first
    assert drawn.max() == pytest.approx(attention.values.max(), abs=0.02)
    # A cell is several frames, and lies where they do.
    frames = len(attention.picture.spectrogram.times)
    step = frames // drawn.shape[1]
    values = attention.values[::-1, step // 2 :: step][:, : drawn.shape[1]]
    assert drawn == pytest.approx(values, abs=0.02)
    (begin, end), (first, last) = ends(figure["x"]), ends(whole["x"])
    assert begin == pytest.approx(first)
    assert end == pytest.approx(last, abs=(step + 1) * (last - first) / frames)


@pytest.mark.parametrize("transform", ["cqt", "mel"])
def test_maps_side_by_side_are_of_one_size_and_one_has_the_labels(
    transform: TransformName,
) -> None:
    preprocessing = Preprocessing.default(transform)
    coarse = np.ones((7, 7), np.float32)
    picture = Picture.from_spectrogram(preprocessing.transform(tone(440)), preprocessing)
    looked = Attention("jazz", coarse, picture, 0.0)
    first, second = (
        attention_figure(looked, "en", strongest=1.0, labelled=labelled)
        for labelled in (True, False)
    )
    assert not first["y"]["hidden"]
    assert second["y"]["hidden"]
    assert first["margins"] == second["margins"]
    assert first["height"] == second["height"]


def test_no_name_breaks_out_of_a_figure() -> None:
    """Streamlit drops an attribute in which a tag or a comment might end."""

    def script() -> None:
        from ccmusic.dashboard.signal_figures import show_figure
        from ccmusic.dashboard.verdict_figures import slider_figure

        figure = slider_figure(["]>--></style>&quot;"], [{"jazz": 1.0}], 0, "", "en")
        show_figure(figure, "en", "plot", key="curve", alt='"><img src=x>')

    app = AppTest.from_function(script).run(timeout=60)
    assert not app.exception
    assert figures(app)["curve"]["x"]["ticks"] == [[0, "]>--></style>&quot;"]]
    (body,) = [element.proto.body for element in app.get("html")]
    assert body.count("<") == body.count(">") == 2
    assert "<" not in unescape(body.partition("data-figure=")[2].removesuffix("></div>"))
