"""Checkpoints of a few kilobytes that obey the contract of real ones."""

import hashlib
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from ccmusic.card import Calibration, DataSource, Metrics, ModelCard
from ccmusic.genres import GENRES
from ccmusic.picture import Preprocessing
from ccmusic.spectrogram import TransformName

METRICS = Metrics(
    split="valid",
    recordings=2,
    accuracy=0.5,
    accuracy_interval=(0, 1),
    macro_recall=0.5,
    macro_recall_interval=(0, 1),
    recall={"jazz": 1, "rock": 0},
    support={"jazz": 1, "rock": 1},
    confusion={"jazz": {"jazz": 1}, "rock": {"jazz": 1}},
    accuracy_by_source={"here": 0.5},
    support_by_source={"here": 2},
    calibration=(Calibration(above=0.8, confidence=0.85, accuracy=0.5, recordings=2),),
    calibration_error=0.35,
    calibration_error_by_chance=0.25,
)


def make_checkpoint(
    folder: Path,
    name: str,
    *,
    favourite: str = "jazz",
    strength: float = 3.0,
    transform: TransformName = "cqt",
    classes: tuple[str, ...] = tuple(GENRES),
    backbone: str = "resnet50",
    preprocessing: Preprocessing | None = None,
) -> ModelCard:
    """A network that always prefers one class, a little more where the picture is bright."""
    weights = np.zeros((len(classes), 3, 1, 1), np.float32)
    weights[classes.index(favourite)] = 0.1
    bias = np.zeros(len(classes), np.float32)
    bias[classes.index(favourite)] = strength
    graph = helper.make_graph(
        [
            helper.make_node(
                "AveragePool", ["picture"], ["small"], kernel_shape=[32, 32], strides=[32, 32]
            ),
            helper.make_node("Conv", ["small", "weights", "bias"], ["maps"]),
            helper.make_node("ReduceMean", ["maps", "axes"], ["logits"], keepdims=0),
        ],
        name,
        [helper.make_tensor_value_info("picture", TensorProto.FLOAT, ["n", 3, 224, 224])],
        [
            helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", len(classes)]),
            helper.make_tensor_value_info("maps", TensorProto.FLOAT, ["n", len(classes), 7, 7]),
        ],
        [
            numpy_helper.from_array(weights, "weights"),
            numpy_helper.from_array(bias, "bias"),
            numpy_helper.from_array(np.array([2, 3]), "axes"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.onnx"
    onnx.save(model, path)
    card = ModelCard(
        name=name,
        backbone=backbone,
        preprocessing=preprocessing or Preprocessing.default(transform),
        classes=classes,
        parameters=int(weights.size + bias.size),
        multiply_adds=1000,
        precision="fp32",
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        metrics=METRICS,
        data="none",
        sources=(
            DataSource(source="here", licence="MIT", recordings=1, clips={"jazz": 1}, unlabelled=0),
        ),
        licence="MIT",
    )
    path.with_suffix(".json").write_text(card.to_json(), encoding="utf-8")
    return card
