import json
import os
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ccmusic.errors import CCMusicError, CheckpointError, ClosedError
from ccmusic.panel import Panel
from ccmusic.picture import Picture, Preprocessing
from ccmusic.verdict import Verdict
from ccmusic.zoo import Checkpoint
from small_models import make_checkpoint

EXAMPLES = Path(__file__).parent.parent / "examples"


def _checkpoint(folder: Path, name: str, **options: Any) -> Checkpoint:
    return Checkpoint(make_checkpoint(folder, name, **options), folder / f"{name}.onnx")


@pytest.fixture(scope="module")
def pictures() -> dict[Preprocessing, tuple[Picture, ...]]:
    preprocessing = Preprocessing.default("cqt")
    noise = np.random.default_rng(0).normal(0, 0.1, 220_500).astype(np.float32)
    return {
        preprocessing: (Picture.from_spectrogram(preprocessing.transform(noise), preprocessing),)
    }


def test_every_model_gives_its_verdict(
    tmp_path: Path, pictures: dict[Preprocessing, tuple[Picture, ...]]
) -> None:
    favourites = ["jazz", "rock", "blues"]
    with Panel([_checkpoint(tmp_path, f, favourite=f) for f in favourites]) as panel:
        verdicts = {v.card.name: v for v in panel.run(pictures)}
    assert sorted(verdicts) == sorted(favourites)
    for name, verdict in verdicts.items():
        assert verdict.error is None
        assert verdict.top(1)[0][0] == name
        assert sum(verdict.probabilities.values()) == pytest.approx(1)
        assert verdict.latency_ms > 0
        assert verdict.maps is not None
        assert verdict.logits is not None
        np.testing.assert_allclose(verdict.maps.mean(axis=(1, 2)), verdict.logits, atol=1e-5)


def test_a_failing_model_leaves_the_others_standing(
    tmp_path: Path, pictures: dict[Preprocessing, tuple[Picture, ...]]
) -> None:
    good, bad = _checkpoint(tmp_path, "good"), _checkpoint(tmp_path, "bad")
    bad.path.write_bytes(b"damaged")
    wrong = _checkpoint(tmp_path, "wrong")
    wrong = Checkpoint(wrong.card.model_copy(update={"classes": ("a", "b")}), wrong.path)
    with Panel([bad, good, wrong]) as panel:
        verdicts = {v.card.name: v for v in panel.run(pictures)}
    assert verdicts["good"].error is None
    assert isinstance(verdicts["bad"].error, CCMusicError)
    assert "sha256" in str(verdicts["bad"].error)
    assert verdicts["bad"].probabilities == {}
    assert "outputs 13 scores, but its card lists 2 classes" in str(verdicts["wrong"].error)


