"""Long pieces: ``python benchmarks/pieces.py``.

Needs librosa. The centre of a five-minute MP3 is decoded beside ``librosa.load`` of the same ten
seconds; then MobileNetV3 listens to a piece of four minutes, a window every five seconds, beside
the loop that analyses window after window of the file. Each has the model open as it would open it:
the timeline on one core for each window at once, the loop on all cores. Last the timeline of all
five models.
"""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from timing import keep, median_ms

ROOT = Path(__file__).parent.parent
RATE = 44_100
HOP = 5.0


KINDS = ("wav", "mp3", "flac", "ogg", "m4a")
# Suffix of a file: its container and codec as FFmpeg calls them.
_CODECS = {
    "wav": ("wav", "pcm_s16le"),
    "mp3": ("mp3", "libmp3lame"),
    "flac": ("flac", "flac"),
    "m4a": ("mp4", "aac"),
}


def long_song(folder: Path, minutes: float, suffix: str = "mp3") -> Path:
    """A song in stereo: the examples, one after the other, again and again; at 192 kbit/s.

    Ogg Vorbis is written by libsndfile: FFmpeg's own encoder of it is an experiment.
    """
    import av
    import soundfile

    from ccmusic.audio import load

    clips = [load(song).samples for song in sorted((ROOT / "examples").glob("*.ogg"))]
    sound = np.resize(np.concatenate(clips), round(minutes * 60 * 22_050))
    stereo = np.repeat(sound, 2)[None].repeat(2, axis=0)  # 44,100 Hz by repetition
    path = folder / f"{minutes:g}.{suffix}"
    if suffix == "ogg":
        with soundfile.SoundFile(path, "w", RATE, 2, format="OGG", subtype="VORBIS") as file:
            for begin in range(0, stereo.shape[1], RATE):  # more at once may crash it
                file.write(stereo[:, begin : begin + RATE].T)
        return path
    container_format, codec = _CODECS[suffix]
    with av.open(str(path), "w", format=container_format) as container:
        stream: Any = container.add_stream(codec, rate=RATE, layout="stereo")
        stream.bit_rate = 192_000
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(stereo), "fltp", "stereo")
        frame.sample_rate = RATE
        for piece in (frame, None):
            container.mux(stream.encode(piece))
    return path


def main() -> None:
    import librosa

    from ccmusic import Panel, audio
    from ccmusic.panel import available_cores

    with tempfile.TemporaryDirectory() as folder:
        five, four = long_song(Path(folder), 5), long_song(Path(folder), 4)
        decode_ms, librosa_ms = median_ms(
            lambda: audio.load(five),
            lambda: librosa.load(five, sr=audio.SAMPLE_RATE, offset=145, duration=10),
            repeats=30,
        )
        one = ["mobilenet_v3_large"]
        with (
            Panel.open("cqt", one) as alone,
            Panel.open("cqt", one, concurrency=available_cores()) as several,
            Panel.open("cqt", concurrency=available_cores()) as five_models,
        ):
            starts = [w.clip.info.window_start for w in several.timeline(four, hop=HOP)]
            whole_ms, all_ms, loop_ms = median_ms(
                lambda: list(several.timeline(four, hop=HOP)),
                lambda: list(five_models.timeline(four, hop=HOP)),
                lambda: [alone.analyze(four, crop=start) for start in starts],
                repeats=15,
            )
    rows = {
        "decode_ms": decode_ms,
        "librosa_load_ms": librosa_ms,
        "decode_ratio": decode_ms / librosa_ms,
        "windows": len(starts),
        "timeline_ms": whole_ms,
        "timeline_of_five_models_ms": all_ms,
        "window_by_window_ms": loop_ms,
        "timeline_ratio": whole_ms / loop_ms,
    }
    keep("pieces", rows)


if __name__ == "__main__":
    main()
