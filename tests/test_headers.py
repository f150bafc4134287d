"""Headers that lie, that FFmpeg misreads, or that stand where it does not look."""

from __future__ import annotations

import io
import random
import struct
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from ccmusic import audio, decode
from ccmusic.errors import AudioError, CCMusicError
from sounds import tone

SOUNDS = Path(__file__).parent / "sounds"


def codes(clip):
    return [warning.code for warning in clip.warnings]


def pitch(clip):
    spectrum = np.abs(np.fft.rfft(clip.samples * np.hanning(len(clip.samples))))
    return np.argmax(spectrum) * audio.SAMPLE_RATE / len(clip.samples)


def load(content, **options):
    return audio.load(bytes(content), **options)


# --- lengths that are false ----------------------------------------------------------------------


def middle(seconds=30, rate=44_100):
    """A tone of 300 Hz, of 600 Hz in the central ten seconds, and of 900 Hz; silence at first."""
    third = (seconds - 10) / 2
    parts = [tone(300, third, rate), tone(600, 10, rate), tone(900, third, rate)]
    samples = np.concatenate(parts)
    samples[: round(third * rate) - rate] = 0
    return samples


@pytest.fixture(scope="module")
def mp3s(write_sound):
    bare = {"id3v2_version": "0"}
    variable = {"flags": "+qscale", "global_quality": "0"}
    return {
        "constant": write_sound("a.mp3", middle(), bit_rate=128_000, **bare).read_bytes(),
        "variable": write_sound("a.mp3", middle(), encoder_options=variable, **bare).read_bytes(),
    }


@pytest.mark.parametrize("kind", ["constant", "variable"])
@pytest.mark.parametrize("change", [lambda n: 3 * n, lambda n: n // 2, lambda n: n // 10,
                                    lambda n: 2**32 - 1, lambda n: 0, lambda n: n])  # fmt: skip
def test_a_false_number_of_frames(mp3s, kind, change):
    data = bytearray(mp3s[kind])
    mark = max(data.find(b"Xing"), data.find(b"Info"))
    (frames,) = struct.unpack_from(">I", data, mark + 8)
    struct.pack_into(">I", data, mark + 8, change(frames))
    clip = load(data)
    assert clip.info.duration == pytest.approx(30, abs=0.1)
    assert clip.info.window_start == pytest.approx(10, abs=0.1)
    assert pitch(clip) == pytest.approx(600, abs=1)
    assert clip.info.bit_rate == pytest.approx(8 * len(data) / 30, rel=0.05)
    assert not {"truncated", "damaged", "silence"} & set(codes(clip))
    assert audio.Recording(bytes(data)).duration == pytest.approx(30, abs=0.1)


