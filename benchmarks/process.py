"""Whole processes beside PyTorch and librosa, in one run: ``python benchmarks/process.py``.

Needs librosa and the extra ``torch``. A cold start is ``ccmusic classify`` of one clip, beside a
script that loads librosa, PyTorch and five networks of the same shapes in fp32 and judges it with
them. Memory is what each process holds with its five models loaded, after three clips.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from timing import keep

ROOT = Path(__file__).parent.parent
SONG = ROOT / "examples" / "celtica.ogg"
RUNS = 5

HELD = """
import gc
gc.collect()
status = open("/proc/self/status").read()
print(int(status.split("VmRSS:")[1].split()[0]) / 1024)
"""
OURS = """
import sys
from ccmusic import Panel
panel = Panel.open("cqt")
for _ in range(3):
    panel.analyze(sys.argv[1])
"""
REFERENCE = """
import sys
import librosa
import numpy as np
import torch
from ccmusic.workshop.backbones import BACKBONES, torchvision_models
models = torchvision_models()
networks = []
for name in BACKBONES:
    with torch.device("meta"):
        network = getattr(models, name)(num_classes=13)
        if name == "vgg19_bn":
            network.classifier = torch.nn.Linear(512 * 7 * 7, 13)
    weights = torch.load(f"{sys.argv[2]}/{name}.pt", weights_only=True)
    network.load_state_dict(weights, assign=True)
    networks.append(network.eval().to(memory_format=torch.channels_last))
sound, _ = librosa.load(sys.argv[1], sr=22_050, duration=10)
levels = librosa.amplitude_to_db(np.abs(librosa.cqt(sound, sr=22_050)), ref=np.max)
picture = torch.from_numpy(levels.astype(np.float32))[None, None] / 80 + 1
picture = torch.nn.functional.interpolate(picture, (224, 224)).repeat(1, 3, 1, 1)
with torch.inference_mode():
    for _ in range(int(sys.argv[3])):
        verdicts = [network(picture).softmax(1) for network in networks]
"""


def write_networks(folder: Path) -> None:
    """Random weights: time and memory do not depend on their values."""
    import torch

    from ccmusic.workshop.backbones import BACKBONES, torchvision_models

    for name in BACKBONES:
        network = getattr(torchvision_models(), name)(num_classes=13)
        if name == "vgg19_bn":  # ours has no hidden layers in its classifier either
            network.classifier = torch.nn.Linear(512 * 7 * 7, 13)
        torch.save(network.state_dict(), folder / f"{name}.pt")


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        networks = Path(scratch)
        write_networks(networks)
        commands = {
            "ccmusic": [sys.executable, "-m", "ccmusic", "classify", str(SONG)],
            "reference": [sys.executable, "-c", REFERENCE, str(SONG), scratch, "1"],
        }
        seconds: dict[str, list[float]] = {name: [] for name in commands}
        # librosa's compiled code is kept from the first run on, which does not count.
        environment = {**os.environ, "NUMBA_CACHE_DIR": scratch}
        for run in range(RUNS + 1):
            for name, command in commands.items():
                started = time.perf_counter()
                subprocess.run(command, check=True, capture_output=True, env=environment)
                if run:
                    seconds[name].append(time.perf_counter() - started)
        held = {
            name: float(
                subprocess.run(
                    [sys.executable, "-c", script + HELD, str(SONG), scratch, "3"],
                    check=True, capture_output=True, text=True, env=environment,
                ).stdout
            )
            for name, script in (("ccmusic", OURS), ("reference", REFERENCE))
        }  # fmt: skip
    cold = {name: median(values) for name, values in seconds.items()}
    rows = {
        "cold_s": cold["ccmusic"],
        "reference_cold_s": cold["reference"],
        "cold_ratio": cold["ccmusic"] / cold["reference"],
        "memory_mb": held["ccmusic"],
        "reference_memory_mb": held["reference"],
        "memory_ratio": held["ccmusic"] / held["reference"],
    }
    keep("process", rows)


if __name__ == "__main__":
    main()
