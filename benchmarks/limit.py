"""How near the models come to what the processor can do: ``python benchmarks/limit.py``.

The limit is measured too: matrices multiplied by the same runtime, in fp32, and in integers
of eight bits for the int8 models. A model's multiply-adds are those of its convolutions.
"""

from pathlib import Path

import numpy as np
from onnx import TensorProto, helper

from ccmusic import Panel, analyze, zoo
from ccmusic.panel import available_cores
from ccmusic.runtime import onnxruntime
from timing import keep, median_ms

SONG = Path(__file__).parent.parent / "examples" / "vibe_ace.ogg"
SIDES = (256, 512, 1024, 2048)  # which of them is quickest is the processor's affair
REPEATS = 15


def product(precision: str, side: int, threads: int) -> tuple[onnxruntime.InferenceSession, dict]:
    """A session that multiplies two square matrices, and its inputs."""
    rng = np.random.default_rng(0)
    if precision == "int8":
        left = rng.integers(0, 128, (side, side)).astype(np.uint8)
        right = rng.integers(-64, 64, (side, side)).astype(np.int8)
        operator, kinds = "MatMulInteger", (TensorProto.UINT8, TensorProto.INT8, TensorProto.INT32)
    else:
        left, right = rng.normal(size=(2, side, side)).astype(np.float32)
        operator, kinds = "MatMul", (TensorProto.FLOAT,) * 3
    weights = helper.make_tensor("b", kinds[1], right.shape, right.tobytes(), raw=True)
    graph = helper.make_graph(
        [helper.make_node(operator, ["a", "b"], ["c"])],
        "product",
        [helper.make_tensor_value_info("a", kinds[0], left.shape)],
        [helper.make_tensor_value_info("c", kinds[2], left.shape)],
        [weights],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return session, {"a": left}


def main() -> None:
    cores = available_cores()
    peaks = {}
    for precision in ("fp32", "int8"):
        for threads in {1, cores}:
            speeds = []
            for side in SIDES:
                session, inputs = product(precision, side, threads)
                (ms,) = median_ms(lambda s=session, i=inputs: s.run(None, i), repeats=REPEATS)
                speeds.append(side**3 / ms / 1e6)  # multiply-adds in 1e9 per second
            peaks[precision, threads] = max(speeds)
    rows, least_ms = {}, 0.0
    checkpoints = zoo.find("cqt")
    for checkpoint in checkpoints:
        card = checkpoint.card
        kind = "int8" if card.precision == "int8" else "fp32"
        session = checkpoint.open(threads=1)
        shape = (1, card.preprocessing.channels, card.preprocessing.size, card.preprocessing.size)
        picture = {"picture": np.zeros(shape, np.float32)}
        (ms,) = median_ms(lambda s=session, p=picture: s.run(None, p), repeats=REPEATS)
        speed = card.multiply_adds / ms / 1e6
        rows[card.backbone] = {
            "multiply_adds": card.multiply_adds,
            "precision": card.precision,
            "ms": ms,
            "giga_per_s": speed,
            "share_of_peak": speed / peaks[kind, 1],
        }
        least_ms += card.multiply_adds / peaks[kind, cores] / 1e6
    with Panel(checkpoints) as panel:
        pictures = analyze(SONG, panel=panel).pictures
        (five_ms,) = median_ms(lambda: list(panel.run(pictures)), repeats=REPEATS)
    kept = {
        "peak": {f"{kind}_{threads}": speed for (kind, threads), speed in peaks.items()},
        "models": rows,
        "five_at_least_ms": least_ms,
        "five_at_once_ms": five_ms,
        "share_of_peak": least_ms / five_ms,
    }
    keep("limit", kept)


if __name__ == "__main__":
    main()
