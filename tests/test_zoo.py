from pathlib import Path

import pytest

from ccmusic import zoo
from ccmusic.errors import CheckpointError
from ccmusic.runtime import onnxruntime
from small_models import make_checkpoint


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's folder, and nothing shipped."""
    monkeypatch.setenv("CCMUSIC_HOME", str(tmp_path))
    monkeypatch.setattr(zoo, "SHIPPED", tmp_path / "none")
    return tmp_path / "checkpoints"


def test_names_may_be_those_of_checkpoints_or_backbones(folder: Path) -> None:
    make_checkpoint(folder, "resnet50_cqt")
    make_checkpoint(folder, "resnet50_mel", transform="mel")
    make_checkpoint(folder, "vgg19_bn_cqt", backbone="vgg19_bn")
    assert [c.card.name for c in zoo.find("cqt")] == ["resnet50_cqt", "vgg19_bn_cqt"]
    assert [c.card.name for c in zoo.find("mel", ["resnet50"])] == ["resnet50_mel"]
    assert [c.card.name for c in zoo.find("cqt", ["vgg19_bn_cqt"])] == ["vgg19_bn_cqt"]
    with pytest.raises(CheckpointError, match="unknown model alexnet; known: resnet50_cqt"):
        zoo.find("cqt", ["alexnet"])
    with pytest.raises(CheckpointError, match="add --transform mel"):
        zoo.find("cqt", ["resnet50_mel"])


def test_without_checkpoints_it_says_so(folder: Path) -> None:
    with pytest.raises(CheckpointError, match="no checkpoints for mel yet"):
        zoo.find("mel")


def test_an_onnx_file_without_a_card_is_a_problem_with_a_name(folder: Path) -> None:
    make_checkpoint(folder, "good")
    make_checkpoint(folder, "orphan")
    (folder / "orphan.json").unlink()
    found, problems = zoo.scan()
    assert [c.card.name for c in found] == ["good"]
    assert "orphan.json: no model card" in str(problems[0])
    with pytest.raises(CheckpointError, match=r"orphan\.json: no model card"):
        zoo.find("cqt", ["orphan"])


def test_a_changed_file_is_not_loaded(folder: Path) -> None:
    make_checkpoint(folder, "small")
    path = folder / "small.onnx"
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    with pytest.raises(CheckpointError, match="sha256"):
        zoo.find_one("small").open()
    path.unlink()
    with pytest.raises(CheckpointError, match="missing"):
        zoo.find_one("small").open()


@pytest.mark.parametrize("gpu", [True, False])
def test_cuda_is_used_where_it_is(folder: Path, monkeypatch: pytest.MonkeyPatch, gpu: bool) -> None:
    make_checkpoint(folder, "small")
    installed = ["CUDAExecutionProvider"] * gpu + ["AzureExecutionProvider", "CPUExecutionProvider"]
    asked = []
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: installed)
    monkeypatch.setattr(
        onnxruntime,
        "InferenceSession",
        lambda path, options, providers: asked.append(providers),
    )
    zoo.find_one("small").open()
    assert asked == [["CUDAExecutionProvider"] * gpu + ["CPUExecutionProvider"]]


def test_a_file_that_is_no_network_is_not_loaded(folder: Path) -> None:
    import hashlib

    card = make_checkpoint(folder, "small")
    content = b"not a network"
    (folder / "small.onnx").write_bytes(content)
    changed = card.model_copy(update={"sha256": hashlib.sha256(content).hexdigest()})
    (folder / "small.json").write_text(changed.to_json())
    with pytest.raises(CheckpointError, match="cannot be loaded as ONNX"):
        zoo.find_one("small").open()


def test_the_users_checkpoint_hides_the_shipped_one(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zoo, "SHIPPED", tmp_path / "shipped")
    make_checkpoint(tmp_path / "shipped", "small", favourite="rock")
    make_checkpoint(folder, "small", favourite="jazz")
    assert zoo.find_one("small").path.parent == folder


def test_names_that_differ_only_in_case_are_refused(folder: Path) -> None:
    card = make_checkpoint(folder, "Jazz_cqt")
    with pytest.raises(CheckpointError, match="Jazz_cqt exists already"):
        zoo.store(card.renamed("jazz_CQT"), b"weights", folder)
    assert sorted(path.name for path in folder.iterdir()) == ["Jazz_cqt.json", "Jazz_cqt.onnx"]
    zoo.store(card, b"other weights", folder)
    assert (folder / "Jazz_cqt.onnx").read_bytes() == b"other weights"
