"""A PyTorch checkpoint becomes a member of the panel (extra ``torch``).

Run ``python docs/examples/import_checkpoint.py [FILE]``. Without a file it makes one: a ResNet18 as
a training script would save it, untrained, so that its verdicts mean nothing. The checkpoint goes
into a temporary folder; without CCMUSIC_HOME it would stay among your own.
"""

import os
import sys
import tempfile
from pathlib import Path

import ccmusic

EXAMPLES = Path(__file__).parents[2] / "examples"


def make_checkpoint(folder: Path) -> Path:
    import torch

    from ccmusic.workshop.backbones import torchvision_models

    network = torch.nn.DataParallel(torchvision_models().resnet18(num_classes=3))
    path = folder / "best_mel.pth"  # the ending of the name tells the picture it was trained on
    torch.save({"epoch": 12, "state_dict": network.state_dict()}, path)
    return path


def main(file: str | None = None) -> None:
    from ccmusic.options import ImportOptions
    from ccmusic.workshop.importer import import_weights

    with tempfile.TemporaryDirectory() as scratch:
        os.environ["CCMUSIC_HOME"] = str(Path(scratch) / "home")
        path = Path(file) if file else make_checkpoint(Path(scratch))
        # An own file may need preprocessing="mel" or "cqt", and the names of its classes.
        options = ImportOptions(name="mine", classes=None if file else "rock,jazz,pop")
        imported = import_weights(path, options)
        print("\n".join(imported.message("en")))

        card = imported.checkpoint.card
        transform = card.preprocessing.transform.name
        with ccmusic.Panel.open(transform, ["mine", "mobilenet_v3_large"]) as panel:
            analysis = panel.analyze(EXAMPLES / "vibe_ace.ogg")
        for name, verdict in analysis.verdicts.items():
            print(name, verdict.error or verdict.top(3))


if __name__ == "__main__":
    main(*sys.argv[1:])
