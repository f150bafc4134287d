"""What else was tried with the runtime: ``python benchmarks/variants.py``.

Every setting is timed beside the one in use, in turns. OpenVINO is timed where it is installed.
"""

import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from ccmusic import Panel, analyze, zoo
from ccmusic.panel import available_cores
from ccmusic.picture import normalise
from ccmusic.runtime import onnxruntime
from ccmusic.zoo import Checkpoint
from timing import keep, median_ms

SONG = Path(__file__).parent.parent / "examples" / "vibe_ace.ogg"
LEVEL = onnxruntime.GraphOptimizationLevel
REPEATS = 12


def opened(model: Path | bytes, **settings: Any) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.enable_mem_pattern = False
    options.log_severity_level = 3
    for name, value in settings.items():
        setattr(options, name, value)
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def with_normalisation(checkpoint: Checkpoint) -> bytes:
    """The same network, from grey uint8 [n, 1, size, size] on."""
    model = onnx.load(checkpoint.path)
    preprocessing = checkpoint.card.preprocessing
    mean, std = (
        np.resize(value, (1, preprocessing.channels, 1, 1)).astype(np.float32)
        for value in (preprocessing.mean, preprocessing.std)
    )
    graph = model.graph
    (old,) = (value for value in graph.input if value.name == "picture")
    graph.input.remove(old)
    shape: list[str | int | None] = ["n", 1, preprocessing.size, preprocessing.size]
    graph.input.append(helper.make_tensor_value_info("grey", TensorProto.UINT8, shape))
    scale = helper.make_tensor("grey.scale", TensorProto.FLOAT, mean.shape, 1 / (255 * std))
    shift = helper.make_tensor("grey.shift", TensorProto.FLOAT, mean.shape, mean / std)
    graph.initializer.extend([scale, shift])
    first = [
        helper.make_node("Cast", ["grey"], ["grey.float"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["grey.float", "grey.scale"], ["grey.scaled"]),
        helper.make_node("Sub", ["grey.scaled", "grey.shift"], ["picture"]),
    ]
    nodes = [*first, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    serialised: bytes = model.SerializeToString()
    return serialised


def settings(checkpoints: Sequence[Checkpoint]) -> dict[str, float]:
    """Time of all five over their time as they are, each model on one core, in turn."""
    one = analyze(SONG).pictures
    (drawn,) = next(iter(one.values()))
    picture = {"picture": drawn.input[None]}
    grey = {"grey": drawn.pixels[None, None]}
    preprocessing = drawn.preprocessing

    def each(sessions: Sequence[Any], inputs: dict[str, Any]) -> Callable[[], object]:
        return lambda: [s.run(None, inputs) for s in sessions]

    def made(**changed: Any) -> list[onnxruntime.InferenceSession]:
        return [opened(checkpoint.path, **changed) for checkpoint in checkpoints]

    plain = [checkpoint.open(threads=1) for checkpoint in checkpoints]

    def from_grey_outside() -> None:
        for session in plain:
            session.run(None, {"picture": normalise(drawn.pixels, preprocessing)[None]})

    inside = [opened(with_normalisation(checkpoint)) for checkpoint in checkpoints]
    tried: dict[str, Callable[[], object]] = {
        "as it is": each(plain, picture),
        "not optimised": each(made(graph_optimization_level=LEVEL.ORT_DISABLE_ALL), picture),
        "basic": each(made(graph_optimization_level=LEVEL.ORT_ENABLE_BASIC), picture),
        "extended": each(made(graph_optimization_level=LEVEL.ORT_ENABLE_EXTENDED), picture),
        "an arena for each model": each(made(), picture),
        "memory patterns": each(made(enable_mem_pattern=True), picture),
        "no memory arena": each(made(enable_cpu_mem_arena=False), picture),
        "all cores for one model": each(made(intra_op_num_threads=available_cores()), picture),
        "branches at once": each(
            made(
                execution_mode=onnxruntime.ExecutionMode.ORT_PARALLEL,
                inter_op_num_threads=available_cores(),
            ),
            picture,
        ),
        "normalised outside": from_grey_outside,
        "uint8 in, normalised inside": each(inside, grey),
    }  # fmt: skip
    if importlib.util.find_spec("openvino"):
        import openvino

        core = openvino.Core()
        compiled = [
            core.compile_model(str(c.path), "CPU", {"INFERENCE_NUM_THREADS": 1})
            for c in checkpoints
        ]
        tried["OpenVINO"] = lambda: [m(picture) for m in compiled]
    times = median_ms(*tried.values(), repeats=REPEATS)
    found = {name: ms / times[0] for name, ms in zip(tried, times, strict=True)}
    with Panel(checkpoints) as panel:
        (at_once,) = median_ms(lambda: list(panel.run(one)), repeats=REPEATS)
    return {**found, "the panel, on all cores": at_once / times[0]}


def main() -> None:
    keep("variants", {"settings": settings(zoo.find("cqt"))})


if __name__ == "__main__":
    main()