@pytest.mark.parametrize("change", [lambda n: 3 * n, lambda n: n // 2, lambda n: 0, lambda n: n])
def test_a_false_number_of_frames_in_the_other_header(mp3s, change):
    data = with_vbri(mp3s["constant"], change)
    clip = load(data)
    assert clip.info.duration == pytest.approx(30, abs=0.1)
    assert pitch(clip) == pytest.approx(600, abs=1)
    assert not {"truncated", "damaged", "silence"} & set(codes(clip))


def with_vbri(mp3, change):
    """An MP3 with Fraunhofer's header instead of Xing's."""
    data = bytearray(mp3)
    mark = max(data.find(b"Xing"), data.find(b"Info"))
    (frames,) = struct.unpack_from(">I", data, mark + 8)
    data[4:200] = bytes(196)
    struct.pack_into(
        ">4s3H2I4H", data, 36, b"VBRI", 1, 0, 75, len(data), change(frames), 0, 1, 1, 1
    )
    return data


@pytest.mark.parametrize("form", [bytearray, lambda mp3: with_vbri(mp3, lambda n: n)])
def test_a_missing_end_is_told_from_a_false_number(mp3s, form):
    data = form(mp3s["variable"])
    assert codes(load(data[: len(data) // 2])).count("truncated") == 1


@pytest.mark.parametrize("xing", ["0", "1"])
def test_an_mp3_is_entered_at_the_right_frame(write_sound, noise, xing):
    """Reading begins near the window, not at the beginning of the file."""
    sound = noise(70, amplitude=0.2, below=8_000)
    content = write_sound("a.mp3", sound, bit_rate=192_000, write_xing=xing).read_bytes()
    recording = audio.Recording(content)
    whole = recording.load(crop="start", seconds=1_000, loop=False).original
    for start in (0.0, 3.0, 20.0, 55.5):
        clip = recording.load(crop=start)
        first = round(start * 44_100)
        expected = whole[first : first + len(clip.original)]
        np.testing.assert_allclose(clip.original, expected, atol=1e-4)


@pytest.mark.parametrize(
    "change", [lambda n: n // 2, lambda n: n // 10, lambda n: 3 * n, lambda n: 0]
)
def test_a_false_number_of_samples_in_a_flac(write_sound, change):
    data = bytearray(write_sound("a.flac", middle()).read_bytes())
    total = int.from_bytes(data[21:26], "big")
    number = total & 0xF_FFFF_FFFF
    data[21:26] = (total - number + change(number)).to_bytes(5, "big")
    clip = load(data)
    assert clip.info.duration == pytest.approx(30, abs=0.1)
    assert pitch(clip) == pytest.approx(600, abs=1)


def test_a_centre_behind_the_end_is_told(write_sound, monkeypatch):
    """Should a length be false all the same, the middle of what is there is taken, with a word."""
    content = write_sound("a.wav", middle()).read_bytes()
    recording = audio.Recording(content)
    object.__setattr__(recording._header, "duration", 500.0)
    clip = recording.load()
    assert "damaged" in codes(clip)
    assert pitch(clip) == pytest.approx(600, abs=1)
    assert clip.info.window_start == pytest.approx(10, abs=0.1)


def test_an_avi_with_a_false_clock(write_sound):
    """Its times are packets by a scale in its header; PCM tells better how long it is."""
    data = bytearray(write_sound("a.avi", middle()).read_bytes())
    scale = data.find(b"auds") + 20
    struct.pack_into("<2I", data, scale, 171_662_377, 321)
    clip = load(data)
    assert clip.info.duration == pytest.approx(30, abs=0.1)
    assert clip.info.bit_rate == pytest.approx(705_600, rel=0.01)
    assert pitch(clip) == pytest.approx(600, abs=1)


@pytest.mark.parametrize(("place", "value"), [(20, 0xFFF_FFFF), (24, 0xFFF_FFFF), (28, 0xFFF_FFFF)])
def test_an_avi_of_mp3_with_a_false_clock(write_sound, place, value):
    """Scale, rate or beginning of its times; frames are counted."""
    data = bytearray(write_sound("a.avi", middle(), encoder="libmp3lame").read_bytes())
    struct.pack_into("<I", data, data.find(b"auds") + place, value)
    clip = load(data)
    assert clip.info.duration == pytest.approx(30, abs=0.1)
    assert clip.info.window_start == pytest.approx(10, abs=0.1)
    assert pitch(clip) == pytest.approx(600, abs=1)


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.avi", "a.caf", "a.aiff"])
def test_facts_are_possible(write_sound, name):
    """Whatever damage does to a header: windows lie within, and bit rates are what a file holds."""
    whole = write_sound(name, tone(440, 1, 8_000), 8_000).read_bytes()
    for seed in range(60):
        chance = random.Random(seed)
        content = bytearray(whole)
        for _ in range(chance.choice((1, 2, 5))):
            content[chance.randrange(200)] = chance.choice((0, 255, chance.randrange(256)))
        try:
            info = load(content).info
        except CCMusicError:
            continue
        assert 0 <= info.window_start < info.window_end <= info.duration
        assert (info.bit_rate or 0) <= 1.1 * 8 * len(content) / info.duration + 500


# --- WAV -----------------------------------------------------------------------------------------


def wav(
    samples, *, width=2, valid=None, extensible=False, order="<", rate=44_100, chunks=b"", kind=1
):
    """A WAV of samples [n] or [channels, n], whose values have ``valid`` bits at the top."""
    planes = np.atleast_2d(samples)
    n, bits = len(planes), 8 * width
    values = np.round(planes.T * 2 ** ((valid or bits) - 1)).astype(np.int64)
    values = values << (bits - (valid or bits))
    if width == 1:
        values += 128
    if kind == 3:
        body = planes.T.astype(order + f"f{width}").tobytes()
    elif order == "<":
        body = values.astype("<i8").reshape(-1, 1).view(np.uint8)[:, :width].tobytes()
    else:
        body = values.astype(">i8").reshape(-1, 1).view(np.uint8)[:, 8 - width :].tobytes()
    tag = 0xFFFE if extensible else kind
    form = struct.pack(order + "2H2I2H", tag, n, rate, rate * n * width, n * width,
                       bits if extensible or not valid else valid)  # fmt: skip
    if extensible:
        form += struct.pack(order + "2HIH", 22, valid or bits, 0, kind)
        form += bytes.fromhex("000000001000800000aa00389b71")
    riff = b"WAVEfmt " + struct.pack(order + "I", len(form)) + form + chunks
    riff += b"data" + struct.pack(order + "I", len(body)) + body
    return (b"RIFF" if order == "<" else b"RIFX") + struct.pack(order + "I", len(riff)) + riff


def check_samples(content, expected, bits):
    clip = load(content, crop="start")
    mono = np.atleast_2d(expected).mean(axis=0)
    np.testing.assert_allclose(clip.original, mono, rtol=0, atol=2.0 ** (1 - bits))
    assert clip.info.channels == len(np.atleast_2d(expected))
    return clip


@pytest.mark.parametrize("extensible", [True, False])
@pytest.mark.parametrize(
    ("valid", "width"),
    [
        (8, 1),
        (8, 2),
        (12, 2),
        (16, 2),
        (16, 3),
        (20, 3),
        (24, 3),
        (16, 4),
        (20, 4),
        (24, 4),
        (32, 4),
    ],
)
def test_samples_with_fewer_bits_than_bytes(valid, width, extensible):
    planes = np.stack([tone(440, 2), 0.5 * tone(880, 2)])
    check_samples(wav(planes, width=width, valid=valid, extensible=extensible), planes, valid)


@pytest.mark.parametrize(("width", "kind"), [(1, 1), (2, 1), (3, 1), (4, 1), (4, 3), (8, 3)])
def test_big_endian_wav(width, kind):
    planes = np.stack([tone(440, 2), 0.5 * tone(880, 2)])
    content = wav(planes, width=width, order=">", kind=kind) + b"LIST\0\0\x01\0" + bytes(256)
    clip = check_samples(content, planes, 8 * min(width, 3))
    assert clip.info.duration == 2
    assert codes(clip)[0] == "short"


@pytest.mark.parametrize("name", ["a.w64", "a.caf"])
def test_fewer_bits_than_bytes_elsewhere(write_sound, name):
    """24 bits in 32, as W64 and CAF may have them."""
    encoder, bits = ("pcm_s32le", b"\x20\0") if name == "a.w64" else ("pcm_s32be", b"\0\0\0\x20")
    expected = tone(440, 2)
    data = bytearray(write_sound(name, expected, encoder=encoder).read_bytes())
    place = data.find(bits, 40)
    data[place : place + len(bits)] = bits.replace(b"\x20", b"\x18")
    check_samples(data, expected, 24)


@pytest.mark.parametrize("encoder", ["pcm_s16le", "pcm_f32le", "pcm_alaw"])
@pytest.mark.parametrize("name", ["a.wav", "a.w64"])
@pytest.mark.parametrize("average", [0, 1, 8_820, 882_000, 2**32 - 1])
def test_a_false_number_of_bytes_per_second(write_sound, name, encoder, average):
    """By it FFmpeg finds a time: the window would lie elsewhere, without a word."""
    data = bytearray(write_sound(name, middle(), encoder=encoder).read_bytes())
    place = data.find(struct.pack("<HI", 1, 44_100)) + 6
    data[place : place + 4] = struct.pack("<I", average)
    clip = load(data)
    assert clip.info.duration == 30
    assert pitch(clip) == pytest.approx(600, abs=1)
    assert clip.info.bit_rate == 8 * 44_100 * int.from_bytes(data[place + 4 : place + 6], "little")
    assert not {"truncated", "damaged"} & set(codes(clip))


@pytest.mark.parametrize("name", ["a.wav", "a.w64"])
def test_a_sample_has_no_more_bits_than_its_bytes(write_sound, name):
    """Then the number of bytes is the false one."""
    data = bytearray(write_sound(name, middle()).read_bytes())
    place = data.find(struct.pack("<HI", 1, 44_100)) + 10
    data[place : place + 2] = b"\1\0"
    clip = load(data)
    assert clip.info.duration == 30
    assert pitch(clip) == pytest.approx(600, abs=1)


def chunk(name, content):
    return name + struct.pack("<I", len(content)) + content


@pytest.mark.parametrize("chunks", [
    chunk(b"junk", b"odd"), chunk(b"LIST", b"INFOISFT\x03\0\0\0abc"), chunk(b"bext", b"\0" * 603),
    chunk(b"junk", b"odd") * 3, chunk(b"junk", b"odd") + b"\0", chunk(b"junk", b"even"),
])  # fmt: skip
def test_an_odd_chunk_without_its_padding(chunks):
    sound = tone(440, 12)
    clip = check_samples(wav(sound, chunks=chunks), sound[: 10 * 44_100], 16)
    assert clip.info.duration == 12
    assert not {"truncated", "damaged"} & set(codes(clip))


@pytest.mark.parametrize(
    "chunks", [b"NAME\0\0\0\x03odd", b"ANNO\0\0\0\x05notes", b"NAME\0\0\0\x03odd\0"]
)
def test_an_odd_chunk_of_an_aiff_without_its_padding(write_sound, chunks):
    content = write_sound("a.aiff", tone(440, 12)).read_bytes()
    place = content.index(b"SSND")
    content = content[:place] + chunks + content[place:]
    clip = load(b"FORM" + struct.pack(">I", len(content) - 8) + content[8:])
    assert (clip.info.duration, clip.info.codec) == (12, "pcm_s16be")
    assert pitch(clip) == pytest.approx(440, abs=1)
    assert not {"truncated", "damaged"} & set(codes(clip))


def dts(seconds):
    """DTS frames, whose sound is a tone of 445 Hz, in the byte order of a WAV."""
    frames = (SOUNDS / "tone.dts").read_bytes()  # 0.14 s
    return np.frombuffer(frames * round(7 * seconds), ">u2").astype("<u2").tobytes()


def ac3(seconds, rate=48_000, form="spdif"):
    """AC-3 in bursts, as a digital output carries it."""
    out = io.BytesIO()
    with av.open(out, "w", format=form) as container:
        stream = container.add_stream("ac3", rate=rate, layout="stereo")
        sound = np.stack([tone(440, seconds, rate)] * 2)
        frame = av.AudioFrame.from_ndarray(sound, format="fltp", layout="stereo")
        frame.sample_rate, frame.pts = rate, 0
        for part in (frame, None):
            container.mux(stream.encode(part))
    return out.getvalue()


def raw_ac3(seconds, rate=44_100):
    """AC-3 as it comes from the encoder."""
    return ac3(seconds, rate, "ac3")


def swapped(make):
    """The same in the other byte order of 16-bit words."""

    def turned(seconds):
        return np.frombuffer(make(seconds), ">u2").astype("<u2").tobytes()

    return turned


def raw_eac3(seconds):
    """Enhanced AC-3."""
    out = io.BytesIO()
    with av.open(out, "w", format="eac3") as container:
        stream = container.add_stream("eac3", rate=48_000, layout="stereo")
        frame = av.AudioFrame.from_ndarray(
            np.stack([tone(440, seconds, 48_000)] * 2), format="fltp", layout="stereo"
        )
        frame.sample_rate, frame.pts = 48_000, 0
        for part in (frame, None):
            container.mux(stream.encode(part))
    return out.getvalue()


@pytest.mark.parametrize("silence", [0, 64_000, 400_000, 3_000_000])
@pytest.mark.parametrize(
    ("make", "rate"),
    [
        (dts, 44_100),
        (swapped(dts), 44_100),
        (ac3, 48_000),
        (raw_ac3, 44_100),
        (swapped(raw_ac3), 44_100),
        (raw_eac3, 48_000),
        (swapped(raw_eac3), 48_000),
    ],
)
def test_compressed_sound_in_a_wav_after_silence(make, rate, silence):
    head = wav(np.zeros((2, 0)), rate=rate)[:-4]
    body = bytes(silence) + make(14)
    clip = load(head + struct.pack("<I", len(body)) + body)
    assert clip.info.codec in {"dts", "ac3", "eac3"}
    is_dts = clip.info.codec == "dts"
    assert pitch(clip) == pytest.approx(445 if is_dts else 440, abs=1)
    assert not {"damaged", "truncated", "silence"} & set(codes(clip))


@pytest.mark.parametrize("silence", [0, 400_000])
def test_bursts_in_the_other_byte_order_are_refused(silence):
    """FFmpeg has no format for them; they would be judged as noise."""
    body = bytes(silence) + swapped(ac3)(14)
    head = wav(np.zeros((2, 0)), rate=48_000)[:-4]
    with pytest.raises(AudioError, match="DTS or AC-3"):
        load(head + struct.pack("<I", len(body)) + body)


@pytest.mark.parametrize("silence", [0, 400_000])
@pytest.mark.parametrize("name", ["a.flac", "a.aiff", "a.caf"])
@pytest.mark.parametrize(("make", "rate"), [(dts, 44_100), (ac3, 48_000)])
def test_compressed_sound_in_other_files_is_refused(write_sound, make, rate, silence, name):
    """Of discs that were ripped; it would be judged as noise."""
    body = np.frombuffer(bytes(silence) + make(14), "<i2")
    planes = body[: len(body) // 2 * 2].reshape(-1, 2).T / np.float32(2**15)
    path = write_sound(name, planes, rate)
    for crop in ("start", "center"):
        with pytest.raises(AudioError, match="DTS or AC-3"):
            audio.load(path, crop=crop)


@pytest.mark.parametrize("marks", [(0x1FFF, -0x1800), (0x770B, 0), (0x770B, 0x770B)])
def test_a_periodic_sound_is_not_taken_for_frames(marks):
    """The marks of DTS and AC-3 are values that PCM may have, again and again."""
    planes = np.stack([tone(441, 12), tone(441, 12)])
    planes[:, ::400] = np.array(marks)[:, None] / 2**15
    clip = load(wav(planes))
    load(wav(planes, order=">"))
    assert clip.info.codec == "pcm_s16le"
    assert clip.info.duration == 12


# --- tags before, songs after --------------------------------------------------------------------


@pytest.mark.parametrize("size", [200, 150_000, 2_000_000])
@pytest.mark.parametrize("name", ["a.wav", "a.aiff", "a.m4a", "a.ogg", "a.opus", "a.mp3", "a.flac",
                                  "a.aac", "a.caf", "a.wv", "a.tta"])  # fmt: skip
def test_a_tag_before_any_file(write_sound, piece, name, size):
    content = write_sound(name, piece(12, 48_000, 2), 48_000).read_bytes()
    expected = load(content)
    frame = b"TXXX" + (size - 10).to_bytes(4, "big") + b"\0\0" + bytes(size - 10)
    length = bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0))
    clip = load(b"ID3\3\0\0" + length + frame + content)
    np.testing.assert_array_equal(clip.samples, expected.samples)
    assert clip.info.duration == expected.info.duration
    assert codes(clip) == codes(expected)


def test_a_chained_ogg_of_several_codecs(write_sound):
    songs = [
        write_sound("a.ogg", np.stack([tone(300, 14)] * 2)).read_bytes(),
        write_sound("a.opus", tone(600, 16, 48_000), 48_000).read_bytes(),
        write_sound("a.ogg", np.stack([tone(900, 12)] * 2), encoder="flac").read_bytes(),
    ]
    recording = audio.Recording(b"".join(songs))
    assert recording.duration == pytest.approx(42, abs=0.1)
    crops: list[tuple[Any, int]] = [("start", 300), (17.0, 600), ("end", 900)]
    for crop, expected in crops:
        clip = recording.load(crop=crop)
        assert pitch(clip) == pytest.approx(expected, abs=1)
        assert not {"truncated", "damaged"} & set(codes(clip))
    assert audio.digest(songs[0] + songs[1]) != audio.digest(songs[0] + songs[2])


@pytest.mark.parametrize("name", ["a.mka", "a.m4a"])
def test_the_default_track_is_taken(tmp_path, name):
    path = tmp_path / name
    with av.open(str(path), "w") as container:
        streams = []
        for default in (False, True):
            stream = container.add_stream("aac", rate=44_100, layout="mono")
            stream.disposition = av.stream.Disposition(default)
            streams.append(stream)
        for stream, frequency in zip(streams, (300, 600), strict=True):
            frame = av.AudioFrame.from_ndarray(tone(frequency, 12)[None], "fltp", "mono")
            frame.sample_rate, frame.pts = 44_100, 0
            for part in (frame, None):
                container.mux(stream.encode(part))
    assert pitch(audio.load(path)) == pytest.approx(600, abs=1)


def windows_media():
    """Twelve seconds in packets of three, which are called WMA Pro and so tell no length."""
    out = io.BytesIO()
    with av.open(out, "w", format="asf") as container:
        stream = container.add_stream("pcm_s16le", rate=8_000, layout="mono")
        for start in range(0, 96_000, 24_000):
            values = np.ones((1, 24_000), np.int16)
            frame = av.AudioFrame.from_ndarray(values, format="s16", layout="mono")
            frame.sample_rate, frame.pts = 8_000, start
            container.mux(stream.encode(frame))
    content = out.getvalue()
    form = struct.pack("<2HI", 1, 1, 8_000)  # begins the description of the PCM
    assert content.count(form) == 1
    return content.replace(form, b"\x62\x01" + form[2:])


def test_the_last_packets_of_windows_media_do_not_tell_its_end():
    content = windows_media()
    header = decode.read_header(content, name="a.wma")
    assert (header.codec, header.cut_off) == ("wmapro", False)
    assert header.duration == pytest.approx(12, abs=0.1)
    half = decode.read_header(content[: len(content) // 2], name="a.wma")
    assert half.cut_off
    assert half.duration < 9
