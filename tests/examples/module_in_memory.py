"""A PyTorch network beside the shipped ones, before it is saved anywhere."""

import torch

from ccmusic import Checkpoint, Panel, Preprocessing


class Small(torch.nn.Module):
    def __init__(self, n_classes):
        super().__init__()
        self.features = torch.nn.Sequential(
            torch.nn.Conv2d(3, 8, 3, stride=4), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1)
        )
        self.classifier = torch.nn.Linear(8, n_classes)

    def forward(self, pictures):
        return self.classifier(self.features(pictures).flatten(1))


with Panel.open("mel", ["mobilenet_v3_large"]) as shipped:
    classes = shipped.cards[0].classes
    mine = Checkpoint.from_module(
        Small(len(classes)), classes=classes, preprocessing=Preprocessing.default("mel")
    )
    with Panel([mine]) as own:
        analysis = shipped.combine(own)("song.ogg")
print(sorted(analysis.verdicts), analysis.agreement.models)
print(analysis.attention("Small"))  # a module in memory has no maps
