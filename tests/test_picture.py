"""Golden pictures pin every stage; ``python tests/test_picture.py`` draws them anew."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import librosa
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image
from pydantic import ValidationError

from ccmusic import frames
from ccmusic.audio import AudioInfo, Clip
from ccmusic.axes import Orientation, orient
from ccmusic.card import ModelCard
from ccmusic.errors import ParameterError
from ccmusic.picture import Picture, Preprocessing, normalise, resize, scale
from ccmusic.prepare import prepare
from ccmusic.spectrogram import Mel, Spectrogram, TransformName
from ccmusic.zoo import SHIPPED
from sounds import noise

GOLDEN = Path(__file__).parent / "golden"
EXAMPLES = Path(__file__).parent.parent / "examples"


def _sound() -> np.ndarray:
    """A rising sweep over a held A3, with clicks: no two corners of its picture look alike.

    Noise below: in cells where all else cancels, every processor would have roundings of its own.
    """
    t = np.arange(220_500) / 22_050
    sweep = np.sin(2 * np.pi * 40 * 10 / np.log(50) * (50 ** (t / 10) - 1))
    sound = 0.3 * sweep + 0.1 * np.sin(2 * np.pi * 220 * t)
    sound += 1e-3 * np.random.default_rng(0).uniform(-1, 1, len(sound))
    sound[::44_100] = 1
    return np.asarray(sound, np.float32)


def _picture(transform: TransformName) -> Picture:
    preprocessing = Preprocessing.default(transform)
    return Picture.from_spectrogram(preprocessing.transform(_sound()), preprocessing)


@pytest.mark.parametrize(
    "preprocessing",
    [
        Preprocessing.default("cqt"),
        Preprocessing.ccmusic("mel"),
        Preprocessing(transform=Mel(), orientation="time_along_x", scaling="none", channels=1),
    ],
    ids=["grey", "magma", "levels"],
)
def test_a_picture_that_is_sent_has_the_same_input_and_does_not_carry_it(
    preprocessing: Preprocessing,
) -> None:
    picture = Picture.from_spectrogram(preprocessing.transform(noise(12, 22_050)), preprocessing)
    sent = io.BytesIO()
    frames.write(sent, picture)
    assert sent.tell() < 1.1 * sum(
        part.nbytes
        for part in (
            picture.spectrogram.values, picture.spectrogram.times,
            picture.logarithm, picture.scaled, picture.pixels,
        )
    )  # fmt: skip
    sent.seek(0)
    assert np.array_equal(frames.read(sent).input, picture.input)


@pytest.mark.parametrize("transform", ["cqt", "mel"])
def test_every_stage_is_as_pinned(transform: TransformName) -> None:
    picture = _picture(transform)
    with np.load(GOLDEN / f"{transform}.npz") as golden:
        # Sampled: the stage is smooth, and the repository stays small.
        np.testing.assert_allclose(
            picture.logarithm[::4, ::8], golden["logarithm"], atol=2e-2, rtol=0
        )
        channel = golden["channel"]
    for stage in ("scaled", "pixels"):
        pinned = np.asarray(Image.open(GOLDEN / f"{transform}-{stage}.png"))
        drawn = getattr(picture, stage)
        assert drawn.dtype == np.uint8
        assert drawn.shape == pinned.shape
        assert np.abs(drawn.astype(int) - pinned).max() <= 1
    assert picture.input.dtype == np.float32
    assert picture.input.shape == (3, 224, 224)
    np.testing.assert_allclose(picture.input[0, ::8, ::8], channel, atol=0.02)
    np.testing.assert_array_equal(picture.input[0], picture.input[2])


def test_cqt_lays_pitch_along_x_and_mel_time_along_x() -> None:
    cqt = _picture("cqt")
    assert cqt.scaled.shape == (431, 84)
    # The held A3 is a vertical stripe.
    assert cqt.scaled[100:400, 33].mean() > cqt.scaled[100:400, 28].mean() + 20
    # The sweep rises: later is lower in the picture and further right.
    assert cqt.scaled[40].argmax() < cqt.scaled[380, 40:].argmax() + 40
    mel = _picture("mel")
    assert mel.scaled.shape == (128, 431)
    # Low frequencies at the bottom: the sweep starts there and ends above.
    assert mel.scaled[:, 20].argmax() > mel.scaled[:, 400].argmax()


@given(
    hnp.arrays(
        np.float32,
        hnp.array_shapes(min_dims=2, max_dims=2, max_side=20),
        elements=st.floats(-50, 50, width=32),
    )
)
def test_scaling_spans_the_whole_range_or_is_black(values: np.ndarray) -> None:
    scaled = scale(values)
    if values.max() > values.min():
        assert (scaled.min(), scaled.max()) == (0, 255)
        assert scaled.ravel()[values.argmax()] == 255
    else:
        assert not scaled.any()


def test_silence_is_a_black_picture() -> None:
    preprocessing = Preprocessing.default("cqt")
    picture = Picture.from_spectrogram(
        preprocessing.transform(np.zeros(220_500, np.float32)), preprocessing
    )
    assert not picture.pixels.any()
    assert np.isfinite(picture.input).all()


def test_resizing_is_antialiased() -> None:
    stripes = np.zeros((448, 448), np.uint8)
    stripes[::2] = 255
    assert np.abs(resize(stripes, 224, 224)[2:-2].astype(int) - 127).max() <= 2


def test_integers_become_floats_before_the_network_sees_them() -> None:
    preprocessing = Preprocessing(
        transform=Preprocessing.default("cqt").transform,
        orientation="time_along_x",
        mean=0.25,
        std=0.5,
        channels=1,
    )
    values = normalise(np.array([[0, 255]], np.uint8), preprocessing)
    np.testing.assert_allclose(values, [[[-0.5, 1.5]]])
    assert values.dtype == np.float32


def test_orientation_is_its_own_inverse() -> None:
    values = np.arange(6, dtype=np.float32).reshape(2, 3)
    np.testing.assert_array_equal(orient(values, "pitch_along_x"), values.T)
    np.testing.assert_array_equal(orient(values, "time_along_x"), [[3, 4, 5], [0, 1, 2]])
    for orientation in ("pitch_along_x", "time_along_x"):
        there = orient(values, orientation)
        np.testing.assert_array_equal(orient(there, orientation), values)


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for name in ("cqt", "mel"):
        drawn = _picture(name)
        np.savez_compressed(
            GOLDEN / f"{name}.npz",
            logarithm=drawn.logarithm[::4, ::8],
            channel=drawn.input[0, ::8, ::8],
        )
        Image.fromarray(drawn.scaled).save(GOLDEN / f"{name}-scaled.png", optimize=True)
        Image.fromarray(drawn.pixels).save(GOLDEN / f"{name}-pixels.png", optimize=True)


@pytest.mark.parametrize("transform", ["cqt", "mel", "chroma"])
def test_ccmusic_slices_look_like_the_originals(transform: TransformName) -> None:
    """Against librosa and matplotlib, drawn the way the original evaluation code draws."""
    pytest.importorskip("librosa")
    import matplotlib as mpl

    mpl.use("agg")
    import librosa.display
    import matplotlib.pyplot as plt

    rate, width = 22_050, 11.4
    with av.open(str(EXAMPLES / "vibe_ace.ogg")) as container:
        resampler = av.AudioResampler(format="flt", layout="mono", rate=rate)
        frames = [f for frame in container.decode(audio=0) for f in resampler.resample(frame)]
    once = np.concatenate([frame.to_ndarray().ravel() for frame in frames])
    sound = np.concatenate([once, 0.1 * once, 0.5 * once]).astype(np.float32)
    if transform == "cqt":
        power = np.abs(librosa.cqt(sound, sr=rate)) ** 2
    elif transform == "mel":
        power = librosa.feature.melspectrogram(y=sound, sr=rate)
    else:
        power = np.abs(librosa.feature.chroma_stft(y=sound, sr=rate)) ** 2
    levels = librosa.power_to_db(power, ref=np.max)
    step = int(width * levels.shape[1] / librosa.get_duration(y=sound, sr=rate))
    count = levels.shape[1] // step
    begin = (levels.shape[1] - count * step) // 2

    preprocessing = Preprocessing.ccmusic(transform)
    drawn = Picture.slices(preprocessing.transform(sound), preprocessing)
    assert len(drawn) == count == 3
    for number, picture in enumerate(drawn):
        start = begin + number * step
        figure = plt.figure()
        librosa.display.specshow(levels[:, start : start + step])
        plt.axis("off")
        content = io.BytesIO()
        figure.savefig(content, bbox_inches="tight", pad_inches=0.0)
        plt.close(figure)
        original = Image.open(content).convert("RGB")
        expected = np.asarray(original.resize((224, 224), Image.Resampling.BILINEAR), float)
        assert picture.pixels.shape == (224, 224, 3)
        difference = np.abs(picture.pixels - expected).mean()
        assert difference < 2, difference


def test_magma_is_matplotlibs() -> None:
    import matplotlib as mpl

    ramp = np.arange(256, dtype=np.float32)[None]
    preprocessing = Preprocessing.ccmusic("mel").model_copy(update={"size": 256})
    power = (10 ** (ramp / 255 * 7)).astype(np.float32)  # 70 dB from left to right
    spectrogram = Spectrogram("mel", power, np.arange(256) / 43, np.array([440.0]), power=2)
    pixels = Picture.from_spectrogram(spectrogram, preprocessing).pixels[0].astype(int)
    expected = mpl.colormaps["magma"](np.arange(256))[:, :3] * 255
    assert np.abs(pixels - expected).max() <= 2


_NUMBERS = st.floats() | st.floats(0, 2)


def _transforms() -> st.SearchStrategy[dict[str, object]]:
    """Of all sizes, the impossible ones included."""
    whole = st.integers(-1, 3_000) | st.sampled_from([2**k for k in range(40)])
    common = {"sample_rate": st.sampled_from([1, 4_000, 11_025, 16_000, 22_050, 44_100, 10**9])}
    windows = {
        "window": st.sampled_from(["hann", "hamming", "blackman", "boxcar"]),
        "pad_mode": st.sampled_from(["constant", "reflect"]),
    }
    optional = {
        "cqt": {
            "n_bins": whole,
            "bins_per_octave": whole,
            "fmin": st.floats(),
            "filter_scale": _NUMBERS,
            **windows,
        },
        "mel": {
            "n_fft": whole,
            "n_mels": whole,
            "fmin": st.floats() | st.floats(0, 8000),
            "fmax": st.floats() | st.floats(0, 8000),
            "htk": st.booleans(),
            "norm": st.sampled_from(["slaney", None]),
            "win_length": whole,
            "center": st.booleans(),
            "power": _NUMBERS,
            **windows,
        },
        "chroma": {"n_fft": whole},
    }
    return st.one_of(
        *(
            st.fixed_dictionaries(
                {"name": st.just(name)}, optional={"hop_length": whole, **common, **options}
            )
            for name, options in optional.items()
        )
    )


_PREPROCESSINGS = st.fixed_dictionaries(
    {
        "transform": _transforms(),
        "orientation": st.sampled_from(["pitch_along_x", "time_along_x"]),
    },
    optional={
        "levels": st.sampled_from(["logarithm", "decibels"]),
        "log_floor": _NUMBERS,
        "reference": _NUMBERS,
        "top_db": st.none() | st.floats(-1, 120),
        "scaling": st.sampled_from(["minmax", "none"]),
        "resizing": st.sampled_from(["bilinear", "none"]),
        "colours": st.sampled_from(["grey", "magma"]),
        "canvas": st.tuples(st.integers(-1, 600), st.integers(-1, 600)),
        "slice_seconds": st.floats() | st.floats(1, 20),
        "size": st.integers(-1, 300),
        "channels": st.integers(0, 4),
        "mean": _NUMBERS | st.tuples(*[_NUMBERS] * 3),
        "std": _NUMBERS | st.tuples(*[_NUMBERS] * 3),
    },
)


@settings(max_examples=300, deadline=None)
@given(_PREPROCESSINGS, st.sampled_from([0.1, 1.0, 3.0]), st.booleans())
def test_every_preprocessing_that_validates_can_be_drawn(
    content: dict[str, object], seconds: float, silent: bool
) -> None:
    try:
        preprocessing = Preprocessing.model_validate(content)
    except ValidationError:
        return
    assert Preprocessing.model_validate_json(preprocessing.model_dump_json()) == preprocessing
    samples = np.zeros(round(22_050 * seconds), np.float32)
    if not silent:
        samples += np.random.default_rng(0).normal(0, 0.1, len(samples)).astype(np.float32)
    info = AudioInfo("pcm", None, 22_050, 1, seconds, 0.0, seconds, False)
    clip = Clip("noise", samples, samples, info, 10.0, ())
    (pictures,) = prepare(clip, [preprocessing]).pictures.values()
    assert preprocessing.resizing == "none" or preprocessing.shape[1:] == (preprocessing.size,) * 2
    for picture in pictures:
        # Of unlooped sound there are as many frames as there are.
        if preprocessing.resizing == "bilinear" or preprocessing.slice_seconds:
            assert picture.input.shape == preprocessing.shape
        assert len(picture.input) == preprocessing.channels
        assert picture.pixels.shape[:2] == picture.input.shape[1:]
        assert picture.input.dtype == np.float32
        assert np.isfinite(picture.input).all()


def test_each_channel_has_a_mean_and_std_of_its_own() -> None:
    text = Preprocessing.default("mel").model_dump_json()
    assert '"mean":0.5,"std":0.25' in text
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    imagenet = Preprocessing.model_validate_json(
        text.replace('"mean":0.5,"std":0.25', f'"mean":{list(mean)},"std":{list(std)}')
    )
    pixels = np.random.default_rng(0).integers(0, 256, (224, 224, 3), dtype=np.uint8)
    for drawn in (pixels, pixels[..., 0]):
        channels = normalise(drawn, imagenet)
        for c in range(3):
            plain = drawn[..., c] if drawn.ndim == 3 else drawn
            expected = (plain / 255 - mean[c]) / std[c]
            np.testing.assert_allclose(channels[c], expected, atol=1e-5)
    with pytest.raises(ValidationError, match="three channels"):
        Preprocessing.model_validate({**imagenet.model_dump(), "channels": 1})


def _magnitudes(power: float) -> Spectrogram:
    """Magnitudes 1, 0.1, 1e-3 and 1e-9, as they are or squared."""
    values = np.array([[1, 0.1], [1e-3, 1e-9]]) ** power
    return Spectrogram("mel", values.astype(np.float32), np.arange(2.0), np.ones(2), power)


@pytest.mark.parametrize("power", [1, 2])
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [[0, -20], [-60, -80]]),
        ({"top_db": None}, [[0, -20], [-60, -100]]),
        ({"top_db": 50}, [[0, -20], [-50, -50]]),
        ({"reference": 0.1}, [[20, 0], [-40, -60]]),
        ({"reference": 0.1, "top_db": None}, [[20, 0], [-40, -80]]),
    ],
    ids=str,
)
def test_decibels_have_a_reference_and_a_limit(
    power: int, options: dict[str, float | None], expected: list[list[float]]
) -> None:
    """As librosa's ``power_to_db`` and ``amplitude_to_db`` have."""
    if given := options.get("reference"):
        options = {**options, "reference": given**power}
    preprocessing = Preprocessing(
        transform=Mel(), orientation="time_along_x", levels="decibels", **options
    )
    spectrogram = _magnitudes(power)
    levels = Picture.from_spectrogram(spectrogram, preprocessing).logarithm
    np.testing.assert_allclose(levels, expected, atol=1e-4)
    to_db = {1: librosa.amplitude_to_db, 2: librosa.power_to_db}[power]
    reference: Any = preprocessing.reference or np.max
    theirs = to_db(spectrogram.values, ref=reference, top_db=preprocessing.top_db)
    np.testing.assert_allclose(levels, theirs, atol=1e-4)


