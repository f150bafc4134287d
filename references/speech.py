"""Fit the coefficients of ``ccmusic.speech``, and compare its measures with Silero VAD.

    python references/speech.py CLIPS VOICES SILERO

CLIPS is the ``clips.csv`` of the music that the models learn from. VOICES is a folder of unpacked
Debian packages with recorded voices, one folder per package (`dpkg-deb -x`); ``espeak-ng`` must be
installed. SILERO is the wheel ``silero-vad`` of the package index (version 6.2; MIT licence), which
is read and need not be installed. The script prints the table that stands in ``ccmusic/speech.py``,
and writes what each way of telling does on voices and music that it was not fitted to into
``references/results/speech.json``.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import soxr
from numpy.random import Generator, default_rng
from sklearn.linear_model import LogisticRegression

from ccmusic import speech
from ccmusic.audio import SAMPLE_RATE, Samples, load
from ccmusic.runtime import onnxruntime as ort

LENGTH = 10 * SAMPLE_RATE
SUFFIXES = {".wav", ".ogg", ".g722", ".gsm"}
LEAST = 0.8  # seconds: single words, letters and digits would be a list, not speech
PIECES = 40  # of one voice, at most
RESULTS = Path(__file__).parent / "results" / "speech.json"
MUSIC = ("song", "environment")
# Share of what serves the fit that may be taken for speech.
ALARMS = {("song", "plain"): 1e-3, ("song", "worsened"): 2e-3, ("environment", "plain"): 1e-2}
MARGIN = 0.25  # natural logarithm of odds
Figures = npt.NDArray[np.float64]

# Folder below VOICES, and whether the voices serve the fit.
RECORDED = {
    "asterisk-core-sounds-en-g722": True,
    "asterisk-core-sounds-fr-g722": True,
    "asterisk-prompt-fr-armelle": True,
    "fillets-ng-data-cs": True,
    "hedgewars-data": True,
    "asterisk-core-sounds-it-g722": False,
    "asterisk-core-sounds-ru-g722": False,
    "asterisk-prompt-es-co": False,
    "asterisk-prompt-it-menardi-wav": False,
    "fillets-ng-data-nl": False,
    "pocketsphinx-testdata": False,
    "warzone2100-data": False,  # base.wz, a ZIP archive, unpacked
}
# Where a package holds other sounds as well: folders of voices.
SPOKEN = {"hedgewars-data": {"voices"}, "warzone2100-data": {"memressp", "sequenceaudio"}}
SUNG = {"Singer"}  # a hedgewars voice

SENTENCES = {
    "en": [
        "The train to the coast leaves at half past nine from the second platform.",
        "I do not think that anybody has read the letter yet, but we will ask her tomorrow.",
        "Please close the window before you go, because it is going to rain this evening.",
        "Scientists measured the temperature of the lake every morning for eleven years.",
        "What would you like to drink? There is tea, coffee, and a little apple juice.",
        "The committee agreed on a new budget after a long discussion about schools and roads.",
        "My grandmother kept her photographs in a wooden box under the stairs.",
        "Turn left at the bridge, walk past the bakery, and you will see the museum.",
    ],
    "cmn": [
        "去海边的火车九点半从二号站台出发，请大家提前到候车室等候。",
        "我觉得还没有人看过那封信，不过我们明天可以问问她。",
        "走之前请把窗户关上，因为今天晚上要下雨。",
        "科学家们连续十一年每天早上测量湖水的温度。",
        "你想喝点什么？这里有茶、咖啡，还有一点苹果汁。",
        "经过长时间的讨论，委员会通过了新的预算，用来修建学校和道路。",
        "外婆把她的照片放在楼梯下面的一个木箱子里。",
        "过了桥往左拐，经过面包店，就能看到博物馆。",
    ],
    "de": [
        "Der Zug an die Küste fährt um halb zehn vom zweiten Gleis ab.",
        "Bitte schließen Sie das Fenster, bevor Sie gehen, denn heute Abend wird es regnen.",
        "Meine Großmutter bewahrte ihre Fotografien in einer Holzkiste unter der Treppe auf.",
    ],
    "fr": [
        "Le train pour la côte part à neuf heures et demie du deuxième quai.",
        "Fermez la fenêtre avant de partir, car il va pleuvoir ce soir.",
        "Ma grand-mère gardait ses photographies dans une boîte en bois sous l'escalier.",
    ],
    "es": [
        "El tren a la costa sale a las nueve y media del segundo andén.",
        "Por favor, cierre la ventana antes de salir, porque esta noche va a llover.",
        "Mi abuela guardaba sus fotografías en una caja de madera debajo de la escalera.",
    ],
    "ru": [
        "Поезд на побережье отправляется в половине десятого со второго пути.",
        "Закройте, пожалуйста, окно перед уходом, потому что вечером будет дождь.",
        "Моя бабушка хранила фотографии в деревянном ящике под лестницей.",
    ],
}
# espeak-ng's voice and variant; the second list serves no fit.
ESPEAK = (
    [
        f"{language}+{variant}"
        for language in ("en-us", "en-gb-scotland", "cmn", "de", "fr")
        for variant in ("m1", "m3", "m5", "f1", "f3", "Andy", "Annie", "klatt2", "steph", "max")
    ],
    [
        f"{language}+{variant}"
        for language in ("en-gb", "en-gb-x-rp", "en-029", "cmn", "yue", "es", "ru")
        for variant in (
            *("m2", "m4", "m7", "f2", "f4"),
            *("Alicia", "Michael", "klatt4", "linda", "belinda"),
        )
    ],
)


@dataclass(frozen=True)
class Piece:
    """Ten seconds and where they come from."""

    source: str
    samples: Samples


def decode(path: Path) -> Samples:
    """Read a recording of any of the packages' formats, mono at the project's rate."""
    frames = []
    kind = "g722" if path.suffix == ".g722" else None
    # Some prompts are empty.
    with suppress(av.error.InvalidDataError), av.open(str(path), format=kind) as container:
        resampler = av.AudioResampler("flt", "mono", SAMPLE_RATE)
        frames = [r for f in container.decode(audio=0) for r in resampler.resample(f)]
        frames += resampler.resample(None)
    return np.concatenate([np.zeros(0, np.float32), *(f.to_ndarray()[0] for f in frames)])


def joined(source: str, utterances: list[Samples], rng: Generator) -> Iterator[Piece]:
    """Join utterances with pauses and cut the whole into pieces."""
    parts = []
    for utterance in utterances:
        parts += [utterance, np.zeros(int(rng.uniform(0.1, 0.6) * SAMPLE_RATE), np.float32)]
    whole = np.concatenate(parts) if parts else np.zeros(0, np.float32)
    for start in range(0, min(len(whole) - LENGTH, PIECES * LENGTH), LENGTH):
        yield Piece(source, whole[start : start + LENGTH])


def recorded(voices: Path, fit: bool) -> Iterator[Piece]:
    """Pieces of recorded voices, a speaker's utterances joined at random."""
    rng = default_rng(1)
    for package, fits in RECORDED.items():
        if fits is not fit:
            continue
        speakers: dict[str, list[Path]] = {}
        for path in sorted((voices / package).rglob("*")):
            parts = set(path.parts)
            only = SPOKEN.get(package)
            if path.suffix in SUFFIXES and not SUNG & parts and (only is None or only & parts):
                speaker = path.parent.name if package == "hedgewars-data" else ""
                speakers.setdefault(speaker, []).append(path)
        for speaker, paths in speakers.items():
            rng.shuffle(paths)
            utterances = [decode(path) for path in paths[:600]]
            utterances = [u for u in utterances if len(u) > LEAST * SAMPLE_RATE]
            yield from joined(f"{package}/{speaker}", utterances, rng)


