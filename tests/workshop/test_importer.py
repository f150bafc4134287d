"""State dicts of the true geometry, with random weights, through the door and into the panel."""

import copy
import hashlib
import importlib
import json
import os
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from typer.testing import CliRunner

from ccmusic import Mel, analyze, zoo
from ccmusic.card import ModelCard
from ccmusic.cli import app
from ccmusic.errors import CheckpointError, WeightsError
from ccmusic.genres import CCMUSIC_CLASSES
from ccmusic.options import ImportOptions
from ccmusic.picture import Preprocessing
from ccmusic.sandbox import Sandbox
from ccmusic.workshop import importer
from ccmusic.workshop import weights as reading
from ccmusic.workshop.backbones import family_of, torchvision_models
from ccmusic.workshop.export import to_onnx
from ccmusic.workshop.heads import ImportedNetwork, is_ccmusic
from ccmusic.workshop.importer import ImportReport, import_weights
from ccmusic.workshop.mapping import map_weights
from ccmusic.workshop.weights import StateDict, make_plain, read_weights
from small_models import make_checkpoint

K = 16
# Backbone, width of what the classifier sees, tensors and parameters as published.
PUBLISHED = [
    ("vgg19_bn", 25088, 120, 121.9),
    ("resnet50", 2048, 326, 24.9),
    ("densenet121", 1024, 733, 7.4),
    ("efficientnet_b0", 1280, 366, 4.6),
    ("mobilenet_v3_large", 960, 316, 3.4),
    ("mobilenet_v3_small", 576, 248, 1.1),
]
# What else CCMusic published, and kin of the panel's: name, width, maps.
OTHERS = [
    ("vit_b_16", 768, "none"),
    ("swin_b", 1024, "gradient"),
    ("convnext_base", 1024, "gradient"),
    ("inception_v3", 2048, "gradient"),
]


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("CCMUSIC_HOME", str(tmp_path / "home"))
    yield


_MODULES = ["ccmusic.workshop.importer"]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """One child for all files: it loads PyTorch once."""
    with Sandbox(1, seconds=60, memory=6 << 30, writable=True, modules=_MODULES) as child:
        yield child


@pytest.fixture
def read(sandbox: Sandbox) -> Callable[[Path], StateDict]:
    return partial(read_weights, sandbox=sandbox)


@pytest.fixture
def take(sandbox: Sandbox) -> Callable[..., ImportReport]:
    return partial(import_weights, sandbox=sandbox)


@contextmanager
def hasty(*, memory: int = 3 << 30) -> Iterator[Sandbox]:
    """A child that has loaded everything, and gets three seconds for a file."""
    with Sandbox(1, seconds=3, memory=memory, writable=True, modules=_MODULES) as child:
        yield child


@pytest.fixture(scope="module")
def published() -> Any:
    """The smallest network with CCMusic's classifier."""
    return small(four_layers(576).eval())


@pytest.fixture(scope="module")
def converted(
    published: Any, sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory
) -> ImportReport:
    """A file through the whole door, for what is asked of it afterwards."""
    folder = tmp_path_factory.mktemp("runs") / "mobilenet_v3_small_mel"
    folder.mkdir()
    state = published.state_dict()
    content = {"epoch": 3, "state_dict": state, "extra": {"a.weight": torch.ones(2, 2)}}
    torch.save(content, folder / "save.pt")
    return import_weights(folder / "save.pt", folder=folder / "out", sandbox=sandbox)


