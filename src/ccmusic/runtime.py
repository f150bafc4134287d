"""ONNX Runtime, kept from reporting home. Everything that needs it imports it from here.

From 1.32 on, it writes an identifier of the machine and a database of events below the user's home,
and sends both to its maker. It reads this variable once, when it is loaded: a later call of
``disable_telemetry_events`` leaves the files. An empty one, as a container may pass it on, is none.
"""

import os

os.environ["ORT_DISABLE_TELEMETRY"] = os.environ.get("ORT_DISABLE_TELEMETRY") or "1"

import onnxruntime

__all__ = ["onnxruntime"]