class _Session:
    """An inference session that does what a test wants."""

    def __init__(self, run: Callable[[], object]) -> None:
        self._run = run

    def run(self, names: list[str], inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        self._run()
        return [np.zeros((1, 13), np.float32), np.zeros((1, 13, 7, 7), np.float32)]


def _with_session(
    monkeypatch: pytest.MonkeyPatch, run: Callable[[], object], name: str | None = None
) -> None:
    """Let the models, or the one of this name, run so."""
    whole = Checkpoint.open

    def opened(self: Checkpoint, *, threads: int = 0) -> object:
        ours = name in (None, self.card.name)
        return _Session(run) if ours else whole(self, threads=threads)

    monkeypatch.setattr(Checkpoint, "open", opened)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        CancelledError(),
        RuntimeError(""),
        ValueError("\n"),
        OSError(5, "broken"),
        Exception("one line\nand another"),
        StopIteration(),
        GeneratorExit(),
        KeyboardInterrupt(),
        SystemExit(1),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "odd"),
        CCMusicError("on purpose"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_whatever_a_model_raises_the_others_stand(
    tmp_path: Path,
    pictures: dict[Preprocessing, tuple[Picture, ...]],
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
) -> None:
    def fail() -> None:
        raise error

    _with_session(monkeypatch, fail, "bad")
    with Panel([_checkpoint(tmp_path, name) for name in ("bad", "good")]) as panel:
        verdicts = {v.card.name: v for v in panel.run(pictures)}
    assert verdicts["good"].error is None
    assert isinstance(verdicts["bad"].error, CCMusicError)
    assert "\n" not in str(verdicts["bad"].error)
    assert not str(verdicts["bad"].error).endswith("()")


def test_a_verdict_that_is_not_finite_is_that_models_error(
    tmp_path: Path,
) -> None:
    strengths = {"good": 3.0, "endless": float("inf"), "nan": float("nan")}
    checkpoints = [_checkpoint(tmp_path, n, strength=s) for n, s in strengths.items()]
    with Panel(checkpoints) as panel:
        analysis = panel.analyze(EXAMPLES / "rain.ogg")
    assert analysis.verdicts["good"].error is None
    for name in ("endless", "nan"):
        assert "not numbers" in str(analysis.verdicts[name].error)
    assert analysis.agreement is not None
    assert analysis.agreement.models == 1
    json.dumps(analysis.to_dict(), allow_nan=False)


def test_of_several_slices_the_maps_are_those_of_the_middle_one(tmp_path: Path) -> None:
    preprocessing = Preprocessing.default("cqt")
    levels = [0.01, 0.02, 0.03, 0.04]
    rng = np.random.default_rng(3)
    slices = tuple(
        Picture.from_spectrogram(
            preprocessing.transform(rng.normal(0, x, 220_500).astype(np.float32)), preprocessing
        )
        for x in levels
    )
    with Panel([_checkpoint(tmp_path, "one")]) as panel:
        (whole,) = panel.run({preprocessing: slices})
        (third,) = panel.run({preprocessing: slices[2:3]})
        (second,) = panel.run({preprocessing: slices[1:2]})
    assert whole.maps is not None
    assert third.maps is not None
    assert second.maps is not None
    np.testing.assert_allclose(whole.maps, third.maps, atol=1e-6)
    assert not np.allclose(whole.maps, second.maps, atol=1e-6)
    assert sum(whole.votes.values()) == 4


def test_attention_shows_the_slice_whose_maps_are_kept(tmp_path: Path) -> None:
    preprocessing = Preprocessing.default("cqt").model_copy(update={"slice_seconds": 4.0})
    levels = np.repeat([0.02, 0.3, 0.05, 0.2], 4 * 22_050)  # four slices unlike each other
    sound = np.random.default_rng(4).normal(0, levels).astype(np.float32)
    with Panel([_checkpoint(tmp_path, "one", preprocessing=preprocessing)]) as panel:
        analysis = panel.analyze((sound, 22_050))
        slices = analysis.pictures[preprocessing]
        assert len(slices) == 4
        shown = analysis.attention("one")
        assert shown is not None
        assert shown.picture is slices[2]
        (alone,) = panel.run({preprocessing: (shown.picture,)})
    maps = analysis.verdicts["one"].maps
    assert maps is not None
    assert alone.maps is not None
    np.testing.assert_allclose(maps, alone.maps, atol=1e-6)


def test_models_are_asked_the_most_expensive_first_and_told_by_transform(tmp_path: Path) -> None:
    costs = {"a": 1, "c": 3, "b": 2}
    checkpoints = []
    for name, cost in costs.items():
        transform = "mel" if name == "a" else "cqt"
        made = _checkpoint(tmp_path, name, transform=transform)
        checkpoints.append(
            Checkpoint(made.card.model_copy(update={"multiply_adds": cost}), made.path)
        )
    with Panel(checkpoints) as panel:
        assert [c.card.name for c in panel.checkpoints] == ["c", "b", "a"]
        assert [card.name for card in panel.cards] == ["c", "b", "a"]
        both = panel.select(["a"]).combine(panel.select(["c", "b"]))
        assert [c.card.name for c in both.checkpoints] == ["c", "b", "a"]


def test_select_of_all_changes_nothing(
    tmp_path: Path, pictures: dict[Preprocessing, tuple[Picture, ...]]
) -> None:
    names = ["jazz", "rock", "blues"]
    with Panel([_checkpoint(tmp_path, n, favourite=n, backbone=n) for n in names]) as panel:
        analysis = panel.analyze(EXAMPLES / "rain.ogg")
        all_of_it = panel.select(names).analyze(EXAMPLES / "rain.ogg")
    for same in (analysis.select(names), all_of_it):
        assert list(same.verdicts) == list(analysis.verdicts)
        assert same.mean == analysis.mean
        assert same.agreement == analysis.agreement
        assert same.transform == analysis.transform


def test_closing_ends_an_analysis_in_another_thread(
    tmp_path: Path,
    pictures: dict[Preprocessing, tuple[Picture, ...]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    running, release = threading.Event(), threading.Event()

    def wait() -> None:
        running.set()
        assert release.wait(60)

    _with_session(monkeypatch, wait)
    panel = Panel([_checkpoint(tmp_path, n) for n in ("one", "two")], concurrency=1)
    with ThreadPoolExecutor(2) as threads:
        asking = threads.submit(lambda: list(panel.run(pictures)))
        assert running.wait(60)
        closing = threads.submit(panel.close)
        while not panel._pool._shutdown:
            pass
        release.set()
        closing.result(60)
        with pytest.raises(ClosedError, match="closed"):
            asking.result(60)


def test_a_view_leaves_the_models_to_their_panel(
    tmp_path: Path, pictures: dict[Preprocessing, tuple[Picture, ...]]
) -> None:
    with (
        Panel([_checkpoint(tmp_path, "one")]) as first,
        Panel([_checkpoint(tmp_path, "two")]) as second,
    ):
        with first.select(["one"]) as some, first.combine(second) as both:
            assert len(list(some.run(pictures))) == 1
            assert len(list(both.run(pictures))) == 2
        for view in (some, both):
            with pytest.raises(ClosedError):
                list(view.run(pictures))
        assert len(list(first.run(pictures))) == 1
        view, both = first.select(["one"]).select(["one"]), first.combine(second)
        second.close()
        assert len(list(view.run(pictures))) == 1
        with pytest.raises(ClosedError):
            list(both.run(pictures))


def test_a_closed_panel_says_so(tmp_path: Path) -> None:
    panel = Panel([_checkpoint(tmp_path, "one")])
    panel.close()
    panel.close()
    for use in (
        lambda: panel.analyze(EXAMPLES / "rain.ogg"),
        lambda: panel.timeline(EXAMPLES / "rain.ogg"),
        lambda: panel.select(["one"]),
        lambda: panel.combine(panel),
        lambda: list(panel.run({})),
    ):
        with pytest.raises(ClosedError, match=r"closed; open another one with Panel\.open"):
            use()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_panel_does_not_cross_a_fork(tmp_path: Path) -> None:
    with Panel([_checkpoint(tmp_path, "one")]) as panel:
        panel.analyze(EXAMPLES / "rain.ogg")
        child = os.fork()
        if child == 0:
            try:
                panel.analyze(EXAMPLES / "rain.ogg")
            except ClosedError as error:
                panel.close()
                os._exit(0 if "another process" in str(error) else 2)
            os._exit(1)
        assert os.waitpid(child, 0)[1] == 0
        assert panel.analyze(EXAMPLES / "rain.ogg").agreement is not None


def test_probabilities_are_computed_once(tmp_path: Path) -> None:
    card = make_checkpoint(tmp_path, "small")
    verdict = Verdict(card, logits=np.arange(13, dtype=np.float32))
    assert verdict.probabilities is verdict.probabilities


def test_a_panel_serves_many_threads_without_mixing(tmp_path: Path) -> None:
    preprocessing = Preprocessing.default("cqt")
    rng = np.random.default_rng(1)
    sounds = [rng.normal(0, 0.1, 220_500).astype(np.float32) for _ in range(6)]
    sounds = [np.cumsum(s).astype(np.float32) if i % 2 else s for i, s in enumerate(sounds)]
    pictures: list[dict[Preprocessing, tuple[Picture, ...]]] = [
        {preprocessing: (Picture.from_spectrogram(preprocessing.transform(s), preprocessing),)}
        for s in sounds
    ]
    with Panel([_checkpoint(tmp_path, n, favourite=n) for n in ("jazz", "rock")]) as panel:

        def logits(drawn: dict[Preprocessing, tuple[Picture, ...]]) -> dict[str, np.ndarray | None]:
            return {v.card.name: v.logits for v in panel.run(drawn)}

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


def test_a_function_joins_a_panel(home: Path) -> None:
    seen: list[tuple[int, ...]] = []

    def function(pictures: np.ndarray) -> list[list[float]]:
        seen.append(pictures.shape)
        return [[3.0, 0.0]] * len(pictures)

    preprocessing = Preprocessing.default("cqt")
    loud = Checkpoint.from_function(
        function, name="loud", classes=["jazz", "rock"], preprocessing=preprocessing
    )
    with Panel.open("cqt") as others, Panel([loud]) as mine:
        analysis = others.combine(mine).analyze(EXAMPLES / "rain.ogg")
    assert seen == [(1, 3, 224, 224)]
    verdict = analysis.verdict("loud")
    assert dict(verdict.top(1)) == pytest.approx({"jazz": 1 / (1 + np.exp(-3))})
    assert analysis.attention("loud") is None
    assert analysis.agreement is not None
    assert json.dumps(analysis.to_dict())


def test_a_function_that_is_no_model_is_its_own_error(home: Path) -> None:
    make = partial(Checkpoint.from_function, preprocessing=Preprocessing.default("cqt"))

    def broken(_: np.ndarray) -> None:
        raise OSError("no\nnetwork")

    wrong = make(lambda pictures: [[0.0] * 5], name="wrong", classes=["a", "b"])
    with Panel([wrong, make(broken, name="broken", classes=["a", "b"])]) as panel:
        analysis = panel.analyze(EXAMPLES / "rain.ogg")
    assert "wrong" in str(analysis.verdicts["wrong"].error)
    assert "no" in str(analysis.verdicts["broken"].error)
    for name, classes in (("a b", ["x", "y"]), ("ok", ["x"]), ("ok", ["x", "x"]), ("con", "xy")):
        with pytest.raises(CheckpointError):
            make(broken, name=name, classes=classes)


def test_a_module_joins_a_panel(home: Path) -> None:
    torch = pytest.importorskip("torch")
    module = torch.nn.Sequential(
        torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Dropout(0.9),
        torch.nn.Linear(3, 2),
    )  # fmt: skip
    mine = Checkpoint.from_module(
        module, classes=["jazz", "rock"], preprocessing=Preprocessing.default("mel")
    )
    with Panel([mine]) as panel:
        analysis = panel.analyze(EXAMPLES / "rain.ogg")
    assert mine.card.parameters == 8
    picture = torch.from_numpy(analysis.picture("Sequential").input[None])
    with torch.inference_mode():
        expected = module.eval()(picture)[0].numpy()
    logits = analysis.verdict("Sequential").logits
    assert logits is not None
    np.testing.assert_allclose(logits, expected, rtol=1e-5)
