"""What a training may begin with, and what is refused."""

import hashlib
import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from ccmusic import zoo
from ccmusic.card import ModelCard
from ccmusic.errors import DataError
from ccmusic.options import TrainOptions
from ccmusic.picture import Preprocessing
from ccmusic.spectrogram import TransformName
from ccmusic.workshop.backbones import BACKBONES, Backbone, build, torchvision_models
from ccmusic.workshop.export import to_fp16, to_onnx
from ccmusic.workshop.initialise import _read_onnx, initialise, turn, widen
from ccmusic.workshop.runs import load_weights
from ccmusic.workshop.train import train
from small_models import make_checkpoint

CLASSES = ("hum", "hiss")
SMALLEST = "mobilenet_v3_large"
LARGE = [pytest.param(name, marks=pytest.mark.slow) for name in BACKBONES if name != SMALLEST]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `ccmusic train` leaves, on CQT."""
    path = tmp_path_factory.mktemp("run") / "weights.pt"
    plan = {
        **{"backbone": SMALLEST, "transform": "cqt", "classes": list(CLASSES)},
        **{"n_soft": 0, "taught": False, "epochs": 1, "crop_width": 64},
        **{"final_epochs": 1, "batch_size": 2, "learning_rate": 1.0, "bf16": False, "seed": 0},
    }
    torch.save({"plan": plan, "network": build(SMALLEST, n_classes=2).state_dict()}, path)
    return path


def _started(
    path: Path,
    backbone: str = SMALLEST,
    transform: TransformName = "cqt",
    classes: tuple[str, ...] = CLASSES,
    noise: float = 0,
) -> tuple[Backbone, dict[str, torch.Tensor]]:
    """A network after its start, and what it was before."""
    network = build(backbone, n_classes=len(classes))
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    initialise(path, network, backbone=backbone, transform=transform, classes=classes, noise=noise)
    return network.eval(), before


def _same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> set[str]:
    return {name for name in one if torch.equal(one[name], other[name])}


def test_own_weights_are_taken_as_they_are(run: Path) -> None:
    network, plan = load_weights(run)
    assert (plan.init_from, plan.patience) == ("", 0)
    started, _ = _started(run)
    assert _same(network.state_dict(), started.state_dict()) == set(network.state_dict())
    other, before = _started(run, classes=("loud", "soft"))
    assert torch.equal(other.head.weight, before["head.weight"])
    assert torch.equal(other.features[0][0].weight, network.features[0][0].weight)


@pytest.mark.parametrize("backbone", [SMALLEST, *LARGE])
def test_a_widened_network_does_what_the_narrow_one_did(backbone: str) -> None:
    narrow, wide = (build(backbone, n_classes=3, width_divisor=n).train() for n in (2, 1))
    values = narrow.state_dict()
    wide.load_state_dict({k: widen(values[k], v.shape) for k, v in wide.state_dict().items()})
    pictures = torch.randn(2, 3, 96, 96)
    for network in (narrow, wide):
        for module in network.modules():  # nothing may be left to chance
            if isinstance(getattr(module, "p", None), float):
                module.p = 0.0
    with torch.inference_mode():
        torch.testing.assert_close(wide(pictures), narrow(pictures), rtol=1e-3, atol=1e-3)


def test_copies_of_a_channel_can_part_ways(tmp_path: Path, manifest: Path) -> None:
    options = {"backbone": SMALLEST, "epochs": 1, "final_epochs": 0, "crop_width": 32}
    narrow = train(manifest, tmp_path / "thin", TrainOptions(width_divisor=2, **options))
    network, plan = load_weights(narrow)
    assert (plan.width_divisor, network.head.in_channels) == (2, 480)
    wide, _ = _started(narrow, classes=plan.classes, noise=0.05)
    one, other = wide.features[0][0].weight[:2]
    assert not torch.equal(one, other)
    torch.testing.assert_close(one, other, rtol=0.5, atol=0.1)
    assert torch.equal(wide.head.weight[:, 0], network.head.weight[:, 0] / 2)

    # Without epochs there is nothing to part ways for.
    none = {**options, "epochs": 0}
    exact, _ = load_weights(
        train(manifest, tmp_path / "exact", TrainOptions(init_from=narrow, **none))
    )
    pictures = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(
            exact.eval()(pictures), network.eval()(pictures), rtol=1e-3, atol=1e-3
        )


def test_own_weights_turn_with_the_picture(run: Path) -> None:
    network, _ = load_weights(run)
    turned, _ = _started(run, transform="mel")
    # With a side of 32 n + 1 the strides meet the same places from both ends.
    cqt = torch.randn(2, 3, 65, 65)
    mel = cqt.transpose(2, 3).flip(2)
    # With the statistics of the batch: a random network would let nothing through otherwise.
    network.train()
    turned.train()
    with torch.inference_mode():
        before, after = network.features(cqt), turned.features(mel)
        torch.testing.assert_close(after, before.transpose(2, 3).flip(2), rtol=1e-3, atol=1e-3)
        assert not torch.allclose(network.features(mel), after, atol=0.1)


def test_turned_there_and_back_a_kernel_is_the_same() -> None:
    kernel, bias = torch.randn(4, 3, 5, 5), torch.randn(4)
    there = turn(kernel, orientation="pitch_along_x")
    assert torch.equal(turn(there, orientation="time_along_x"), kernel)
    assert not torch.equal(there, kernel)
    # The lowest note, left at first, is at the bottom then; the first moment goes from top to left.
    assert torch.equal(there[:, :, -1, 0], kernel[:, :, 0, 0])
    assert torch.equal(there[:, :, 0, 0], kernel[:, :, 0, -1])
    assert turn(bias, orientation="pitch_along_x") is bias


@pytest.mark.parametrize("backbone", [SMALLEST, *LARGE[1:2]])
def test_of_torchvision_the_features_are_taken(backbone: str, tmp_path: Path) -> None:
    theirs = getattr(torchvision_models(), backbone)()
    save_file(theirs.state_dict(), tmp_path / "imagenet.safetensors")
    network, before = _started(tmp_path / "imagenet.safetensors", backbone)
    features = [v for k, v in theirs.state_dict().items() if not k.startswith(("fc.", "classif"))]
    mine = network.features.state_dict().values()
    assert all(torch.equal(a, b) for a, b in zip(mine, features, strict=True))
    assert {"head.weight", "head.bias"} <= _same(before, network.state_dict())


def test_what_does_not_fit_is_refused(run: Path, tmp_path: Path) -> None:
    def refused(path: Path, why: str, backbone: str = SMALLEST) -> None:
        expected = (
            rf"{re.escape(str(path))}: {backbone} cannot be initialised .*\(.*{why}.*\); expected "
        )
        with pytest.raises(DataError, match=expected):
            _started(path, backbone)

    refused(run, f"of {SMALLEST}", "densenet121")
    refused(tmp_path / "nothing.pt", "no such file")
    torch.save({"a.weight": torch.ones(3, 3)}, tmp_path / "saved.pth")
    refused(tmp_path / "saved.pth", "backbone")
    (tmp_path / "junk.pt").write_bytes(b"junk")
    refused(tmp_path / "junk.pt", "junk|damaged")


_NARROW = dict.fromkeys(BACKBONES, 2) | {"vgg19_bn": 4, "resnet50": 4, SMALLEST: 8}


def _exported(folder: Path, network: Backbone, backbone: str, **changes: object) -> Path:
    """A checkpoint in halves, as `ccmusic export` leaves it."""
    preprocessing = Preprocessing.default("cqt").model_copy(update={"size": 96})
    path = folder / "theirs.onnx"
    to_onnx(network, preprocessing, path)
    to_fp16(path, source=path)
    card = ModelCard.model_validate(
        {
            **{"name": "theirs", "backbone": backbone, "preprocessing": preprocessing},
            **{"classes": CLASSES, "parameters": 1, "multiply_adds": 1, "precision": "fp16"},
            **{"data": "none", "licence": "MIT"},
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            **changes,
        }
    )
    path.with_suffix(".json").write_text(card.to_json())
    return path


def _trained(backbone: str, pictures: torch.Tensor) -> Backbone:
    """A network that has seen something: with statistics, scales and biases of its own."""
    torch.manual_seed(0)
    network = build(backbone, n_classes=2, width_divisor=_NARROW[backbone]).train()
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.weight.uniform_(0.5, 1.5)
                module.bias.normal_(0, 0.2)
                module.momentum = 0.5
        for _ in range(4):
            network(pictures)
    return network.eval()


@pytest.mark.parametrize("backbone", [SMALLEST, *LARGE])
def test_a_checkpoint_is_unfolded_and_can_be_trained_on(backbone: str, tmp_path: Path) -> None:
    pictures = torch.randn(16, 3, 96, 96)
    theirs = _trained(backbone, pictures)
    path = _exported(tmp_path, theirs, backbone)
    started = build(backbone, n_classes=2, width_divisor=_NARROW[backbone])
    initialise(
        path, started, backbone=backbone, transform="cqt", classes=CLASSES,
        pictures=lambda: pictures,
    )  # fmt: skip
    assert started.training
    others = torch.randn(4, 3, 96, 96)
    with torch.inference_mode():
        expected = theirs(others)[0]
        torch.testing.assert_close(started.eval()(others)[0], expected, atol=1e-2, rtol=1e-2)
        # Statistics of a batch are nearly those that were measured.
        started.train()
        started.dropout.p = 0
        for module in started.modules():
            if isinstance(getattr(module, "p", None), float):
                module.p = 0.0
        torch.testing.assert_close(started(pictures)[0], theirs(pictures)[0], atol=5e-2, rtol=5e-2)


def test_the_shipped_checkpoint_goes_on_by_its_name(manifest: Path, tmp_path: Path) -> None:
    options = {"backbone": SMALLEST, "epochs": 0, "final_epochs": 0}
    shipped = Path(f"{SMALLEST}_cqt")
    network, plan = load_weights(
        train(manifest, tmp_path, TrainOptions(init_from=shipped, **options))
    )
    assert re.fullmatch(rf"{shipped}\.onnx [0-9a-f]{{12}}", plan.init_from)
    picture = torch.randn(1, 3, 224, 224)
    with torch.inference_mode():
        maps = network.features(picture)
    checkpoint = zoo.find_one(str(shipped))
    # Of other classes, but the same features: put their head on.
    tensors, biases = _read_onnx(checkpoint.path)
    head = tensors["head.weight"]
    given = torch.nn.functional.conv2d(maps, head, biases["head.weight"]).mean(dim=(2, 3))
    (expected,) = checkpoint.open().run(["logits"], {"picture": picture.numpy()})
    torch.testing.assert_close(given, torch.from_numpy(expected), atol=1e-2, rtol=1e-2)


def test_a_checkpoint_that_cannot_be_unfolded_is_refused(tmp_path: Path) -> None:
    pictures = torch.randn(2, 3, 96, 96)
    make_checkpoint(tmp_path, "theirs", backbone=SMALLEST)
    path = tmp_path / "theirs.onnx"
    card = path.with_suffix(".json").read_text()
    network = build(SMALLEST, n_classes=2, width_divisor=_NARROW[SMALLEST])
    for change, why in (
        ((SMALLEST, "resnet50"), "these weights are of resnet50"),
        (('"sha256": "', '"sha256": "0'), "not valid"),
    ):
        path.with_suffix(".json").write_text(card.replace(*change))
        with pytest.raises(DataError, match=why):
            initialise(
                path,
                network,
                pictures=lambda: pictures,
                backbone=SMALLEST,
                transform="cqt",
                classes=CLASSES,
            )


def test_a_run_begins_there_and_remembers_it(run: Path, manifest: Path, tmp_path: Path) -> None:
    options = {"backbone": SMALLEST, "epochs": 1, "final_epochs": 0, "crop_width": 32}
    options |= {"learning_rate": 0.0}
    network, plan = load_weights(train(manifest, tmp_path, TrainOptions(init_from=run, **options)))
    assert re.fullmatch(r"weights\.pt [0-9a-f]{12}", plan.init_from)
    start, _ = load_weights(run)
    torch.testing.assert_close(network.features[0][0].weight, start.features[0][0].weight)
    for other in (None, tmp_path / "state.pt"):
        with pytest.raises(DataError, match="other options"):
            train(manifest, tmp_path, TrainOptions(init_from=other, **options))
    with pytest.raises(DataError, match="cannot be read"):
        train(manifest, tmp_path, TrainOptions(init_from=tmp_path / "nothing.pt", **options))
