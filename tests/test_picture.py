"""Golden pictures pin every stage; ``python tests/test_picture.py`` draws them anew."""

import io
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image
from pydantic import ValidationError

from ccmusic.audio import AudioInfo, Clip
from ccmusic.picture import (
    Picture,
    Preprocessing,
    draw,
    draw_slices,
    normalise,
    orient,
    resize,
    scale,
)
from ccmusic.prepare import prepare
from ccmusic.spectrogram import Spectrogram

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
    return sound.astype(np.float32)


def _picture(transform: str) -> Picture:
    preprocessing = Preprocessing.default(transform)
    return draw(preprocessing.transform(_sound()), preprocessing)


@pytest.mark.parametrize("transform", ["cqt", "mel"])
def test_every_stage_is_as_pinned(transform: str) -> None:
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
    picture = draw(preprocessing.transform(np.zeros(220_500, np.float32)), preprocessing)
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


def test_orientation_is_the_recipes() -> None:
    values = np.arange(6, dtype=np.float32).reshape(2, 3)
    preprocessing = Preprocessing.default("cqt")
    np.testing.assert_array_equal(orient(values, preprocessing), values.T)
    turned = preprocessing.model_copy(update={"orientation": "time_along_x"})
    np.testing.assert_array_equal(orient(values, turned), [[3, 4, 5], [0, 1, 2]])


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
def test_ccmusic_slices_look_like_the_originals(transform: str) -> None:
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
    drawn = draw_slices(preprocessing.transform(sound), preprocessing)
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
    spectrogram = Spectrogram("mel", power, np.arange(256) / 43, np.array([440.0]))
    pixels = draw(spectrogram, preprocessing).pixels[0].astype(int)
    expected = mpl.colormaps["magma"](np.arange(256))[:, :3] * 255
    assert np.abs(pixels - expected).max() <= 2


def _transforms() -> st.SearchStrategy[dict[str, object]]:
    """Of all sizes, the impossible ones included."""
    whole = st.integers(-1, 3_000) | st.sampled_from([2**k for k in range(40)])
    common = {"sample_rate": st.sampled_from([1, 4_000, 11_025, 16_000, 22_050, 44_100, 10**9])}
    optional = {
        "cqt": {"n_bins": whole, "bins_per_octave": whole, "fmin": st.floats()},
        "mel": {"n_fft": whole, "n_mels": whole},
        "chroma": {"n_fft": whole},
    }
    return st.one_of(
        st.fixed_dictionaries(
            {"name": st.just(name)}, optional={"hop_length": whole, **common, **options}
        )
        for name, options in optional.items()
    )


_NUMBERS = st.floats() | st.floats(0, 2)
_PREPROCESSINGS = st.fixed_dictionaries(
    {
        "transform": _transforms(),
        "orientation": st.sampled_from(["pitch_along_x", "time_along_x"]),
    },
    optional={
        "levels": st.sampled_from(["logarithm", "decibels"]),
        "log_floor": _NUMBERS,
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
    clip = Clip("noise", samples, samples, info, ())
    (pictures,) = prepare(clip, [preprocessing]).pictures.values()
    size = preprocessing.size
    for picture in pictures:
        assert picture.input.shape == (preprocessing.channels, size, size)
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
