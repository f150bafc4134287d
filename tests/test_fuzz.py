"""Damage of today's making: ``make fuzz``, ten minutes at most; seeds are by the date.

What fails is kept as a file below ``fuzz/``, whose name is the seed.
"""

from __future__ import annotations

import pickle
import random
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote, urlencode

import numpy as np
import pytest

from ccmusic import audio, dashboard, zoo
from ccmusic.errors import AudioError, CCMusicError, WeightsError
from ccmusic.sandbox import Sandbox
from mutations import mutated
from small_models import make_checkpoint

FILES, WEIGHTS, ADDRESSES = 2000, 200, 300
TODAY = int(datetime.now(UTC).strftime("%Y%m%d")) * 10_000
KEPT = Path(__file__).parent.parent / "fuzz"
CRASHES = {"decoder_died", "decoder_slow", "decoder_memory", "decoder_failed"}
SUFFIXES = (".wav", ".flac", ".ogg", ".opus", ".mp3", ".m4a", ".aac", ".webm", ".aiff", ".caf")


class Failures:
    """What went wrong, and the files that did it."""

    def __init__(self) -> None:
        self._said = list[str]()

    def keep(self, name: str, content: bytes, error: BaseException) -> None:
        KEPT.mkdir(exist_ok=True)
        path = KEPT / name
        path.write_bytes(content)
        self._said.append(f"{path}: {type(error).__name__}: {error}")

    def none(self) -> None:
        assert not self._said, "\n".join([f"kept in {KEPT}:", *self._said])


def unclear(error: Exception) -> bool:
    """Whether it is other than one clear line."""
    return (
        not isinstance(error, CCMusicError)
        or getattr(error, "key", None) in CRASHES
        or "\n" in str(error)
        or "Errno" in str(error)
    )


@pytest.mark.fuzz
def test_sound_files(write_sound, tone, tmp_path: Path) -> None:
    stereo = np.stack([tone(440, 1.2, 48_000)] * 2)
    sounds = {s: write_sound(f"fuzz{s}", stereo, 48_000).read_bytes() for s in SUFFIXES}
    failures, outcomes = Failures(), Counter[str]()

    def decode(seed: int, sandbox: Sandbox) -> None:
        chance = random.Random(seed)
        suffix = chance.choice(SUFFIXES)
        path = tmp_path / f"{seed}{suffix}"
        path.write_bytes(mutated(sounds[suffix], chance))
        try:
            sandbox.run(path.name, audio.load, path)
            outcomes["read"] += 1
        except Exception as error:
            outcomes["refused"] += 1
            if unclear(error):
                failures.keep(path.name, path.read_bytes(), error)
        path.unlink()

    with Sandbox(2, seconds=20) as sandbox, ThreadPoolExecutor(2) as two:
        list(two.map(lambda n: decode(TODAY + n, sandbox), range(FILES)))
    failures.none()
    assert min(outcomes["read"], outcomes["refused"]) > FILES / 10, outcomes


class _Trap:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
        return Path.touch, (self.path,)


@pytest.mark.fuzz
def test_weights(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from safetensors.torch import save_file

    from ccmusic.workshop.weights import read_weights

    trap, path = tmp_path / "trap", tmp_path / "weights.pt"
    state = {f"layer{i}.weight": torch.randn(8, 8) for i in range(8)}
    whole = dict[str, bytes]()
    for form in ("zip", "legacy", "safetensors", "trap", "pickle"):
        if form == "safetensors":
            save_file(state, path)
        elif form == "pickle":
            path.write_bytes(pickle.dumps(_Trap(trap)))
        else:
            content = {"state_dict": state, **({"extra": _Trap(trap)} if form == "trap" else {})}
            torch.save(content, path, _use_new_zipfile_serialization=form != "legacy")
        whole[form] = path.read_bytes()
    failures, refused = Failures(), 0
    modules = ["ccmusic.workshop.weights"]
    with Sandbox(1, seconds=20, memory=6 << 30, writable=True, modules=modules) as sandbox:
        for seed in range(TODAY, TODAY + WEIGHTS):
            chance = random.Random(seed)
            path.write_bytes(mutated(whole[chance.choice(list(whole))], chance))
            try:
                read_weights(path, sandbox=sandbox)
            except Exception as error:
                refused += 1
                if unclear(error) or not isinstance(error, WeightsError):
                    failures.keep(f"{seed}.pt", path.read_bytes(), error)
            assert not trap.exists(), seed
    failures.none()
    assert refused > WEIGHTS / 10


@pytest.fixture
def _one_model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    from ccmusic.dashboard import compute

    make_checkpoint(tmp_path, "resnet50_cqt")
    monkeypatch.setattr(zoo, "SHIPPED", tmp_path)
    yield
    compute.forget_all()


@pytest.mark.fuzz
@pytest.mark.usefixtures("_one_model")
def test_addresses() -> None:
    testing = pytest.importorskip("streamlit.testing.v1")
    values = (
        "en", "zh", "cqt", "mel", "both", "guide", "way", "rain", "celtica", "1", "0", "-1", "nan",
        "inf", "1e999", "9" * 400, "", " ", "\0", "\n", "\ud7ff", "<b>", "../..", "a-b", "-", ",,,",
        "resnet50_cqt", "jazz", "None", "[]", "{}",
    )  # fmt: skip
    names = ("lang", "view", "transform", "example", "other", "own", "start", "off", "top",
             "turned", "map", "vote", "x", "")  # fmt: skip
    failures = Failures()
    for seed in range(TODAY, TODAY + ADDRESSES):
        chance = random.Random(seed)
        query = {
            chance.choice(names): "".join(chance.choices(values, k=chance.choice((1, 1, 1, 2))))
            for _ in range(chance.randrange(8))
        }
        page = testing.AppTest.from_file(
            str(Path(dashboard.__file__).with_name("app.py")), default_timeout=60
        )
        page.query_params.update(query)
        page.run()
        if page.exception:
            address = urlencode(query, quote_via=quote).encode()
            failures.keep(f"{seed}.txt", address, RuntimeError(page.exception[0].message))
    failures.none()


def test_a_failure_is_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(globals(), "KEPT", tmp_path / "fuzz")
    failures = Failures()
    failures.none()
    failures.keep("1.wav", b"x", AudioError("decoder_died", file="1.wav"))
    assert (tmp_path / "fuzz" / "1.wav").read_bytes() == b"x"
    with pytest.raises(AssertionError, match=r"1\.wav: AudioError"):
        failures.none()
    assert unclear(ValueError())
    assert not unclear(AudioError("bad_rate", file="a", rate=1))