def spoken(voice: str, sentences: list[str], rng: Generator) -> Samples:
    """Let espeak-ng speak."""
    speed, pitch = rng.integers(110, 230), rng.integers(25, 75)
    command = ["espeak-ng", "-v", voice, "-s", str(speed), "-p", str(pitch), "--stdout"]
    wave = subprocess.run(command, input=" ".join(sentences).encode(), capture_output=True).stdout
    samples = np.frombuffer(wave[44 : len(wave) // 2 * 2], np.int16).astype(np.float32) / 32768
    return np.asarray(soxr.resample(samples, 22_050, SAMPLE_RATE), np.float32)


def synthesised(fit: bool) -> Iterator[Piece]:
    """Pieces of espeak-ng's voices, up to three of each."""
    rng = default_rng(2)
    for voice in ESPEAK[0 if fit else 1]:
        language = "cmn" if voice.startswith("yue") else voice.partition("+")[0].partition("-")[0]
        sentences = SENTENCES[language] * (1 if len(SENTENCES[language]) > 3 else 3)
        rng.shuffle(sentences)
        whole = spoken(voice, sentences, rng)
        for start in range(0, min(len(whole) - LENGTH, 3 * LENGTH), LENGTH):
            yield Piece(f"espeak/{voice}", whole[start : start + LENGTH])


def worsened(samples: Samples, music: Samples, rng: Generator) -> Samples:
    """Put a piece into a room, noise, a narrow band, or soft music; one or two of them."""
    samples = samples.astype(np.float32)
    for kind in rng.choice(["room", "noise", "band", "music"], rng.integers(1, 3), replace=False):
        level = float(np.sqrt(np.mean(np.square(samples)))) + 1e-6
        if kind == "room":
            time = np.arange(int(0.6 * SAMPLE_RATE)) / SAMPLE_RATE
            tail = rng.standard_normal(len(time)) * np.exp(-6.9 * time / rng.uniform(0.2, 0.7))
            tail *= rng.uniform(0.2, 0.8) / np.sqrt(np.sum(np.square(tail)))
            tail[0] = 1.0
            size = 2 * LENGTH
            wet = np.fft.irfft(np.fft.rfft(samples, size) * np.fft.rfft(tail, size))
            samples = wet[: len(samples)].astype(np.float32)
        elif kind == "noise":
            spectrum = np.fft.rfft(rng.standard_normal(len(samples)))
            spectrum /= np.maximum(np.arange(len(spectrum)), 300) ** rng.uniform(0, 0.7)
            noise = np.fft.irfft(spectrum, len(samples))
            noise *= level * 10 ** (-rng.uniform(15, 35) / 20) / np.sqrt(np.mean(np.square(noise)))
            samples = samples + noise.astype(np.float32)
        elif kind == "band":
            spectrum = np.fft.rfft(samples)
            frequencies = np.fft.rfftfreq(len(samples), 1 / SAMPLE_RATE)
            spectrum[frequencies > rng.choice([3400, 4000, 5500, 8000])] = 0
            spectrum[frequencies < rng.choice([0, 0, 80, 200])] = 0
            samples = np.fft.irfft(spectrum, len(samples)).astype(np.float32)
        else:
            loud = float(np.sqrt(np.mean(np.square(music)))) + 1e-6
            samples = samples + music * np.float32(level / loud * 10 ** (-rng.uniform(20, 30) / 20))
    return samples


def noisy(samples: Samples, music: Samples, rng: Generator) -> Samples:
    """Noise 10 dB below."""
    spectrum = np.fft.rfft(rng.standard_normal(len(samples)))
    spectrum /= np.maximum(np.arange(len(spectrum)), 300) ** 0.35
    return mixed(samples, np.fft.irfft(spectrum, len(samples)))


def telephone(samples: Samples, music: Samples, rng: Generator) -> Samples:
    """From 300 Hz to 3400 Hz."""
    spectrum = np.fft.rfft(samples)
    frequencies = np.fft.rfftfreq(len(samples), 1 / SAMPLE_RATE)
    spectrum[(frequencies > 3400) | (frequencies < 300)] = 0
    return np.fft.irfft(spectrum, len(samples)).astype(np.float32)


def over_music(samples: Samples, music: Samples, rng: Generator) -> Samples:
    """Music 10 dB below."""
    return mixed(samples, music)


def mixed(samples: Samples, other: npt.NDArray[np.floating]) -> Samples:
    """Add another sound 10 dB below."""
    level, loud = (float(np.sqrt(np.mean(np.square(one)))) + 1e-9 for one in (samples, other))
    return np.asarray(samples + other * (level / loud * 10**-0.5), np.float32)


CONDITIONS: dict[str, Callable[[Samples, Samples, Generator], Samples]] = {
    "plain": lambda samples, music, rng: samples,
    "worsened": worsened,
    "noise": noisy,
    "telephone": telephone,
    "music": over_music,
}
WEIGHTS = {"plain": 3, "worsened": 2}  # voices that are met more often than others


class Silero:
    """Silero VAD, a network that finds where somebody is speaking.

    Of the files in the wheel this is the one that takes a whole recording at once, the fastest.
    """

    def __init__(self, wheel: Path) -> None:
        with zipfile.ZipFile(wheel) as archive:
            network = archive.read("silero_vad/data/silero_vad_16k_sequence.onnx")
        self.bytes = len(network)
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3  # three weights are not used
        self.session = ort.InferenceSession(network, options)

    def __call__(self, samples: Samples) -> Figures:
        """Probability of speech every 32 ms."""
        sound = soxr.resample(samples.astype(np.float32), SAMPLE_RATE, 16_000)
        sound = sound / max(float(np.abs(sound).max()), 1e-9)
        frames = sound[: len(sound) // 512 * 512].reshape(-1, 512)
        before = np.concatenate([np.zeros((1, 64), np.float32), frames[:-1, -64:]])
        state = np.zeros((1, 1, 128), np.float32)
        inputs = {"input": np.concatenate([before, frames], axis=1), "h": state, "c": state}
        return np.asarray(self.session.run(["speech_probs"], inputs)[0], np.float64)


def statistics(speaking: Figures) -> dict[str, float]:
    """What Silero VAD says of ten seconds, in a few numbers."""
    odds = np.log(np.clip(speaking, 1e-4, 1 - 1e-4) / (1 - np.clip(speaking, 1e-4, 1 - 1e-4)))
    return {
        "share": float((speaking > 0.5).mean()),
        "sure": float((speaking > 0.95).mean()),
        "silent": float((speaking < 0.1).mean()),
        "odds": float(odds.mean()),
        "spread": float(odds.std()),
        "turns": float(np.abs(np.diff((speaking > 0.5).astype(float))).mean()),
    }


@dataclass(frozen=True)
class Heard:
    """Ten seconds as both find them."""

    kind: str
    """``song``, ``environment``, ``recorded`` or ``espeak-ng``."""
    condition: str
    fit: bool
    """Whether coefficients and thresholds come from it."""
    source: str
    measures: dict[str, float]
    statistics: dict[str, float]
    """Of what Silero VAD says."""


class Hearing:
    """Measures pieces, and lets Silero VAD hear them."""

    def __init__(self, silero: Silero) -> None:
        self.silero = silero
        self.heard: list[Heard] = []
        self.seconds: dict[str, list[float]] = {"measures": [], "silero": []}

    def add(self, kind: str, condition: str, fit: bool, source: str, samples: Samples) -> bool:
        """Keep what is found in a piece; False where there is too little sound."""
        times = [time.thread_time()]
        measures = speech.measures(samples, SAMPLE_RATE)
        times.append(time.thread_time())
        if measures is None:
            return False
        speaking = self.silero(samples)
        times.append(time.thread_time())
        for name, start, end in zip(self.seconds, times[:-1], times[1:], strict=True):
            self.seconds[name].append(end - start)
        found = Heard(kind, condition, fit, source, measures, statistics(speaking))
        self.heard.append(found)
        return True

    def add_music(self, clips: Path) -> dict[bool, list[Samples]]:
        """All clips, and a quarter of them worsened.

        Returns
        -------
        beds
            Songs to put below voices, by whether they serve the fit.
        """
        rng = default_rng(4)
        beds: dict[bool, list[Samples]] = {True: [], False: []}
        with clips.open(encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        for row in rows:
            samples = load(clips.parent / row["path"]).samples
            fit = row["split"] != "valid"
            kind = "environment" if row["genre"] == "environment" else "song"
            name = f"{row['genre']}: {row['label']} {row['path']}"
            if self.add(kind, "plain", fit, name, samples) and rng.random() < 0.25:
                self.add(kind, "worsened", fit, name, worsened(samples, samples, rng))
                if kind == "song":
                    beds[fit].append(samples[:LENGTH])
        return beds

    def add_voices(self, folder: Path, fit: bool, beds: list[Samples]) -> None:
        """Recorded and synthetic voices under all conditions."""
        rng = default_rng(3)
        for kind, pieces in (("espeak-ng", synthesised(fit)), ("recorded", recorded(folder, fit))):
            for piece in pieces:
                bed = beds[rng.integers(len(beds))]
                for name, change in CONDITIONS.items():
                    self.add(kind, name, fit, piece.source, change(piece.samples, bed, rng))


@dataclass(frozen=True)
class Way:
    """A way to tell speech from music: a logistic regression and its threshold."""

    odds: Figures
    threshold: float
    model: dict[str, list[float]]
    """Name, mean, standard deviation, coefficient."""
    intercept: float

    @classmethod
    def fitted(cls, heard: list[Heard], found: list[dict[str, float]]) -> Way:
        """Fit to what serves the fit; the threshold allows few false alarms there."""
        values = np.array([list(one.values()) for one in found])
        fit = np.array([one.fit for one in heard])
        talk = np.array([one.kind not in MUSIC for one in heard])
        mean, deviation = values[fit].mean(axis=0), values[fit].std(axis=0)
        values = np.clip((values - mean) / deviation, -3, 3)
        weights = np.array([WEIGHTS.get(one.condition, 1) for one in heard]) ** talk
        model = LogisticRegression(max_iter=1000).fit(values[fit], talk[fit], weights[fit])
        odds = np.asarray(model.decision_function(values), np.float64)
        threshold = MARGIN + max(
            float(np.quantile(odds[chosen(heard, kind, condition, True)], 1 - alarms))
            for (kind, condition), alarms in ALARMS.items()
        )
        columns = np.round([mean, deviation, model.coef_[0]], 3).T.tolist()
        coefficients = dict(zip(found[0], columns, strict=True))
        return cls(odds, round(threshold, 2), coefficients, round(float(model.intercept_[0]), 3))

    def results(self, heard: list[Heard]) -> dict[str, dict[str, float]]:
        """False alarms and share of voices found, of what serves no fit."""
        yes = self.odds > self.threshold
        results: dict[str, dict[str, float]] = {}
        for kind in (*MUSIC, "recorded", "espeak-ng"):
            results[kind] = of = {}
            for condition in CONDITIONS:
                these = chosen(heard, kind, condition, False)
                if these.any():
                    of[condition] = float(yes[these].mean())
                    of[f"{condition}_pieces"] = int(these.sum())
        # A threshold that serves every way alike, to see which songs are taken for speech.
        recordings = self.odds[chosen(heard, "recorded", "plain", False)]
        over = self.odds > np.quantile(recordings, 0.1)
        songs = chosen(heard, "song", "plain", False)
        genres = np.array([one.source.partition(":")[0] for one in heard])
        results["song where nine of ten recordings are found"] = {
            "all": float(over[songs].mean()),
            **{
                str(of): float(over[songs & (genres == of)].mean())
                for of in np.unique(genres[songs])
            },
        }
        return results


def chosen(heard: list[Heard], kind: str, condition: str, fit: bool) -> npt.NDArray[np.bool_]:
    """Which pieces are of a kind, under a condition, and serve the fit or not."""
    key = (kind, condition, fit)
    return np.array([(one.kind, one.condition, one.fit) == key for one in heard])


def compare(heard: list[Heard]) -> dict[str, object]:
    """Fit every way, print ours and its false alarms, return what each does."""
    measures = [one.measures for one in heard]
    numbers = [one.statistics for one in heard]
    both = [{**m, "spoken": s["odds"]} for m, s in zip(measures, numbers, strict=True)]
    ours = Way.fitted(heard, measures)
    for name, values in ours.model.items():
        print('    "{}": ({:.3f}, {:.3f}, {:.3f}),'.format(name, *values))
    print(f"}}\n_INTERCEPT = {ours.intercept}\n_THRESHOLD = {ours.threshold}")
    for one, odds in zip(heard, ours.odds, strict=True):
        if one.kind in MUSIC and odds > ours.threshold:
            print(
                f"  {'fitted' if one.fit else 'held out'} {one.condition} {one.source} {odds:.2f}"
            )
    ways = {
        "measures": ours,
        "silero_share": Way.fitted(heard, [{"share": one["share"]} for one in numbers]),
        "silero_numbers": Way.fitted(heard, numbers),
        "both": Way.fitted(heard, both),
    }
    model = {"coefficients": ours.model, "intercept": ours.intercept, "threshold": ours.threshold}
    return {"model": model, "ways": {name: way.results(heard) for name, way in ways.items()}}


def main() -> None:
    """Fit, print the model, write what it does."""
    parser = argparse.ArgumentParser(description="Fit the coefficients of ccmusic.speech.")
    parser.add_argument("clips", type=Path)
    parser.add_argument("voices", type=Path)
    parser.add_argument("silero", type=Path)
    arguments = parser.parse_args()
    silero = Silero(arguments.silero)
    hearing = Hearing(silero)
    beds = hearing.add_music(arguments.clips)
    for fit in (True, False):
        hearing.add_voices(arguments.voices, fit, beds[fit])
    cost: dict[str, float] = {
        f"{name}_ms": round(1000 * float(np.median(times)), 2)
        for name, times in hearing.seconds.items()
    }
    results = {**compare(hearing.heard), "cost": {**cost, "silero_bytes": silero.bytes}}
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
