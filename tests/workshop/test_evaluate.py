from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ccmusic.card import Metrics
from ccmusic.panel import Panel
from ccmusic.picture import Preprocessing
from ccmusic.workshop.data import Recording
from ccmusic.workshop.evaluate import (
    calibrate,
    evaluate,
    fit_temperature,
    measure,
    predict_split,
)
from ccmusic.zoo import Checkpoint
from small_models import make_checkpoint

CLASSES = ("jazz", "rock")


def _recording(genre: str, group: str, source: str = "here") -> Recording:
    return Recording(group, None, genre, source, "", group, "valid")


def test_clips_of_a_group_give_one_verdict() -> None:
    recordings = [
        _recording("jazz", "a"),
        _recording("jazz", "a"),
        _recording("rock", "b", "there"),
        _recording("rock", "c", "there"),
    ]
    # The second clip of a is sure of jazz, the first leans to rock: together they are right.
    logits = np.array([[0, 1], [5, 0], [0, 3], [3, 0]], np.float32)
    metrics = measure(logits, recordings, CLASSES, temperature=1, split="valid")
    assert metrics.recordings == 3
    assert metrics.accuracy == pytest.approx(2 / 3)
    assert metrics.recall == {"jazz": 1, "rock": 0.5}
    assert metrics.macro_recall == pytest.approx(0.75)
    assert metrics.support == {"jazz": 1, "rock": 2}
    assert metrics.confusion == {"jazz": {"jazz": 1}, "rock": {"rock": 1, "jazz": 1}}
    low, high = metrics.accuracy_interval
    assert low < metrics.accuracy < high
    assert metrics.accuracy_by_source == {"here": 1, "there": 0.5}
    assert metrics.support_by_source == {"here": 1, "there": 2}


def test_songs_of_an_artist_are_judged_each_by_itself() -> None:
    songs = [
        replace(_recording("jazz", "artist"), recording="one"),
        replace(_recording("jazz", "artist"), recording="one"),
        replace(_recording("rock", "artist"), recording="two"),
    ]
    logits = np.array([[0, 1], [5, 0], [0, 9]], np.float32)
    metrics = measure(logits, songs, CLASSES, temperature=1, split="valid")
    assert metrics.support == {"jazz": 1, "rock": 1}
    assert metrics.accuracy == 1


def test_the_temperature_of_overconfident_logits_is_found() -> None:
    rng = np.random.default_rng(0)
    honest = rng.normal(0, 2, (4000, 2)).astype(np.float32)
    shares = np.exp(honest) / np.exp(honest).sum(axis=1, keepdims=True)
    truth = (rng.random(4000) < shares[:, 1]).astype(int)
    recordings = [_recording(CLASSES[t], str(i)) for i, t in enumerate(truth)]
    assert fit_temperature(3 * honest, recordings, CLASSES) == pytest.approx(3, rel=0.1)
    metrics = measure(3 * honest, recordings, CLASSES, temperature=3, split="valid")
    assert metrics.calibration_error < 0.04
    assert metrics.calibration_error_by_chance < 0.03
    assert sum(b.recordings for b in metrics.calibration) == 4000
    for b in metrics.calibration:
        assert b.above <= b.confidence <= b.above + 1 / 15 + 1e-4


def test_bands_say_what_a_confidence_was_worth() -> None:
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.5, 1, 2000)
    right = rng.random(2000) < confidence
    recordings = [_recording(CLASSES[int(ok)], str(i)) for i, ok in enumerate(right)]
    logits = np.log(np.stack([1 - confidence, confidence], axis=1))
    metrics = measure(logits, recordings, CLASSES, temperature=1, split="valid", refit=False)
    *_, middling, high = metrics.bands
    assert (middling.level, high.level) == ("middling", "high")
    # A confidence is worth itself; above 0.85 it is 0.925 in the mean.
    assert high.above == pytest.approx(0.85, abs=0.051)
    assert high.accuracy == pytest.approx(0.925, abs=0.03)
    assert high.accuracy_interval[0] < high.accuracy < high.accuracy_interval[1]
    assert metrics.band(0.99) == high
    assert metrics.band(0.7) == middling


