import csv
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from ccmusic.errors import DataError
from ccmusic.workshop.data import read_soft_targets
from tag import musicnn, read_weights, tag
from tensorflow_graph import tensors

WIDTHS = [1, 204, 204, 51, 51, 51, 64, 64, 64, 1506, 200]
KERNELS = [(7, 38, 204), (7, 67, 204), (128, 1, 51), (64, 1, 51), (32, 1, 51), (7, 561, 64),
           (7, 64, 64), (7, 64, 64)]  # fmt: skip


def _named(name: str, index: int) -> str:
    return f"{name}_{index}" if index else name


def _weights() -> dict[str, np.ndarray]:
    """Random weights of the true geometry."""
    rng = np.random.default_rng(0)
    weights = {"dense/kernel": (1506, 200), "dense/bias": (200,)}
    weights |= {"dense_1/kernel": (200, 50), "dense_1/bias": (50,)}
    for index, width in enumerate(WIDTHS):
        for part in ("beta", "gamma", "moving_mean", "moving_variance"):
            weights[f"{_named('batch_normalization', index)}/{part}"] = (width,)
    for index, (height, width, filters) in enumerate(KERNELS):
        weights[f"{_named('conv2d', index)}/kernel"] = (height, width, 1, filters)
        weights[f"{_named('conv2d', index)}/bias"] = (filters,)
    return {
        name: np.abs(rng.normal(0, 0.05, shape)).astype(np.float32)
        for name, shape in weights.items()
    }


def _varint(value: int) -> bytes:
    out = b""
    while value >= 0x80:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def _field(number: int, value: int | bytes) -> bytes:
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _block(entries: list[tuple[bytes, bytes]]) -> bytes:
    """Entries whose keys share their prefix with the one before."""
    out, last = b"", b""
    for key, value in entries:
        shared = 0
        while shared < min(len(key), len(last)) and key[shared] == last[shared]:
            shared += 1
        fresh = key[shared:]
        out += _varint(shared) + _varint(len(fresh)) + _varint(len(value)) + fresh + value
        last = key
    return out + struct.pack("<II", 0, 1)


def _checkpoint(weights: dict[str, np.ndarray]) -> tuple[bytes, bytes]:
    data, records = b"", [(b"", _field(1, 1))]
    for name in sorted(weights):
        values = weights[name].tobytes()
        shape = b"".join(_field(2, _field(1, size)) for size in weights[name].shape)
        record = _field(1, 1) + _field(2, shape) + _field(4, len(data)) + _field(5, len(values))
        records.append((name.encode(), record + b"\x35" + b"crc3"))
        data += values
    block = _block(records)
    table = block + b"\0crc3"
    handle = _varint(0) + _varint(len(block))
    index_block = _block([(b"zzz", handle)])
    footer = _varint(0) + _varint(0) + _varint(len(table)) + _varint(len(index_block))
    return table + index_block + b"\0crc3" + footer.ljust(48, b"\0"), data


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("wheel") / "musicnn.whl"
    index, data = _checkpoint(_weights())
    with zipfile.ZipFile(path, "w") as archive:
        for training in ("MTT_musicnn", "MSD_musicnn"):
            archive.writestr(f"musicnn/{training}/.index", index)
            archive.writestr(f"musicnn/{training}/.data-00000-of-00001", data)
    return path


def test_a_checkpoint_is_read_without_tensorflow() -> None:
    weights = _weights()
    found = dict(tensors(*_checkpoint(weights)))
    assert found.keys() == weights.keys()
    for name, values in weights.items():
        np.testing.assert_array_equal(found[name], values)


@pytest.mark.parametrize("index", [b"", b"junk", b"\xff" * 200], ids=["empty", "short", "long"])
def test_another_file_is_refused(index: bytes) -> None:
    with pytest.raises(ValueError, match="not a TensorFlow checkpoint"):
        dict(tensors(index, b""))


def test_the_network_hears_three_seconds_at_a_time(wheel: Path) -> None:
    weights = read_weights(wheel, "MSD_musicnn")
    with torch.inference_mode():
        penultimate, tags = musicnn(torch.rand(2, 187, 96), weights)
    assert penultimate.shape == (2, 200)
    assert tags.shape == (2, 50)
    assert ((tags >= 0) & (tags <= 1)).all()


def test_what_it_hears_is_fit_for_teaching(manifest: Path, wheel: Path, tmp_path: Path) -> None:
    rows = list(csv.DictReader(manifest.open()))[:3]
    few = manifest.with_name("few.csv")
    with few.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows([*rows, {**rows[0], "path": "missing.wav"}])
    tag(few, wheel, tmp_path / "f.npz", tmp_path / "s.csv")
    with np.load(tmp_path / "f.npz") as file:
        assert file["features"].shape == (3, 400)
        assert file["path"].tolist() == [row["path"] for row in rows]
    soft, names = read_soft_targets(tmp_path / "s.csv")
    assert len(names) == 100
    assert set(soft) == {row["path"] for row in rows}


def test_a_wheel_that_is_another_is_refused(tmp_path: Path, manifest: Path) -> None:
    with zipfile.ZipFile(tmp_path / "other.whl", "w") as archive:
        archive.writestr("other.py", "")
    (tmp_path / "junk.whl").write_bytes(b"junk")
    for name in ("other.whl", "junk.whl", "missing.whl"):
        with pytest.raises(DataError, match="not the wheel of musicnn"):
            tag(manifest, tmp_path / name, tmp_path / "f.npz", tmp_path / "s.csv")
