import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from ccmusic import analyze, zoo
from ccmusic.errors import CheckpointError
from ccmusic.runtime import onnxruntime
from ccmusic.sandbox import Sandbox
from small_models import make_checkpoint

SONG = Path(__file__).parent.parent / "examples" / "vibe_ace.ogg"


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
    with pytest.raises(CheckpointError, match="choose it with `transform`"):
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


def _by_hand(folder: Path, name: str, nodes: list[Any], constants: dict[str, np.ndarray]) -> None:
    """Put a file of a stranger's making into the folder, with a valid card."""
    card = make_checkpoint(folder, name)
    path = folder / f"{name}.onnx"
    model = onnx.load(path)
    model.graph.node.extend(nodes)
    for key, array in constants.items():
        model.graph.initializer.append(onnx.numpy_helper.from_array(array, key))
    last = next(node for node in model.graph.node if node.output[0] == "logits")
    last.output[0] = "before"
    onnx.save(model, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    path.with_suffix(".json").write_text(card.model_copy(update={"sha256": digest}).to_json())


def test_a_file_that_loops_or_fills_the_memory_costs_its_own_model_only(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node, info, kinds = onnx.helper.make_node, onnx.helper.make_tensor_value_info, onnx.TensorProto
    body = onnx.helper.make_graph(
        [node("Identity", ["go"], ["on"]), node("Add", ["x", "x"], ["y"])],
        "body",
        [info("i", kinds.INT64, []), info("go", kinds.BOOL, []), info("x", kinds.FLOAT, [1, 13])],
        [info("on", kinds.BOOL, []), info("y", kinds.FLOAT, [1, 13])],
    )
    _by_hand(
        folder,
        "endless_cqt",
        [node("Loop", ["times", "true", "before"], ["logits"], body=body)],
        {"times": np.array(2**62), "true": np.array(True)},
    )
    _by_hand(
        folder,
        "huge_cqt",
        [
            node("ConstantOfShape", ["shape"], ["zeros"]),
            node("ReduceMax", ["zeros"], ["zero"], keepdims=0),
            node("Add", ["before", "zero"], ["logits"]),
        ],
        {"shape": np.array([1 << 16, 1 << 18])},
    )
    make_checkpoint(folder, "honest_cqt", favourite="jazz")
    monkeypatch.setattr(zoo, "_SECONDS", 6.0)
    for time in ("first", "second"):
        verdicts = analyze(SONG).verdicts
        assert verdicts["honest_cqt"].error is None
        assert verdicts["honest_cqt"].probabilities["jazz"] > 0.5
        for name, said in (("endless_cqt", "within 6 s"), ("huge_cqt", "MB of memory")):
            error = str(verdicts[name].error)
            assert f"{name}.onnx" in error
            assert said in error
            assert f"ccmusic models remove {name}" in error
        if time == "first":  # what was found out is remembered
            monkeypatch.setattr(zoo, "_run_once", None)


def test_what_passed_once_is_not_tried_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []
    monkeypatch.setattr(zoo, "_tried", set())
    monkeypatch.setattr(Sandbox, "run", lambda *_: tried.append(1))
    card = make_checkpoint(folder, "mine")
    checkpoint = zoo.find_one("mine")
    for expected in (1, 1):
        checkpoint.open()
        assert len(tried) == expected
    zoo._tried.clear()  # another command
    checkpoint.open()
    assert len(tried) == 1
    other = zoo.store(card.renamed("other"), checkpoint.path.read_bytes(), folder)
    other.open()
    shipped = zoo.Checkpoint(card, checkpoint.path)
    (folder.parent / "tried" / card.sha256).unlink()
    zoo._tried.clear()
    monkeypatch.setattr(zoo, "SHIPPED", folder)
    shipped.open()
    assert len(tried) == 1
