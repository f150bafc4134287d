"""Fit the coefficients of ``ccmusic.speech``.

    python references/speech.py CLIPS VOICES

CLIPS is the ``clips.csv`` of the music that the models learn from. VOICES is a folder of unpacked
Debian packages with recorded voices, one folder per package (`dpkg-deb -x`); ``espeak-ng`` must be
installed. The script prints the table that stands in ``ccmusic/speech.py``, then what it does on
voices and music that it was not fitted to.
"""

from __future__ import annotations

import argparse
import csv
import subprocess
from collections.abc import Iterable, Iterator
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

LENGTH = 10 * SAMPLE_RATE
SUFFIXES = {".wav", ".ogg", ".g722", ".gsm"}
LEAST = 0.8  # seconds: single words, letters and digits would be a list, not speech
PIECES = 40  # of one voice, at most
# Of the training songs, of rain and dogs, of songs that were worsened.
FALSE_ALARMS, OTHER_ALARMS, WORSENED_ALARMS = 1e-3, 1e-2, 2e-3
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
            "m2",
            "m4",
            "m7",
            "f2",
            "f4",
            "Alicia",
            "Michael",
            "klatt4",
            "linda",
            "belinda",
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


def voices(folder: Path, *, fit: bool, music: list[Samples]) -> dict[str, list[Piece]]:
    """Recorded and synthetic pieces, as they are and worsened."""
    rng = default_rng(3)
    kinds = {"espeak-ng": list(synthesised(fit)), "recorded": list(recorded(folder, fit))}
    for kind, pieces in list(kinds.items()):
        kinds[f"{kind}, worsened"] = [
            Piece(piece.source, worsened(piece.samples, music[rng.integers(len(music))], rng))
            for piece in pieces * (2 if fit else 1)
        ]
    return kinds


def table(pieces: Iterable[Samples]) -> Figures:
    """Measure pieces, float64 [n, measures]; silent ones are left out."""
    found = (speech.measures(piece, SAMPLE_RATE) for piece in pieces)
    return np.array([list(one.values()) for one in found if one is not None])


def main() -> None:
    """Fit, print the model, print what it does."""
    parser = argparse.ArgumentParser(description="Fit the coefficients of ccmusic.speech.")
    parser.add_argument("clips", type=Path)
    parser.add_argument("voices", type=Path)
    arguments = parser.parse_args()
    with arguments.clips.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    rng = default_rng(4)
    measured: list[tuple[dict[str, str], list[float]]] = []
    beds, worse = [], []
    for row in rows:
        samples = load(arguments.clips.parent / row["path"]).samples
        found = speech.measures(samples, SAMPLE_RATE)
        if found is None:
            continue
        measured.append((row, list(found.values())))
        names = list(found)
        if row["split"] != "valid" and rng.random() < 0.25:
            worse.append(worsened(samples, samples, rng))
            if row["genre"] != "environment":
                beds.append(samples[:LENGTH])
    music, music_worse = np.array([values for _, values in measured]), table(worse)
    valid = np.array([row["split"] == "valid" for row, _ in measured])
    environment = np.array([row["genre"] == "environment" for row, _ in measured])

    fitted = voices(arguments.voices, fit=True, music=beds)
    talk = {kind: table(piece.samples for piece in pieces) for kind, pieces in fitted.items()}
    no, yes = np.concatenate([music[~valid], music_worse]), np.concatenate(list(talk.values()))
    both = np.concatenate([no, yes])
    mean, deviation = both.mean(axis=0), both.std(axis=0)

    def scaled(values: Figures) -> Figures:
        return np.asarray(np.clip((values - mean) / deviation, -3, 3), np.float64)

    model = LogisticRegression(max_iter=1000)
    model.fit(scaled(both), np.repeat([0, 1], [len(no), len(yes)]))

    def odds(values: Figures) -> Figures:
        return np.asarray(model.decision_function(scaled(values)), np.float64)

    train = odds(music[~valid])
    songs, other = train[~environment[~valid]], train[environment[~valid]]
    threshold = MARGIN + max(
        np.quantile(songs, 1 - FALSE_ALARMS),
        np.quantile(other, 1 - OTHER_ALARMS),
        np.quantile(odds(music_worse), 1 - WORSENED_ALARMS),
    )
    for line in zip(names, mean, deviation, model.coef_[0], strict=True):
        print('    "{}": ({:.3f}, {:.3f}, {:.3f}),'.format(*line))
    print(f"_INTERCEPT = {model.intercept_[0]:.3f}\n_THRESHOLD = {threshold:.2f}")

    print(f"train: {(songs > threshold).sum()} of {len(songs)} songs,", end=" ")
    print(f"{(other > threshold).sum()} of {len(other)} environment")
    held = odds(music[valid & ~environment])
    print(f"valid: {(held > threshold).sum()} of {len(held)} songs;", end=" ")
    print(f"the nearest is {threshold - held.max():.2f} below")
    for (row, _), value in zip(measured, odds(music), strict=True):
        if value > threshold:
            print(f"  {row['split']} {row['label'] or '-'} {row['path']} {value:.2f}")
    for kind, values in talk.items():
        print(f"fitted {kind}: {(odds(values) > threshold).mean():.3f} of {len(values)}")
    for kind, pieces in voices(arguments.voices, fit=False, music=beds).items():
        right = odds(table(piece.samples for piece in pieces)) > threshold
        print(f"held out {kind}: {right.mean():.3f} of {len(pieces)}")
        sources = np.array([piece.source.partition("+")[0] for piece in pieces])
        for source in np.unique(sources):
            print(f"  {source} {right[sources == source].mean():.2f}", end="")
        print()


if __name__ == "__main__":
    main()
