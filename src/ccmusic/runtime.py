"""ONNX Runtime, kept from reporting home. Everything that needs it imports it from here.

From 1.32 on, it writes an identifier of the machine and a database of events below the user's home,
and sends both to its maker. It reads this variable once, when it is loaded: a later call of
``disable_telemetry_events`` leaves the files. An empty one, as a container may pass it on, is none.
"""

import os
from pathlib import Path

os.environ["ORT_DISABLE_TELEMETRY"] = os.environ.get("ORT_DISABLE_TELEMETRY") or "1"

import onnxruntime

__all__ = ["onnxruntime", "open_onnx"]


def open_onnx(model: Path | bytes, *, threads: int = 0) -> onnxruntime.InferenceSession:
    """Load a network on the CPU without a word: to look at it, not to ask it for long."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