def test_levels_themselves_may_be_the_input() -> None:
    preprocessing = Preprocessing(
        transform=Mel(),
        orientation="time_along_x",
        scaling="none",
        resizing="none",
        channels=1,
        mean=-5,
        std=3,
    )
    picture = Picture.from_spectrogram(preprocessing.transform(_sound()), preprocessing)
    assert picture.input.shape == preprocessing.shape == (1, 128, 431)
    np.testing.assert_allclose(picture.input[0, ::-1], (picture.logarithm + 5) / 3, atol=1e-5)
    assert picture.pixels.dtype == np.uint8
    resized = preprocessing.model_copy(update={"resizing": "bilinear", "size": 64})
    small = Picture.from_spectrogram(picture.spectrogram, resized).input
    assert small.shape == resized.shape == (1, 64, 64)
    assert small.mean() == pytest.approx(picture.input.mean(), abs=0.02)


@pytest.mark.parametrize("orientation", ["pitch_along_x", "time_along_x"])
def test_the_shape_is_that_of_every_slice(orientation: Orientation) -> None:
    preprocessing = Preprocessing(
        transform=Mel(n_mels=64), orientation=orientation, resizing="none", slice_seconds=3
    )
    spectrogram = preprocessing.transform(_sound())
    pictures = Picture.slices(spectrogram, preprocessing)
    assert len(pictures) == 3
    assert {picture.input.shape for picture in pictures} == {preprocessing.shape}


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"reference": 1}, 'reference has no effect with levels="logarithm"'),
        ({"levels": "decibels", "reference": 1e300}, "reference cannot be 1e+300"),
        ({"top_db": None}, 'top_db has no effect with levels="logarithm"'),
        ({"scaling": "none", "colours": "magma"}, 'colours has no effect with scaling="none"'),
        ({"scaling": "none", "canvas": (9, 9)}, 'canvas has no effect with scaling="none"'),
        ({"resizing": "none", "canvas": (9, 9)}, 'canvas has no effect with resizing="none"'),
        ({"resizing": "none", "size": 96}, 'size has no effect with resizing="none"'),
        ({"orientation": "upright"}, "cannot be 'upright'; it must be 'pitch_along_x' | 'time"),
        ({"transform": "mel"}, "transform cannot be 'mel'; it must be Cqt | Mel | Chroma"),
        ({"transform": {"name": "mel", "fmin": -1}}, "Mel: fmin cannot be -1"),
        (
            {"transform": {"name": "mel", "self": 1}},
            "Mel has no parameter self; it has",
        ),
        ({"transform": {"name": ["mel"]}}, "transform cannot be {'name': ['mel']}"),
        ({"a" * 10**6: 1}, "Preprocessing has no parameter aaaa"),
        ({"recipe": 1}, "Preprocessing has no parameter recipe; it has transform, orientation"),
    ],
    ids=str,
)
def test_a_parameter_is_honoured_or_refused(options: dict[str, Any], told: str) -> None:
    with pytest.raises(ParameterError) as caught:
        Preprocessing(**{"transform": Mel(), "orientation": "time_along_x", **options})
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("preset", [Preprocessing.default, Preprocessing.ccmusic])
def test_an_unknown_transform_is_refused_with_the_choices(
    preset: Callable[[str], Preprocessing],
) -> None:
    with pytest.raises(ParameterError, match=r"'CQT'; it must be 'cqt' \| 'mel' \| 'chroma'$"):
        preset("CQT")


def test_what_is_written_of_a_preprocessing_is_what_cards_have() -> None:
    for preprocessing in (Preprocessing.default("mel"), Preprocessing.ccmusic("cqt")):
        written = set(preprocessing.model_dump())
        assert not {"reference", "top_db", "resizing"} & written
    shipped = ModelCard.read(SHIPPED / "mobilenet_v3_large_mel.json")
    assert shipped.preprocessing == Preprocessing.default("mel")
    file = json.loads((SHIPPED / "mobilenet_v3_large_mel.json").read_text())
    assert json.loads(shipped.to_json())["preprocessing"] == file["preprocessing"]