def test_without_sure_verdicts_there_is_no_high_band() -> None:
    rng = np.random.default_rng(0)
    recordings = [_recording(CLASSES[int(x)], str(i)) for i, x in enumerate(rng.random(400) < 0.4)]
    logits = np.tile(np.array([[0.0, 2.0]]), (400, 1))
    metrics = measure(logits, recordings, CLASSES, temperature=1, split="valid", refit=False)
    assert [band.level for band in metrics.bands] == ["low"]
    assert metrics.band(0.9) == metrics.bands[0]
    assert metrics.bands[0].recordings == 400


def test_few_recordings_support_no_band() -> None:
    for count, logit in ((3, 1000.0), (6, 3.0), (19, 1000.0)):
        for genre in CLASSES:  # always right, never right
            recordings = [_recording(genre, str(i)) for i in range(count)]
            logits = np.tile(np.array([[logit, 0.0]]), (count, 1))
            metrics = measure(logits, recordings, CLASSES, temperature=1, split="valid")
            assert metrics.bands == ()
            assert metrics.band(1.0) is None


def test_the_surest_verdicts_are_not_good_because_they_are_sure() -> None:
    recordings = [_recording("rock", str(i)) for i in range(60)]
    logits = np.tile(np.array([[1000.0, 0.0]]), (60, 1))
    metrics = measure(logits, recordings, CLASSES, temperature=1, split="valid", refit=False)
    assert [band.level for band in metrics.bands] == ["low"]
    assert metrics.bands[0].recordings == 60
    mixed = [_recording(CLASSES[i % 3 == 0], str(i)) for i in range(60)]
    metrics = measure(logits, mixed, CLASSES, temperature=1, split="valid", refit=False)
    assert [band.level for band in metrics.bands] == ["middling"]


def test_what_is_measured_is_what_users_get(
    tmp_path: Path, write_sound: Callable[..., Path], tone: Callable[..., np.ndarray]
) -> None:
    # Loud beginnings and soft ends: the slices of the whole piece differ, and so does the centre.
    preprocessing = Preprocessing.ccmusic("mel")
    card = make_checkpoint(tmp_path, "own", classes=CLASSES, favourite="jazz", strength=0.1,
                           preprocessing=preprocessing)  # fmt: skip
    checkpoint = Checkpoint(card.model_copy(update={"temperature": 0.05}), tmp_path / "own.onnx")
    rows = ["path,genre,group,split"]
    expected = []
    with Panel([checkpoint]) as panel:
        for number, pitch in enumerate((110, 440, 3000)):
            sound = tone(pitch, 40) * np.linspace(1, 0, 40 * 44_100) ** 6
            song = write_sound(f"{number}.wav", sound.astype(np.float32))
            rows.append(f"{song},{CLASSES[number % 2]},{number},valid")
            (verdict,) = panel.analyze(song).verdicts.values()
            assert sum(verdict.votes.values()) == 3
            expected.append(max(verdict.probabilities.values()))
    manifest = tmp_path / "m.csv"
    manifest.write_text("\n".join(rows))

    def confidence(metrics: Metrics) -> float:
        bins = metrics.calibration
        return sum(b.confidence * b.recordings for b in bins) / metrics.recordings

    (alone,), together = evaluate([checkpoint], manifest)
    assert confidence(together.metrics) == pytest.approx(np.mean(expected), rel=1e-6)
    recordings, (logits,) = predict_split([checkpoint], manifest, "valid")
    assert [each.shape for each in logits] == [(3, 2)] * 3
    metrics = measure(logits, recordings, CLASSES, temperature=0.05, split="valid", refit=False)
    assert confidence(metrics) == pytest.approx(np.mean(expected), rel=1e-6)
    assert alone.accuracy == metrics.accuracy
    assert calibrate(checkpoint, manifest).temperature == fit_temperature(
        logits, recordings, CLASSES
    )


def test_a_genre_that_is_absent_does_not_count() -> None:
    recordings = [_recording("jazz", "a"), _recording("jazz", "b")]
    logits = np.array([[1, 0], [1, 0]], np.float32)
    metrics = measure(logits, recordings, CLASSES, temperature=1, split="valid")
    assert metrics.recall == {"jazz": 1}
    assert metrics.macro_recall == 1
