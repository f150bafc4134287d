"""How near the models come to what the processor can do: ``python benchmarks/limit.py``.

The limit is measured too: fp32 matrices multiplied by the same runtime. A model's multiply-adds
are those of its convolutions.
"""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper

from ccmusic import Panel, zoo
from ccmusic.panel import available_cores
from ccmusic.runtime import onnxruntime
from timing import keep, median_ms

SONG = Path(__file__).parent.parent / "examples" / "vibe_ace.ogg"
SIDES = (256, 512, 1024, 2048)  # which of them is quickest is the processor's affair
REPEATS = 15


def product(side: int, threads: int) -> tuple[onnxruntime.InferenceSession, dict[str, Any]]:
    """A session that multiplies two square matrices, and its inputs."""
    left, right = np.random.default_rng(0).normal(size=(2, side, side)).astype(np.float32)
    kind = TensorProto.FLOAT
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["a", "b"], ["c"])],
        "product",
        [helper.make_tensor_value_info("a", kind, left.shape)],
        [helper.make_tensor_value_info("c", kind, left.shape)],
        [helper.make_tensor("b", kind, right.shape, right.tobytes(), raw=True)],
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
    for threads in {1, cores}:
        speeds = []
        for side in SIDES:
            session, inputs = product(side, threads)
            (ms,) = median_ms(partial(session.run, None, inputs), repeats=REPEATS)
            speeds.append(side**3 / ms / 1e6)  # multiply-adds in 1e9 per second
        peaks[threads] = max(speeds)
    rows, least_ms = {}, 0.0
    checkpoints = zoo.find("cqt")
    for checkpoint in checkpoints:
        card = checkpoint.card
        session = checkpoint.open(threads=1)
        shape = (1, card.preprocessing.channels, card.preprocessing.size, card.preprocessing.size)
        picture = {"picture": np.zeros(shape, np.float32)}
        (ms,) = median_ms(partial(session.run, None, picture), repeats=REPEATS)
        speed = card.multiply_adds / ms / 1e6
        rows[card.backbone] = {
            "multiply_adds": card.multiply_adds,
            "precision": card.precision,
            "ms": ms,
            "giga_per_s": speed,
            "share_of_peak": speed / peaks[1],
        }
        least_ms += card.multiply_adds / peaks[cores] / 1e6
    with Panel(checkpoints) as panel:
        pictures = panel.analyze(SONG).pictures
        (five_ms,) = median_ms(lambda: list(panel.run(pictures)), repeats=REPEATS)
    kept = {
        "peak": {f"fp32_{threads}": speed for threads, speed in peaks.items()},
        "models": rows,
        "five_at_least_ms": least_ms,
        "five_at_once_ms": five_ms,
        "share_of_peak": least_ms / five_ms,
    }
    keep("limit", kept)


if __name__ == "__main__":
    main()
