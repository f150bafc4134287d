"""Time to import a weights file of each published geometry: ``python benchmarks/importing.py``.

The reference in the same run is reading the file with ``torch.load``.
"""

import os
import tempfile
import time
from pathlib import Path

import torch

from ccmusic.options import ImportOptions
from ccmusic.workshop.backbones import torchvision_models
from ccmusic.workshop.importer import import_weights
from timing import keep

BACKBONES = ("vgg19_bn", "resnet50", "densenet121", "efficientnet_b0", "mobilenet_v3_large")


def main() -> None:
    results = {}
    for name in BACKBONES:
        with tempfile.TemporaryDirectory() as folder:
            os.environ["CCMUSIC_HOME"] = folder
            network = getattr(torchvision_models(), name)(num_classes=16)
            path = Path(folder) / "weights.pt"
            torch.save(network.state_dict(), path)
            started = time.perf_counter()
            torch.load(path, weights_only=True)
            read = time.perf_counter() - started
            started = time.perf_counter()
            import_weights(path, ImportOptions(name="own", preprocessing="mel"))
            results[name] = {
                "megabytes": path.stat().st_size / 1e6,
                "torch_load_s": read,
                "import_s": time.perf_counter() - started,
            }
    keep("importing", results)


if __name__ == "__main__":
    main()
