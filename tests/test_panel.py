from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from ccmusic.errors import CCMusicError
from ccmusic.panel import Panel
from ccmusic.picture import Picture, Preprocessing, draw
from ccmusic.verdict import Verdict
from ccmusic.zoo import Checkpoint
from small_models import make_checkpoint


def _checkpoint(folder: Path, name: str, **options: object) -> Checkpoint:
    return Checkpoint(make_checkpoint(folder, name, **options), folder / f"{name}.onnx")


@pytest.fixture(scope="module")
def pictures() -> dict[Preprocessing, tuple[Picture, ...]]:
    preprocessing = Preprocessing.default("cqt")
    noise = np.random.default_rng(0).normal(0, 0.1, 220_500).astype(np.float32)
    return {preprocessing: (draw(preprocessing.transform(noise), preprocessing),)}


def test_every_model_gives_its_verdict(
    tmp_path: Path, pictures: dict[Preprocessing, tuple[Picture, ...]]
) -> None:
    favourites = ["jazz", "rock", "blues"]
    with Panel([_checkpoint(tmp_path, f, favourite=f) for f in favourites]) as panel:
        verdicts = {v.card.name: v for v in panel.predict(pictures)}
    assert sorted(verdicts) == sorted(favourites)
    for name, verdict in verdicts.items():
        assert verdict.error is None
        assert verdict.top(1)[0][0] == name
        assert sum(verdict.probabilities.values()) == pytest.approx(1)
        assert verdict.latency_ms > 0
        assert verdict.maps is not None
        np.testing.assert_allclose(verdict.maps.mean(axis=(1, 2)), verdict.logits, atol=1e-5)


def test_a_failing_model_leaves_the_others_standing(
    tmp_path: Path, pictures: dict[Preprocessing, tuple[Picture, ...]]
) -> None:
    good, bad = _checkpoint(tmp_path, "good"), _checkpoint(tmp_path, "bad")
    bad.path.write_bytes(b"damaged")
    wrong = _checkpoint(tmp_path, "wrong")
    wrong = Checkpoint(wrong.card.model_copy(update={"classes": ("a", "b")}), wrong.path)
    with Panel([bad, good, wrong]) as panel:
        verdicts = {v.card.name: v for v in panel.predict(pictures)}
    assert verdicts["good"].error is None
    assert isinstance(verdicts["bad"].error, CCMusicError)
    assert "sha256" in str(verdicts["bad"].error)
    assert verdicts["bad"].probabilities == {}
    assert "13 scores for 2 classes" in str(verdicts["wrong"].error)


def test_a_panel_serves_many_threads_without_mixing(tmp_path: Path) -> None:
    preprocessing = Preprocessing.default("cqt")
    rng = np.random.default_rng(1)
    sounds = [rng.normal(0, 0.1, 220_500).astype(np.float32) for _ in range(6)]
    sounds = [np.cumsum(s).astype(np.float32) if i % 2 else s for i, s in enumerate(sounds)]
    pictures = [{preprocessing: (draw(preprocessing.transform(s), preprocessing),)} for s in sounds]
    with Panel([_checkpoint(tmp_path, n, favourite=n) for n in ("jazz", "rock")]) as panel:

        def logits(drawn: dict[Preprocessing, tuple[Picture, ...]]) -> dict[str, np.ndarray]:
            return {v.card.name: v.logits for v in panel.predict(drawn)}

        alone = [logits(p) for p in pictures]
        with ThreadPoolExecutor(6) as pool:
            together = list(pool.map(logits, pictures * 5))
    for index, found in enumerate(together):
        for name, values in found.items():
            np.testing.assert_array_equal(values, alone[index % 6][name])


def test_the_temperature_softens_but_does_not_reorder(tmp_path: Path) -> None:
    card = make_checkpoint(tmp_path, "small")
    logits = np.array([3, 1, *[0] * 11], np.float32)
    sharp = Verdict(card, logits=logits)
    soft = Verdict(card.model_copy(update={"temperature": 2.0}), logits=logits)
    assert sharp.top(2)[0][0] == soft.top(2)[0][0] == "rock"
    assert soft.top(1)[0][1] < sharp.top(1)[0][1]
    ratio = soft.probabilities["rock"] / soft.probabilities["jazz"]
    assert ratio == pytest.approx(np.exp(1))
