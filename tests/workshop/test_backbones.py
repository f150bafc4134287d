import pytest
import torch

from ccmusic.errors import DataError
from ccmusic.picture import Preprocessing
from ccmusic.workshop.backbones import BACKBONES, build, torchvision_models
from ccmusic.workshop.export import count_multiply_adds


@pytest.mark.parametrize("name", BACKBONES)
def test_logits_are_the_means_of_the_maps(name: str) -> None:
    network = build(name, n_classes=13).eval()
    with torch.inference_mode():
        logits, maps = network(torch.rand(1, 3, 224, 224))
    assert logits.shape == (1, 13)
    assert maps.shape == (1, 13, 7, 7)
    torch.testing.assert_close(maps.mean(dim=(2, 3)), logits)


def test_the_head_is_average_pooling_and_a_linear_layer() -> None:
    network = build("mobilenet_v3_large", n_classes=5).eval()
    picture = torch.rand(2, 3, 64, 64)
    with torch.inference_mode():
        pooled = network.features(picture).mean(dim=(2, 3))
        linear = pooled @ network.head.weight[:, :, 0, 0].T + network.head.bias
        torch.testing.assert_close(network(picture)[0], linear)


def test_an_unknown_backbone_is_refused_with_the_known_ones() -> None:
    with pytest.raises(DataError, match="known: vgg19_bn, resnet50"):
        build("alexnet", n_classes=2)


def test_channels_are_divided_where_they_can_be() -> None:
    narrow = build("densenet121", n_classes=2, width_divisor=4)
    assert narrow.head.in_channels == 256
    assert sum(p.numel() for p in narrow.parameters()) < 500_000
    with pytest.raises(
        DataError, match="efficientnet_b0: the channels of a layer cannot be divided by 4"
    ):
        build("efficientnet_b0", n_classes=2, width_divisor=4)


@pytest.mark.parametrize("name", ["mobilenet_v3_small", "swin_t", "vit_b_32"])
def test_multiply_adds_are_those_that_torchvision_publishes(name: str) -> None:
    models = torchvision_models()
    published = models.get_model_weights(name).DEFAULT.meta["_ops"]  # in billions
    counted = count_multiply_adds(models.get_model(name), Preprocessing.default("cqt"))
    assert counted / 1e9 == pytest.approx(published, rel=0.02)