@pytest.fixture
def without_conversion(converted: ImportReport, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the ONNX file of another import, where something else is the point."""
    content = converted.checkpoint.path.read_bytes()
    monkeypatch.setattr(importer, "_convert", lambda *_: content)


def torchvision(name: str) -> Any:
    torch.manual_seed(0)
    options = {"init_weights": False} if name.startswith(("vgg", "inception")) else {}
    network = getattr(torchvision_models(), name)(**options)
    for module in network.modules():  # statistics that are not those of an untrained network
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    return network


def four_layers(width: int, k: int = K) -> nn.Sequential:
    q = (width / k) ** 0.25
    l1 = int(q * k)
    l2 = int(q * l1)
    l3 = int(q * l2)
    layers: list[nn.Module] = []
    for a, b in ((width, l3), (l3, l2), (l2, l1)):
        layers += [nn.Dropout(), nn.Linear(a, b), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(l1, k))


def pictures(size: int = 224) -> torch.Tensor:
    return torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(1))


def logits_of(checkpoint: zoo.Checkpoint, batch: torch.Tensor) -> np.ndarray:
    return checkpoint.open().run(["logits"], {"picture": batch.numpy()})[0]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "width", "tensors", "millions"), PUBLISHED)
def test_ccmusic_checkpoints_load_as_they_are(
    tmp_path: Path,
    name: str,
    width: int,
    tensors: int,
    millions: float,
    take: Callable[..., ImportReport],
) -> None:
    network = torchvision(name).eval()
    prefix = family_of(name).classifier
    setattr(network, prefix, four_layers(width).eval())
    state = network.state_dict()
    assert len(state) == tensors
    parameters = sum(p.numel() for p in network.parameters())
    assert parameters / 1e6 == pytest.approx(millions, abs=0.06)
    folder = tmp_path / f"{name}_mel"
    folder.mkdir()
    torch.save(state, folder / "save.pt")

    imported = take(folder / "save.pt", ImportOptions(name="own"))
    card = imported.checkpoint.card
    assert card.backbone == name
    assert card.classes == tuple(CCMUSIC_CLASSES)
    assert (card.preprocessing.colours, card.preprocessing.slice_seconds) == ("magma", 11.4)
    assert card.parameters == parameters
    assert imported.mapping is not None
    assert imported.mapping.ccmusic
    assert not imported.mapping.ignored
    with torch.inference_mode():
        expected = network(pictures()).numpy()
    np.testing.assert_allclose(logits_of(imported.checkpoint, pictures()), expected, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "width", "explanation"), OTHERS)
def test_other_published_backbones(
    tmp_path: Path, name: str, width: int, explanation: str, take: Callable[..., ImportReport]
) -> None:
    network = torchvision(name).eval()
    if name == "convnext_base":
        network.classifier[2] = four_layers(width).eval()
    else:
        setattr(network, family_of(name).classifier, four_layers(width).eval())
    path = tmp_path / "weights_cqt.pt"
    torch.save(network.state_dict(), path)
    imported = take(path, ImportOptions(name="own", precision="fp32"))
    card = imported.checkpoint.card
    assert (card.backbone, card.explanation) == (name, explanation)
    size = 299 if name == "inception_v3" else 224
    assert card.preprocessing.size == size
    if name == "inception_v3":
        network.transform_input = False
    with torch.inference_mode():
        expected = network(pictures(size)).numpy()
    np.testing.assert_allclose(logits_of(imported.checkpoint, pictures(size)), expected, atol=1e-4)


def small(head: nn.Module) -> Any:
    network = torchvision("mobilenet_v3_small")
    network.classifier = head
    return network.eval()


HEADS = {
    "own": lambda: nn.Sequential(
        nn.Linear(576, 1024), nn.Hardswish(), nn.Dropout(), nn.Linear(1024, 4)
    ),
    "linear": lambda: nn.Linear(576, 4),
    "nested": lambda: nn.Sequential(nn.Dropout(), nn.Sequential(nn.Linear(576, 4))),
    "relu": lambda: nn.Sequential(nn.Linear(576, 32), nn.ReLU(), nn.Linear(32, 4)),
    "norm": lambda: nn.Sequential(
        nn.BatchNorm1d(576), nn.Dropout(), nn.Linear(576, 32), nn.BatchNorm1d(32), nn.ReLU(),
        nn.Linear(32, 4),
    ),
    "fastai": lambda: nn.Sequential(
        nn.BatchNorm1d(576), nn.Dropout(), nn.Linear(576, 32, bias=False), nn.ReLU(),
        nn.BatchNorm1d(32), nn.Dropout(), nn.Linear(32, 4, bias=False),
    ),
    "layer_norm": lambda: nn.Sequential(nn.LayerNorm(576), nn.Linear(576, 4)),
    "two_linear": lambda: nn.Sequential(nn.Linear(576, 8, bias=False), nn.Linear(8, 4)),
}  # fmt: skip


@pytest.mark.parametrize("head", HEADS)
def test_any_head_gives_the_same_logits_and_true_slopes(head: str) -> None:
    torch.manual_seed(3)
    network = small(HEADS[head]())
    for module in network.classifier.modules():
        if isinstance(module, nn.BatchNorm1d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    state = StateDict(dict(network.state_dict()), "", ())
    imported, mapping = map_weights(Path("x.pt"), state)
    assert isinstance(imported, ImportedNetwork)
    assert mapping.backbone == "mobilenet_v3_small"
    assert mapping.classifier[-1] == 4
    assert bool(mapping.assumed) == (head in ("relu", "norm", "fastai"))
    batch = pictures()
    logits, maps = imported(batch)
    torch.testing.assert_close(logits, network(batch), atol=1e-4, rtol=1e-4)
    # The maps are what automatic differentiation finds: slope times feature.
    features = network.features(batch)
    pooled = features.mean(dim=(2, 3), keepdim=True).detach().requires_grad_()
    scores = network.classifier(pooled.flatten(1))
    for k in range(4):
        (slopes,) = torch.autograd.grad(scores[:, k].sum(), pooled, retain_graph=True)
        expected = (slopes * features).sum(dim=1)
        torch.testing.assert_close(maps[:, k], expected, atol=1e-4, rtol=1e-3)


def test_other_activations_are_taken_at_their_word() -> None:
    for name, module in (("gelu", nn.GELU()), ("silu", nn.SiLU()), ("tanh", nn.Tanh())):
        network = small(nn.Sequential(nn.Linear(576, 32), module, nn.Linear(32, 4)))
        state = StateDict(dict(network.state_dict()), "", ())
        imported, mapping = map_weights(Path("x.pt"), state, activation=name)
        torch.testing.assert_close(
            imported(pictures(64))[0], network(pictures(64)), atol=1e-4, rtol=1e-4
        )
        assert type(module).__name__ in mapping.assumed[0]


def test_vgg_with_places_apart_and_averaged() -> None:
    network = torchvision("vgg11_bn")
    for width, pooled in ((25088, False), (512, True)):
        network.classifier = nn.Linear(width, 3)
        if pooled:
            network.avgpool = nn.AdaptiveAvgPool2d(1)
        network.eval()
        imported, mapping = map_weights(Path("x.pt"), StateDict(network.state_dict(), "", ()))
        assert (mapping.backbone, mapping.pooled) == ("vgg11_bn", pooled)
        logits, maps = imported(pictures(64))
        torch.testing.assert_close(logits, network(pictures(64)), atol=1e-4, rtol=1e-4)
        # One linear layer: the mean of a map is the logit without its bias.
        without_bias = logits - network.classifier.bias
        torch.testing.assert_close(maps.mean(dim=(2, 3)), without_bias, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("deeper", [False, True])
def test_convnext_keeps_its_normalisation(deeper: bool) -> None:
    network = torchvision("convnext_tiny")
    head = nn.Linear(768, 4)
    network.classifier[2] = (
        nn.Sequential(nn.Linear(768, 768), nn.ReLU(), nn.Dropout(), head) if deeper else head
    )
    nn.init.normal_(network.classifier[0].weight)
    network.eval()
    imported, mapping = map_weights(Path("x.pt"), StateDict(network.state_dict(), "", ()))
    assert (mapping.backbone, bool(mapping.assumed)) == ("convnext_tiny", deeper)
    torch.testing.assert_close(
        imported(pictures(64))[0], network(pictures(64)), atol=1e-4, rtol=1e-4
    )


def test_a_classifier_of_1x1_convolutions() -> None:
    network = torchvision("mobilenet_v3_small").eval()
    convolution = nn.Conv2d(576, 3, 1)
    state = {k: v for k, v in network.state_dict().items() if not k.startswith("classifier")}
    state |= {f"classifier.1.{k}": v for k, v in convolution.state_dict().items()}
    imported, mapping = map_weights(Path("x.pt"), StateDict(state, "", ()))
    assert mapping.classifier == (576, 3)
    expected = convolution(network.features(pictures(64))).mean(dim=(2, 3))
    torch.testing.assert_close(imported(pictures(64))[0], expected, atol=1e-4, rtol=1e-4)


def linear_state(k: int = 3) -> dict[str, torch.Tensor]:
    return dict(small(nn.Linear(576, k)).state_dict())


def parameter(name: str) -> bool:
    return "running_" not in name and "num_batches" not in name


WRAPPINGS = {
    "bare": lambda s: s,
    "ordered": OrderedDict,
    "state_dict": lambda s: {"epoch": 3, "state_dict": s, "optimizer": {"state": {0: s}}},
    "model_state_dict": lambda s: {"model_state_dict": s},
    "deep": lambda s: {"net": {"state_dict": s}},
    "averaged": lambda s: {"model": {k: v * 0 for k, v in s.items()}, "model_ema": s},
    "module": lambda s: {f"module.{k}": v for k, v in s.items()},
    "compiled": lambda s: {f"_orig_mod.module.{k}": v for k, v in s.items()},
    "lightning": lambda s: {
        "state_dict": {f"model.{k}": v for k, v in s.items()} | {"criterion.weight": torch.ones(3)}
    },
    **{
        word: lambda s, word=word: {f"{word}.{k}": v for k, v in s.items()}
        for word in ("resnet", "cnn", "base_model", "student", "a.b.c")
    },
    "backbone": lambda s: {
        k if k.startswith("classifier") else f"backbone.{k}": v for k, v in s.items()
    },
    "encoder in a model": lambda s: {
        f"model.head{k.removeprefix('classifier')}"
        if k.startswith("classifier")
        else f"model.encoder.{k}": v
        for k, v in s.items()
    },
    "two averaged": lambda s: {
        **{f"model.{k}": v * 0 for k, v in s.items()},
        **{f"ema_model.{k}": v for k, v in s.items()},
    },
    # Parameters alone, without the dots of their names; the statistics are those of the model.
    "LitEma": lambda s: {
        **{f"model.{k}": v * 0 if parameter(k) else v for k, v in s.items()},
        **{"model_ema." + k.replace(".", ""): v for k, v in s.items() if parameter(k)},
        "model_ema.decay": torch.tensor(0.99),
        "model_ema.num_updates": torch.tensor(7),
    },
    "student and teacher": lambda s: {
        **{f"teacher.{k}": v * 0 for k, v in s.items()},
        **{f"student.{k}": v for k, v in s.items()},
    },
    "ema_": lambda s: {"weights": {k: v * 0 for k, v in s.items()}, "ema_weights": s},
    "half": lambda s: {k: v.half() if v.is_floating_point() else v for k, v in s.items()},
    "uncounted": lambda s: {k: v for k, v in s.items() if "num_batches" not in k},
}


@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_wrappings_come_off(tmp_path: Path, wrapping: str) -> None:
    state = linear_state()
    imported, mapping = map_weights(
        Path("x.pt"), make_plain(Path("x.pt"), WRAPPINGS[wrapping](state))
    )
    assert mapping.coverage == 1
    assert mapping.classifier == (576, 3)
    unused = {
        "lightning": 1,
        "LitEma": 2,
        "two averaged": len(state),
        "student and teacher": len(state),
    }
    assert len(mapping.ignored) == unused.get(wrapping, 0)
    tolerance = 0.05 if wrapping == "half" else 1e-5
    expected = small(nn.Linear(576, 3))
    expected.load_state_dict(state)
    torch.testing.assert_close(
        imported(pictures(64))[0], expected(pictures(64)), atol=tolerance, rtol=tolerance
    )


def test_what_training_needed_beside_a_head_is_told_and_ignored() -> None:
    rest = {
        "genre_head.weight": torch.randn(3, 576), "genre_head.bias": torch.zeros(3),
        "criterion.weight": torch.ones(3), "center_loss.centers": torch.randn(3, 576),
        "n_averaged": torch.tensor(4),
    }  # fmt: skip
    backbone = {f"cnn.{k}": v for k, v in linear_state().items() if not k.startswith("classifier")}
    _, mapping = map_weights(Path("x.pt"), StateDict({**backbone, **rest}, "", ()))
    assert mapping.classifier == (576, 3)
    assert mapping.ignored == ("criterion.weight", "center_loss.centers", "n_averaged")
    assert any("criterion.weight, center_loss.centers" in line for line in mapping.message("en"))
    assert "without the prefix cnn. of the names in the file" in mapping.message("en")


CUTS: dict[str, Any] = {
    "children": lambda m: nn.Sequential(*list(m.children())[:-1], nn.Flatten()),
    "in a model": lambda m: nn.ModuleDict({"cnn": nn.Sequential(*list(m.children())[:-1])}),
    "features": lambda m: nn.ModuleDict({"encoder": m.features}),
    "children of the features": lambda m: nn.ModuleDict(
        {"f": nn.Sequential(*m.features.children())}
    ),
}


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize(
    "name",
    ["resnet18", "mobilenet_v3_small", pytest.param("densenet121", marks=pytest.mark.slow)],
)
def test_a_backbone_cut_out_of_its_network_is_recognised(name: str, cut: str) -> None:
    network = torchvision(name).eval()
    if "features" in cut and not hasattr(network, "features"):
        pytest.skip("has no such part")
    family = family_of(name)
    assert family.features is not None
    features = family.features(network)
    width = features(pictures(64)).shape[1]
    head = nn.Linear(width, 4)
    parts = CUTS[cut](network).state_dict() | {
        f"99.{key}" if cut == "children" else f"top.{key}": value
        for key, value in head.state_dict().items()
    }
    imported, mapping = map_weights(Path("x.pt"), StateDict(parts, "", ()))
    assert (mapping.backbone, mapping.ignored) == (name, ())
    assert mapping.renamed
    expected = head(network_features(network, family)(pictures(64)).mean(dim=(2, 3)))
    torch.testing.assert_close(imported(pictures(64))[0], expected, atol=1e-4, rtol=1e-4)


def network_features(network: Any, family: Any) -> nn.Module:
    return family.features(network).eval()


def library_states() -> dict[str, dict[str, torch.Tensor]]:
    """State dicts of timm's and transformers' networks: true names and shapes, random values."""
    states: dict[str, dict[str, torch.Tensor]] = {}
    generator = torch.Generator().manual_seed(2)
    for line in Path(__file__).with_name("library_names.txt").read_text().splitlines():
        if line.startswith("#"):
            state = states[line.removeprefix("# ")] = {}
            continue
        path, size, *kinds = line.split()
        shape = [int(side) for side in size.split("x")]
        scale = max(1, shape[-1] ** 2 * shape[1]) ** -0.5 if len(shape) > 1 else 1.0
        state[f"{path}.weight"] = scale * torch.randn(shape, generator=generator)
        if kinds == ["n"]:
            state[f"{path}.weight"] = torch.ones(shape)
            state[f"{path}.running_mean"] = torch.zeros(shape)
            state[f"{path}.running_var"] = torch.ones(shape)
        if kinds:
            state[f"{path}.bias"] = 0.1 * torch.randn(shape[:1], generator=generator)
    return states


@pytest.mark.parametrize("which", [
    "timm mobilenet_v3_large", "timm efficientnet_b0", "transformers resnet50",
    "transformers efficientnet_b0", pytest.param("timm vgg19_bn", marks=pytest.mark.slow),
])  # fmt: skip
def test_names_of_other_libraries_are_known(which: str) -> None:
    state = library_states()[which]
    library, _, name = which.partition(" ")
    wrapped = {f"model.net.{key}": value for key, value in state.items()}
    imported, mapping = map_weights(Path("x.pt"), StateDict(wrapped, "", ()))
    assert (mapping.backbone, mapping.coverage, mapping.ignored) == (name, 1, ())
    assert mapping.library == ("" if name == "vgg19_bn" else library)
    assert mapping.assumed == ()
    assert mapping.classifier[-1] == 5
    assert isinstance(imported, ImportedNetwork)
    epsilons = {m.eps for m in imported.features.modules() if isinstance(m, nn.BatchNorm2d)}
    assert epsilons == {1e-3 if which == "transformers efficientnet_b0" else 1e-5}
    # Each value went to the layer of that place: the first, the last, and one in between.
    first = next(value for key, value in state.items() if value.ndim == 4)
    assert torch.equal(next(p for p in imported.features.parameters() if p.ndim == 4), first)
    for index in (len(state) // 3, len(state) // 2):
        value = [v for v in state.values() if v.ndim == 4][index // 8]
        assert any(torch.equal(value, p) for p in imported.features.parameters())


def test_efficientnet_of_transformers_pads_as_tensorflow_does() -> None:
    state = library_states()["transformers efficientnet_b0"]
    imported, _ = map_weights(Path("x.pt"), StateDict(state, "", ()))
    first = state["efficientnet.embeddings.convolution.weight"]
    batch = pictures()
    padded = nn.functional.pad(batch, (0, 1, 0, 1))
    expected = nn.functional.conv2d(padded, first, stride=2)
    torch.testing.assert_close(imported.features[0][0](batch), expected)
    strided = [m for m in imported.modules() if isinstance(m, nn.Conv2d) and m.stride == (2, 2)]
    assert [m.padding for m in strided] == [(0, 0)] * 5
    assert imported.features(batch).shape == (2, 1280, 7, 7)


def test_what_cannot_be_imported_is_told_in_one_sentence(tmp_path: Path) -> None:
    def refused(state: dict[str, torch.Tensor], said: str) -> None:
        with pytest.raises(WeightsError, match=said) as caught:
            map_weights(Path("x.pt"), StateDict(state, "", ()))
        for language in ("en", "zh"):
            assert caught.value.message(language).isprintable()

    backbone = {k: v for k, v in linear_state().items() if not k.startswith("classifier")}
    heads = {"genre.weight": torch.ones(5, 576), "mood.weight": torch.ones(8, 576)}
    refused({**backbone, **heads}, r"several classifiers \(genre: 5, mood: 8 classes\)")
    refused({**backbone, "head.weight": torch.ones(1, 576)}, "a single output")
    refused({**backbone, "head.weight": torch.ones(5, 576), "scale": torch.ones(5, 2),
             "out.weight": torch.ones(3, 9)}, "cannot be rebuilt")  # fmt: skip
    grey = {**linear_state(), "features.0.0.weight": torch.ones(16, 1, 3, 3)}
    refused(grey, r"mobilenet_v3_small takes pictures of 1 channel")
    both = {f"{branch}.{k}": v for k, v in linear_state().items() for branch in ("cqt", "mel")}
    refused(both, r"several complete networks, under cqt\., mel\.")
    refused(
        {f"stages.{i}.mixer.weight": torch.ones(3, 3) for i in range(9)},
        r"its tensors \(stages\.0\.mixer\.weight, .* … \(9\)\) are not named",
    )
    for name in ("model-00001-of-00002.safetensors", "pytorch_model-2-of-3.bin"):
        save_file({"a.weight": torch.ones(2, 2)}, tmp_path / name)
        with pytest.raises(WeightsError, match="one part of weights that are stored in several"):
            reading._read_content(tmp_path / name)
    save_file({"a.weight": torch.ones(2, 2)}, tmp_path / "model-00001-of-00001.safetensors")
    assert reading._read_content(tmp_path / "model-00001-of-00001.safetensors")
    (tmp_path / "model.safetensors.index.json").write_text("{}")
    with pytest.raises(WeightsError, match="one part"):
        reading._read_content(tmp_path / "model.safetensors.index.json")


def test_names_of_classes_in_the_file_are_found() -> None:
    names = ("fado", "morna", "samba")
    to_number = {"samba": 2, "fado": 0, "morna": 1}
    for extra in (
        {"class_to_idx": to_number},
        {"class_to_idx": {n: torch.tensor(i) for n, i in to_number.items()}},
        {"idx_to_class": [*names]},
        {"labels": {torch.tensor(i): n for n, i in to_number.items()}},
        {"hparams": {"classes": list(names)}},
        {"config": {"id2label": {str(i): n for n, i in to_number.items()}}},
        {"idx_to_class": {i: n for n, i in to_number.items()}},
        {"genres": names},
    ):
        state = make_plain(Path("x.pt"), {"state_dict": linear_state(), **extra})
        assert state.classes == (names,), extra
    for no_names in (
        {"class_to_idx": {"a": torch.zeros(2), "b": torch.ones(2)}},
        {"class_to_idx": {"a": 0, "b": 2}}, {"classes": ["a", "a"]}, {"labels": [1, 2]},
        {"classes": ["a", "\x1b[2J"]}, {"classes": ["a"]}, {"class_weights": torch.ones(3)},
    ):  # fmt: skip
        assert make_plain(Path("x.pt"), {"model": linear_state(), **no_names}).classes == ()


def test_safetensors_and_bfloat16(tmp_path: Path, read: Callable[[Path], StateDict]) -> None:
    state = {k: v.bfloat16() if v.ndim == 4 else v for k, v in linear_state().items()}
    path = tmp_path / "weights.safetensors"
    save_file({k: v.contiguous() for k, v in state.items()}, path, metadata={"format": "pt"})
    assert map_weights(path, read(path))[1].backbone == "mobilenet_v3_small"
    assert read(path).classes == ()
    for said in (
        '{"morna": 1, "fado": 0, "samba": 2}',
        '["fado", "morna", "samba"]',
        "fado, morna,samba",
    ):
        save_file({k: v.contiguous() for k, v in state.items()}, path, metadata={"classes": said})
        assert read(path).classes == (("fado", "morna", "samba"),)
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(WeightsError, match="cannot be read as weights"):
        read(path)


def test_old_densenet_names_are_understood() -> None:
    network = torchvision("densenet121").eval()
    state = {
        k.replace("norm1.", "norm.1.").replace("norm2.", "norm.2.")
        .replace("conv1.", "conv.1.").replace("conv2.", "conv.2."): v
        for k, v in network.state_dict().items()
    }  # fmt: skip
    imported, mapping = map_weights(Path("x.pt"), StateDict(state, "", ()))
    assert mapping.backbone == "densenet121"
    assert len(mapping.renamed) > 400
    torch.testing.assert_close(
        imported(pictures(64))[0], network(pictures(64)), atol=1e-4, rtol=1e-4
    )


def _pickled_key() -> bytes:
    """A legacy file with a dictionary whose key is a tuple of a tuple of … each twice."""
    pickled = b"\x80\x02})"  # protocol 2, an empty dict, an empty tuple
    for number in range(40):
        pickled += b"q" + bytes([number]) + b"h" + bytes([number]) + b"\x86"  # a pair of it
    pickled += b"K\x01s."  # … is a key
    header = b"".join(
        pickle.dumps(part, 2)
        for part in (
            0x1950A86A20F9469CFC6C,
            1001,
            {
                "protocol_version": 1001,
                "little_endian": True,
                "type_sizes": {"short": 2, "int": 4, "long": 4},
            },
        )
    )
    return header + pickled + pickle.dumps([], 2)


class Evil:
    """Would create a file if it were ever unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("legacy", [False, True])
def test_nothing_is_ever_executed(
    tmp_path: Path, legacy: bool, read: Callable[[Path], StateDict]
) -> None:
    trap, path = tmp_path / "trap", tmp_path / "evil.pt"
    content = {"state_dict": linear_state(), "extra": Evil(trap)}
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(WeightsError, match="code in a file is never executed"):
        read(path)
    (tmp_path / "evil.pkl").write_bytes(pickle.dumps(Evil(trap)))
    with pytest.raises(WeightsError):
        read(tmp_path / "evil.pkl")
    assert not trap.exists()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_pickled_module_is_refused_by_name(
    tmp_path: Path, read: Callable[[Path], StateDict]
) -> None:
    torch.save(small(nn.Linear(576, 3)), tmp_path / "model.pt")
    with pytest.raises(WeightsError, match=r"torchvision\.models\.mobilenetv3\.MobileNetV3"):
        read(tmp_path / "model.pt")


def test_what_is_no_weights_file_is_called_what_it_is(
    tmp_path: Path, read: Callable[[Path], StateDict]
) -> None:
    path = tmp_path / "weights.pt"
    with pytest.raises(WeightsError, match="no such file"):
        read(path)
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    with pytest.raises(WeightsError, match="Keras/HDF5"):
        read(path)
    path.write_bytes(b"\x1c\0\0\0TFL3" + bytes(100))
    with pytest.raises(WeightsError, match="TensorFlow Lite"):
        read(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model.weights.h5", b"")
    with pytest.raises(WeightsError, match="Keras"):
        read(path)
    torch.jit.save(torch.jit.script(nn.Linear(2, 2)), path)
    with pytest.raises(WeightsError, match="TorchScript"):
        read(path)
    path.write_bytes(b"")
    with pytest.raises(WeightsError, match="cannot be read as weights"):
        read(path)
    torch.save(linear_state(), path)
    path.write_bytes(path.read_bytes()[:-5000])
    with pytest.raises(WeightsError, match="cannot be read as weights"):
        read(path)
    torch.save({"epoch": 3}, path)
    with pytest.raises(WeightsError, match="no network weights"):
        read(path)
    with path.open("r+b") as file:
        file.truncate(5 * 2**30)  # a hole, no bytes on the disk
    with pytest.raises(WeightsError, match=r"5\.0 GB"):
        read(path)


def test_an_incomplete_backbone_is_refused(tmp_path: Path) -> None:
    state = linear_state()
    del state["features.3.block.0.0.weight"]
    with pytest.raises(WeightsError, match=r"features\.3\.block\.0\.0\.weight"):
        map_weights(tmp_path, StateDict(state, "", ()))
    state = linear_state()
    state["features.0.0.weight"] = torch.zeros(16, 3, 5, 5)
    with pytest.raises(WeightsError, match=r"\(16, 3, 5, 5\) instead of \(16, 3, 3, 3\)"):
        map_weights(tmp_path, StateDict(state, "", ()))
    with pytest.raises(WeightsError, match="of another shape"):
        map_weights(tmp_path, StateDict(linear_state(), "", ()), backbone="resnet50")
    with pytest.raises(WeightsError, match="unknown backbone"):
        map_weights(tmp_path, StateDict(linear_state(), "", ()), backbone="resnet5")
    with pytest.raises(WeightsError, match="are not named as in any network"):
        map_weights(tmp_path, StateDict({"a.weight": torch.zeros(3, 3)}, "", ()))
    surplus = {**linear_state(), "features.99.weight": torch.zeros(3, 3)}
    with pytest.raises(WeightsError, match="it is another network, or a modified one"):
        map_weights(tmp_path, StateDict(surplus, "", ()))
    headless = {k: v for k, v in linear_state().items() if not k.startswith("classifier")}
    with pytest.raises(WeightsError, match="no classifier"):
        map_weights(tmp_path, StateDict(headless, "", ()))
    strange = {**linear_state(), "classifier.weight": torch.zeros(3, 576, 3, 3)}
    with pytest.raises(WeightsError, match="cannot be rebuilt"):
        map_weights(tmp_path, StateDict(strange, "", ()))


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "thesis_mel.pt"
    torch.save(linear_state(), path)
    return path


def test_names_classes_and_recipes_are_checked(
    weights: Path, tmp_path: Path, take: Callable[..., ImportReport]
) -> None:
    with pytest.raises(WeightsError, match="3 classes, but 2 names"):
        take(weights, ImportOptions(classes="a,b"))
    with pytest.raises(WeightsError, match="twice"):
        take(weights, ImportOptions(classes="a,b,b"))
    with pytest.raises(WeightsError, match="not a list of class names"):
        take(weights, ImportOptions(classes=str(tmp_path / "nowhere.txt")))
    with pytest.raises(WeightsError, match="not a valid preprocessing"):
        take(weights, ImportOptions(preprocessing="colourful"))
    bad = tmp_path / "recipe.json"
    bad.write_text('{"size": 0}')
    with pytest.raises(WeightsError, match="not a valid preprocessing"):
        take(weights, ImportOptions(preprocessing=str(bad)))
    with pytest.raises(CheckpointError, match="not a name"):
        take(weights, ImportOptions(name="../evil"))
    other = tmp_path / "thesis.pt"
    other.write_bytes(weights.read_bytes())
    with pytest.raises(WeightsError, match="which spectrogram"):
        take(other)
    assert not zoo.user_folder().exists()


def test_it_joins_the_panel_and_leaves_again(weights: Path, tmp_path: Path) -> None:
    names = tmp_path / "names.txt"
    names.write_text("fado\nmorna\nsamba\n")
    options = [
        "--classes",
        str(names),
        "--mean",
        "0.4",
        "--std",
        "0.2,0.3,0.4",
        "--precision",
        "fp16",
    ]
    run = CliRunner().invoke(app, ["import", str(weights), *options])
    assert run.exit_code == 0, run.output
    assert "backbone mobilenet_v3_small: 100% covered" in run.output
    assert "spectrogram guessed from the file's name: mel" in run.output
    card = zoo.find_one("thesis_mel").card
    assert (card.preprocessing.mean, card.preprocessing.std) == (0.4, (0.2, 0.3, 0.4))
    assert card.precision == "fp16"
    song = Path(__file__).parents[2] / "examples" / "vibe_ace.ogg"
    analysis = analyze(song, transform="mel", models=["thesis_mel"])
    verdict = analysis.verdicts["thesis_mel"]
    assert set(verdict.probabilities) == {"fado", "morna", "samba"}
    assert verdict.maps is not None
    with pytest.raises(CheckpointError, match="exists already"):
        import_weights(weights)
    run = CliRunner().invoke(app, ["models", "remove", "thesis_mel"])
    assert run.exit_code == 0
    assert list(zoo.user_folder().iterdir()) == []


def test_slices_are_averaged_and_vote(home: Path, tone: Any, write_sound: Any) -> None:
    make_checkpoint(home, "own", preprocessing=Preprocessing.ccmusic("chroma"))
    song = write_sound("song.wav", tone(220, 40))
    verdict = analyze(song, transform="chroma", models=["own"]).verdicts["own"]
    assert sum(verdict.votes.values()) == 3
    assert sum(verdict.probabilities.values()) == pytest.approx(1)
    short = write_sound("short.wav", tone(220, 4))
    assert analyze(short, transform="chroma", models=["own"]).verdicts["own"].votes == {}


def test_a_full_disk_leaves_nothing_behind(
    weights: Path, take: Callable[..., ImportReport], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_before(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(importer, "to_onnx", full_before)
        with pytest.raises(CheckpointError, match="could not be converted"):
            take(weights)
    assert not zoo.user_folder().exists()

    def full(self: Path, content: bytes) -> int:
        with self.open("wb") as file:
            file.write(content[:100])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(importer, "_convert", lambda *_: b"a graph")
    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(CheckpointError, match="No space left"):
        take(weights)
    assert list(zoo.user_folder().glob("*")) == []


def test_onnx_comes_with_its_card(tmp_path: Path, take: Callable[..., ImportReport]) -> None:
    card = make_checkpoint(tmp_path, "theirs", classes=("a", "b"), favourite="b")
    path = tmp_path / "theirs.onnx"
    imported = take(path, ImportOptions(name="ours"))
    assert imported.checkpoint.card.sha256 == card.sha256
    assert zoo.find_one("ours").open()
    with pytest.raises(WeightsError, match=r"leave out classes, mean$"):
        take(path, ImportOptions(name="other", classes="a,b", mean=0.5))
    content = json.loads(path.with_suffix(".json").read_text())
    wrong = {**content, "classes": ["a", "b", "c"]}
    path.with_suffix(".json").write_text(json.dumps(wrong))
    with pytest.raises(WeightsError, match="it gives 2 scores for 3 classes"):
        take(path, ImportOptions(name="wrong"))
    path.with_suffix(".json").unlink()
    with pytest.raises(WeightsError, match=r"needs its card beside it: theirs\.json"):
        take(path, ImportOptions(name="bare"))


def test_a_checkpoint_does_what_the_network_did(published: Any, converted: ImportReport) -> None:
    card = converted.checkpoint.card
    assert (card.name, card.backbone) == ("mobilenet_v3_small_mel", "mobilenet_v3_small")
    assert card.classes == tuple(CCMUSIC_CLASSES)
    assert (card.preprocessing.colours, card.preprocessing.slice_seconds) == ("magma", 11.4)
    assert card.sha256 == hashlib.sha256(converted.checkpoint.path.read_bytes()).hexdigest()
    with torch.inference_mode():
        expected = published(pictures()).numpy()
    np.testing.assert_allclose(logits_of(converted.checkpoint, pictures()), expected, atol=1e-4)


def test_the_report_tells_what_was_found_and_guessed(converted: ImportReport) -> None:
    said = converted.message("en")
    assert "taken from state_dict in the file" in said
    assert "also in the file, unused: extra" in said
    assert "classes of CCMusic, in its order" in said
    assert any(line.startswith("spectrogram guessed") for line in said)
    for language in ("en", "zh"):
        lines = converted.message(language)
        assert len(lines) == len(set(lines)) == len(said)


@pytest.mark.usefixtures("without_conversion")
def test_names_given_go_before_those_in_the_file(
    tmp_path: Path, take: Callable[..., ImportReport]
) -> None:
    content = {"state_dict": linear_state(), "classes": ["a", "b", "c"], "genres": ["x", "y"]}
    torch.save(content, tmp_path / "x_mel.pt")
    found = take(tmp_path / "x_mel.pt", ImportOptions(name="found"))
    assert found.checkpoint.card.classes == ("a", "b", "c")
    assert "classes named in the file: a, b, c" in found.message("en")
    given = take(tmp_path / "x_mel.pt", ImportOptions(name="given", classes="u,v,w"))
    assert given.checkpoint.card.classes == ("u", "v", "w")
    del content["classes"]
    torch.save(content, tmp_path / "x_mel.pt")
    unnamed = take(tmp_path / "x_mel.pt", ImportOptions(name="unnamed"))
    assert unnamed.checkpoint.card.classes == ("class_0", "class_1", "class_2")
    assert "the file also lists 2 names, which do not fit 3 classes" in unnamed.message("en")


def _zero_stride() -> torch.Tensor:
    return torch.zeros(1).expand(1 << 20, 1 << 20)


STRANGE = {
    "integer": (lambda: torch.ones(16, 3, 3, 3, dtype=torch.int32), "int32"),
    "complex": (lambda: torch.ones(16, 3, 3, 3, dtype=torch.complex64), "complex64"),
    "sparse": (lambda: torch.ones(16, 3).to_sparse(), "sparse_coo"),
    "meta": (lambda: torch.empty(1 << 20, 1 << 20, device="meta"), "meta"),
    "zero stride": (_zero_stride, "stride 0"),
    "nan": (lambda: torch.full((16, 3, 3, 3), torch.nan), "infinite or not numbers"),
    "infinite": (lambda: torch.full((16, 3, 3, 3), torch.inf), "infinite or not numbers"),
}


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("kind", STRANGE)
def test_tensors_that_are_no_plain_numbers_are_refused(kind: str) -> None:
    make, said = STRANGE[kind]
    state = {**linear_state(), "features.0.0.weight": make()}
    with pytest.raises(WeightsError, match=rf"features\.0\.0\.weight .*{said}"):
        make_plain(Path("x.pt"), state)


def _refusal(path: Path, sandbox: Sandbox | None = None) -> str:
    """What is said of a file, in one line without anything of its bytes."""
    with pytest.raises(WeightsError) as caught:
        read_weights(path, sandbox=sandbox)
    for language in ("en", "zh"):
        text = caught.value.message(language)
        assert text.isprintable()
        assert "weights_only" not in text
        assert len(text) < 500 + len(str(path))
    return caught.value.key


def test_weights_that_never_end_are_given_up(
    tmp_path: Path, read: Callable[[Path], StateDict]
) -> None:
    # Lists within lists, each twice: a thousand bytes, and 2 ** 60 places to look at.
    nested: Any = {"weight": torch.ones(2, 2)}
    for _ in range(60):
        nested = {"a": nested, "b": nested}
    itself: dict[str, Any] = {"a.weight": torch.ones(2, 2)}
    itself["again"] = itself
    for content in (nested, itself):
        torch.save(content, tmp_path / "odd.pt")
        assert read(tmp_path / "odd.pt").tensors
    # A key whose hash takes for ever.
    endless = tmp_path / "endless.pt"
    endless.write_bytes(_pickled_key())
    with hasty() as child:
        assert _refusal(endless, child) in {"decoder_slow", "weights_damaged"}


@pytest.mark.slow
def test_weights_that_fill_the_memory_are_given_up(tmp_path: Path) -> None:
    torch.save({"a.weight": torch.zeros(1 << 14, 1 << 16)}, tmp_path / "large.pt")
    with (
        zipfile.ZipFile(tmp_path / "large.pt") as plain,
        zipfile.ZipFile(tmp_path / "bomb.pt", "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for member in plain.infolist():
            packed.writestr(member.filename, plain.read(member))
    (tmp_path / "large.pt").unlink()
    assert (tmp_path / "bomb.pt").stat().st_size < 8 << 20
    assert _refusal(tmp_path / "bomb.pt") in {"decoder_memory", "weights_damaged"}


def test_the_minute_begins_when_pytorch_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "slow_to_import.py").write_text("import time\ntime.sleep(3)\ndef f(): return 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    with Sandbox(1, seconds=2, modules=["slow_to_import"]) as child:
        assert child.run("x.pt", importlib.import_module("slow_to_import").f) == 1


@pytest.mark.parametrize("legacy", [False, True])
def test_a_name_that_is_no_text_is_not_repeated(
    tmp_path: Path, sandbox: Sandbox, legacy: bool
) -> None:
    state = {"\x1b[2J\n.weight": torch.ones(2, 2)}
    torch.save(state, tmp_path / "x.pt", _use_new_zipfile_serialization=not legacy)
    assert _refusal(tmp_path / "x.pt", sandbox) == "weights_damaged"
    os.mkfifo(tmp_path / "pipe.pt")
    assert _refusal(tmp_path / "pipe.pt", sandbox) == "cannot_open"


@pytest.mark.slow
@pytest.mark.parametrize("form", ["zip", "legacy", "safetensors"])
def test_flipped_bits_end_in_one_sentence(tmp_path: Path, form: str) -> None:
    state = {f"layer{i}.weight": torch.randn(8, 8) for i in range(8)}
    path = tmp_path / "weights.pt"
    if form == "safetensors":
        save_file(state, path)
    else:
        torch.save({"state_dict": state}, path, _use_new_zipfile_serialization=form == "zip")
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(300):
        damaged = bytearray(whole)
        for place in rng.integers(0, len(whole), 8):
            damaged[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        try:
            # What the child does, without three hundred children.
            reading._make_plain(path, tmp_path / "plain.safetensors", False)
        except WeightsError as error:
            refused += 1
            assert error.message("en").isprintable()
            assert "weights_only" not in error.message("en")
        except MemoryError:
            refused += 1
    assert refused > 50


class Tiny(nn.Module):
    """A network of a few values: what is tried is the conversion, not the network."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, stride=8)
        self.head = nn.Linear(4, 3)

    def forward(self, batch: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        maps = self.conv(batch)
        return self.head(maps.mean(dim=(2, 3))), maps[:, :3]


def test_a_conversion_that_cannot_be_right_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    path = Path("tiny.pt")
    card = ModelCard(
        name="tiny", backbone="tiny", preprocessing=Preprocessing.default("cqt"),
        classes=("a", "b", "c"), parameters=1, multiply_adds=1, precision="fp32",
        sha256="0" * 64, data="", licence="",
    )  # fmt: skip
    network = Tiny().eval()

    def spoilt(network: nn.Module, *args: Any, **options: Any) -> None:
        other = copy.deepcopy(network)
        other.head.bias.data += 1
        to_onnx(other, *args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(importer, "to_onnx", spoilt)
        with pytest.raises(CheckpointError, match=r"other scores than PyTorch \(by 1\)"):
            importer._convert(path, network, card)
    network.conv.weight.data[0, 0, 0, 0] = 1e6
    with pytest.raises(CheckpointError, match=r"reaches 1e\+06, which does not fit into fp16"):
        importer._convert(path, network, card.model_copy(update={"precision": "fp16"}))
    network.head.bias.data[:] = torch.nan
    with pytest.raises(CheckpointError, match="gives scores that are infinite or not numbers"):
        importer._convert(path, network, card)


@pytest.mark.usefixtures("without_conversion")
def test_mean_and_std_of_each_channel(weights: Path, take: Callable[..., ImportReport]) -> None:
    options = ImportOptions(mean="imagenet", std="0.2,0.3,0.4")
    preprocessing = take(weights, options).checkpoint.card.preprocessing
    assert preprocessing.mean == (0.485, 0.456, 0.406)
    assert preprocessing.std == (0.2, 0.3, 0.4)
    for wrong in ("0.1,0.2", "much", "0", "nan"):
        with pytest.raises(WeightsError, match=r"no mean or standard|not a valid preprocessing"):
            take(weights, ImportOptions(name="other", std=wrong))


def _foreign_onnx(folder: Path, nodes: list[Any], constants: dict[str, np.ndarray]) -> Path:
    """An ONNX file of a stranger's making that gives [1, 2] scores, with a valid card."""
    card = make_checkpoint(folder, "theirs", classes=("a", "b"), favourite="a")
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        nodes,
        "theirs",
        [value("picture", onnx.TensorProto.FLOAT, ["n", 3, 224, 224])],
        [value("logits", onnx.TensorProto.FLOAT, [1, 2])],
        [onnx.numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    model = onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=10
    )
    path = folder / "theirs.onnx"
    onnx.save(model, path)
    changes = {"sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "explanation": "none"}
    path.with_suffix(".json").write_text(card.model_copy(update=changes).to_json())
    return path


def test_onnx_files_of_strangers_are_tried_in_a_child(
    tmp_path: Path, take: Callable[..., ImportReport]
) -> None:
    node, info = onnx.helper.make_node, onnx.helper.make_tensor_value_info
    scores = np.ones((1, 2), np.float32)
    body = onnx.helper.make_graph(
        [node("Identity", ["go"], ["on"]), node("Add", ["x", "x"], ["y"])],
        "body",
        [
            info("i", onnx.TensorProto.INT64, []),
            info("go", onnx.TensorProto.BOOL, []),
            info("x", onnx.TensorProto.FLOAT, [1, 2]),
        ],
        [info("on", onnx.TensorProto.BOOL, []), info("y", onnx.TensorProto.FLOAT, [1, 2])],
    )
    total = node("ReduceSum", ["picture"], ["sum"], keepdims=0)
    loop = [
        total,
        node("Add", ["scores", "sum"], ["first"]),
        node("Loop", ["times", "true", "first"], ["logits"], body=body),
    ]
    endless = {
        "times": np.array(2**62), "true": np.array(True), "scores": scores,
    }  # fmt: skip
    huge = [
        total,
        node("ConstantOfShape", ["shape"], ["zeros"]),
        node("ReduceMax", ["zeros"], ["zero"], keepdims=0),
        node("Add", ["scores", "zero"], ["first"]),
        node("Add", ["first", "sum"], ["logits"]),
    ]
    folded = {"shape": np.array([1 << 16, 1 << 18]), "scores": scores}
    infinite = [total, node("Mul", ["scores", "sum"], ["logits"])]
    for nodes, constants, said in (
        (loop, endless, "could not be read within 3 s"),
        (huge, folded, "memory"),
        (infinite, {"scores": scores * np.nan}, "infinite or not numbers"),
    ):
        path = _foreign_onnx(tmp_path, nodes, constants)
        with (
            hasty() as child,
            pytest.raises((WeightsError, CheckpointError), match=said) as caught,
        ):
            import_weights(path, ImportOptions(name="theirs"), sandbox=child)
        assert str(caught.value).isprintable()
    path = _foreign_onnx(tmp_path, infinite, {"scores": scores})
    model = onnx.load(path)
    onnx.save(model, path, save_as_external_data=True, location="beside.bin", size_threshold=0)
    card = json.loads(path.with_suffix(".json").read_text())
    card["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    path.with_suffix(".json").write_text(json.dumps(card))
    with pytest.raises(WeightsError, match="keeps its weights in another file"):
        take(path, ImportOptions(name="theirs"))
    path.write_bytes(b"\x1b[2J" * 100)
    card["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    path.with_suffix(".json").write_text(json.dumps(card))
    with pytest.raises(CheckpointError, match="cannot be loaded as ONNX") as caught:
        take(path, ImportOptions(name="theirs"))
    assert str(caught.value).isprintable()
    assert not zoo.user_folder().exists()


def test_the_widths_of_ccmusic() -> None:
    assert is_ccmusic((25088, 3958, 629, 100, 16))
    assert is_ccmusic((2048, 598, 178, 53, 16))
    assert not is_ccmusic((2048, 512, 128, 64, 16))
    assert not is_ccmusic((2048, 16))


@pytest.mark.slow
def test_a_network_may_see_levels_cell_by_cell(weights: Path, tmp_path: Path) -> None:
    preprocessing = Preprocessing(
        transform=Mel(sample_rate=32_000, n_fft=1024, hop_length=320, n_mels=64, fmin=50),
        orientation="pitch_along_x",
        levels="decibels",
        reference=1.0,
        top_db=None,
        scaling="none",
        resizing="none",
        mean=-40,
        std=20,
    )
    path = tmp_path / "recipe.json"
    path.write_text(preprocessing.model_dump_json())
    run = CliRunner().invoke(app, ["import", str(weights), "--preprocessing", str(path)])
    assert run.exit_code == 0, run.output
    song = Path(__file__).parents[2] / "examples" / "rain.ogg"
    analysis = analyze(song, transform="mel", models=["thesis_mel"])
    assert analysis.verdicts["thesis_mel"].error is None
    ((picture,),) = analysis.pictures.values()
    assert picture.preprocessing == preprocessing
    assert picture.input.shape == (3, 1001, 64)
