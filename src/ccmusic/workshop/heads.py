"""Classifiers rebuilt from their tensors, and gradients through them.

A state_dict does not tell the activations between layers, because they have no parameters. They
are known if the layers are those of torchvision or the four of CCMusic; otherwise one is assumed,
and the assumption is reported.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from ccmusic.options import Activation
from ccmusic.workshop.weights import Tensors

_AFFINE = (nn.Linear, nn.BatchNorm1d, nn.Flatten, nn.Dropout, nn.Identity)


@dataclass(frozen=True)
class Classifier:
    """Layers from a backbone's features to logits."""

    layers: tuple[nn.Module, ...]
    """Run in order on features [n, c, s, s]."""
    pool: int
    """``s``: places per side to which the features are averaged first."""
    n_classes: int
    widths: tuple[int, ...]
    """Widths of the linear layers, the input first."""
    assumed: tuple[str, ...]
    """Assumed activations with their positions: ``relu after classifier.1``."""

    @property
    def affine(self) -> bool:
        """Whether the logits are linear in the features, up to a constant."""
        return all(isinstance(layer, _AFFINE) for layer in self.layers)


class UnknownLayerError(Exception):
    """A tensor of a classifier fits no layer; its arguments are name and shape."""


def is_ccmusic(widths: Sequence[int]) -> bool:
    """Whether these are the widths of CCMusic's four layers.

    Between the input and K classes they shrink by equal steps: q = (in / K) ** 0.25.
    """
    if len(widths) != 5:
        return False
    first, *middle, k = widths
    q = (first / k) ** 0.25
    l1 = int(q * k)
    l2 = int(q * l1)
    return middle == [int(q * l2), l2, l1]


def read_classifier(
    tensors: Tensors,
    original: nn.Module,
    *,
    prefix: str,
    width: int,
    pool: int,
    activation: Activation,
) -> Classifier | None:
    """Rebuild a classifier.

    Parameters
    ----------
    tensors
        Of all its layers.
    original
        torchvision's classifier of this backbone.
    prefix
        Attribute of the torchvision model under which it stands.
    width
        Channels of the backbone's features.
    pool
        Places per side to which torchvision averages them.
    activation
        To assume where something without parameters stands between two linear layers.

    Returns
    -------
    None if no chain of layers leads from the features to classes.

    Raises
    ------
    UnknownLayerError
        If a tensor in the chain fits no layer.
    """
    layers = _group(tensors)
    if not layers:
        return None
    modules = list(_as_original(layers, original, prefix))
    assumed: list[str] = []
    if not modules:
        first, path = next(original.children(), None), f"{prefix}.0"
        if isinstance(first, nn.LayerNorm) and path in layers:
            # ConvNeXt's normalisation before the flattening, which new classifiers keep.
            modules = [_filled(first, layers.pop(path)), nn.Flatten()]
        chain, assumed = _chain(layers, activation)
        modules += chain
    linear = [m for m in modules if isinstance(m, nn.Linear)]
    if not linear or not _chained(modules, linear[0].in_features):
        return None
    start = linear[0].in_features
    side = {width: 1, width * pool**2: pool}.get(start)
    if side is None:
        return None
    widths = (start, *(m.out_features for m in linear))
    if not any(isinstance(m, nn.Flatten) for m in modules):
        modules.insert(0, nn.Flatten())
    assumed = [] if is_ccmusic(widths) else assumed
    return Classifier(tuple(modules), side, widths[-1], widths, tuple(assumed))


def _chained(modules: Sequence[nn.Module], width: int) -> bool:
    """Whether each layer takes as many values as the one before it gives."""
    for module in modules:
        takes = getattr(module, "in_features", getattr(module, "num_features", width))
        if isinstance(module, nn.LayerNorm):
            (takes,) = module.normalized_shape
        if takes != width:
            return False
        width = getattr(module, "out_features", width)
    return True


_Layers = dict[str, Tensors]


def _group(tensors: Tensors) -> _Layers:
    """Tensors by the layer they belong to, in the order in which layers are numbered."""
    layers: _Layers = {}
    for name in sorted(tensors, key=_natural):
        path, _, kind = name.rpartition(".")
        if kind != "num_batches_tracked":
            layers.setdefault(path, {})[kind] = tensors[name]
    return layers


def _natural(name: str) -> list[tuple[int, int, str]]:
    return [(0, int(p), "") if p.isdigit() else (1, 0, p) for p in re.split(r"[.]", name)]


def _as_original(layers: _Layers, original: nn.Module, prefix: str) -> tuple[nn.Module, ...]:
    """Modules of torchvision's classifier, if only the number of classes differs."""
    paths = {
        f"{prefix}.{name}".rstrip("."): module
        for name, module in original.named_modules()
        if any(True for _ in module.parameters(recurse=False))
    }
    if list(layers) != sorted(paths, key=_natural):
        return ()
    *others, last = layers
    for path in others:
        # A convolution over all places is a linear layer, which timm writes so.
        given, known = layers[path]["weight"], paths[path].weight
        if (len(given), given.numel()) != (len(known), known.numel()):
            return ()
    final, weight = paths[last], layers[last]["weight"].flatten(1)
    if not isinstance(final, nn.Linear) or weight.shape[1] != final.in_features:
        return ()
    modules = list(original.children()) if isinstance(original, nn.Sequential) else [original]
    path_of = {module: path for path, module in paths.items()}
    return tuple(_filled(m, layers[path_of[m]]) if m in path_of else m for m in modules)


def _filled(module: nn.Module, tensors: Tensors) -> nn.Module:
    """A linear layer or a normalisation with the file's tensors."""
    if isinstance(module, nn.Linear):
        return _linear(tensors["weight"], tensors.get("bias"))
    module.load_state_dict(tensors, assign=True)
    return module


def _linear(weight: torch.Tensor, bias: torch.Tensor | None) -> nn.Linear:
    weight = weight.flatten(1)
    linear = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None, device="meta")
    linear.weight = nn.Parameter(weight)
    if bias is not None:
        linear.bias = nn.Parameter(bias)
    return linear


def _chain(layers: _Layers, activation: Activation) -> tuple[list[nn.Module], list[str]]:
    """Layers with parameters, and an activation where one is missing between two linear layers.

    Of several free positions the first is taken: the others usually held dropout. The second list
    tells these activations.
    """
    modules: list[nn.Module] = []
    assumed: list[str] = []
    before: str | None = None  # path of the last layer, while a linear one waits for an activation
    for path, tensors in layers.items():
        weight, bias = tensors.get("weight"), tensors.get("bias")
        if weight is None or set(tensors) - {"weight", "bias", "running_mean", "running_var"}:
            name = next(iter(tensors))
            raise UnknownLayerError(f"{path}.{name}", tuple(tensors[name].shape))
        if before is not None and _gap(before, path):
            modules.append(_ACTIVATIONS[activation][0]())
            assumed.append(f"{type(modules[-1]).__name__} after {before}")
            before = None
        linear = weight.ndim == 2 or (weight.ndim == 4 and weight.shape[2:] == (1, 1))
        if linear:
            modules.append(_linear(weight, bias))
        elif weight.ndim == 1 and bias is not None:
            norm = nn.BatchNorm1d if "running_mean" in tensors else nn.LayerNorm
            modules.append(norm(len(weight)))
            modules[-1].load_state_dict(tensors, strict=False)
        else:
            raise UnknownLayerError(f"{path}.weight", tuple(weight.shape))
        before = path if linear or before is not None else None
    return modules, assumed


def _gap(before: str, after: str) -> bool:
    """Return whether a layer without parameters lies between two layers."""
    *parent, first = before.split(".")
    *other, second = after.split(".")
    numbered = parent == other and first.isdigit() and second.isdigit()
    return not numbered or int(second) - int(first) > 1


def pull_back(layer: nn.Module, inputs: torch.Tensor, slopes: torch.Tensor) -> torch.Tensor:
    """Turn derivatives of the logits by a layer's outputs into those by its inputs.

    Written by hand: ONNX Runtime has no automatic differentiation.

    Parameters
    ----------
    inputs
        What the layer was given, [n, ...].
    slopes
        [n, n_classes, ...outputs].
    """
    if isinstance(layer, nn.Linear):
        through: torch.Tensor = slopes @ layer.weight
        return through
    if isinstance(layer, nn.Flatten):
        return slopes.reshape(*slopes.shape[:2], *inputs.shape[1:])
    if isinstance(layer, (nn.Dropout, nn.Identity)):
        return slopes
    if isinstance(layer, nn.BatchNorm1d):
        assert layer.running_var is not None
        return slopes * (layer.weight / torch.sqrt(layer.running_var + layer.eps))
    if isinstance(layer, nn.LayerNorm):
        return _through_layer_norm(layer, inputs, slopes)
    derivative = dict(_ACTIVATIONS.values())[type(layer)]
    return slopes * derivative(inputs)[:, None]


def _through_layer_norm(
    layer: nn.LayerNorm, inputs: torch.Tensor, slopes: torch.Tensor
) -> torch.Tensor:
    # ConvNeXt's normalises [n, c, 1, 1] along c; without the places it is the usual one.
    places = inputs.shape[2:]
    x, g = inputs.flatten(1), slopes.flatten(2)
    centred = x - x.mean(dim=1, keepdim=True)
    deviation = torch.sqrt(centred.square().mean(dim=1, keepdim=True) + layer.eps)
    unit = (centred / deviation)[:, None]
    g = g * layer.weight
    back = g - g.mean(dim=2, keepdim=True) - unit * (g * unit).mean(dim=2, keepdim=True)
    back = back / deviation[:, None]
    return back.reshape(*back.shape, *places) if places else back


_ACTIVATIONS: dict[Activation, tuple[type[nn.Module], Callable[[torch.Tensor], torch.Tensor]]] = {
    "relu": (nn.ReLU, lambda x: (x > 0).to(x.dtype)),
    "gelu": (
        nn.GELU,
        lambda x: (
            (1 + torch.erf(x / 2**0.5)) / 2 + x * torch.exp(-(x**2) / 2) / (2 * torch.pi) ** 0.5
        ),
    ),
    "silu": (nn.SiLU, lambda x: torch.sigmoid(x) * (1 + x * torch.sigmoid(-x))),
    "hardswish": (
        nn.Hardswish,
        lambda x: torch.where(x <= -3, 0.0, torch.where(x >= 3, 1.0, (2 * x + 3) / 6)),
    ),
    "tanh": (nn.Tanh, lambda x: 1 - torch.tanh(x).square()),
}
"""Activations and their derivatives."""


class ImportedNetwork(nn.Module):
    """A feature extractor and any classifier, with the effect of each place on each class.

    ``maps`` are derivatives of a logit by the features times these features, summed over channels
    (R. L. Draelos, L. Carin, "Use HiResCAM instead of Grad-CAM", 2020). With one linear layer that
    is the class-activation map, up to a constant; with more, it holds for this picture.
    """

    def __init__(self, features: nn.Module, classifier: Classifier) -> None:
        super().__init__()
        self.features = features
        self.layers = nn.ModuleList(classifier.layers)
        for layer in self.layers:
            if hasattr(layer, "inplace"):
                # The gradient needs the inputs of each layer.
                setattr(layer, "inplace", False)  # noqa: B010
        self.pool, self.n_classes = classifier.pool, classifier.n_classes

    def forward(self, pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits [n, n_classes] and maps [n, n_classes, h, w] of pictures [n, 3, size, size]."""
        features = self.features(pictures)
        pooled = F.adaptive_avg_pool2d(features, self.pool)
        values, inputs = pooled, []
        for layer in self.layers:
            inputs.append(values)
            values = layer(values)
        slopes = torch.eye(self.n_classes).expand(values.shape[0], -1, -1)
        for layer, given in zip(reversed(self.layers), reversed(inputs), strict=True):
            slopes = pull_back(layer, given, slopes)
        if self.pool > 1:
            # Every place has weights of its own; their sum is that over the places.
            maps = (slopes * pooled[:, None]).sum(dim=2) * self.pool**2
        else:
            maps = torch.einsum("nkc,nchw->nkhw", slopes.flatten(2), features)
        return values, maps


class GraphWithoutMaps(nn.Module):
    """A network without attention maps: logits only."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Logits, float32 [n, n_classes], of pictures, float32 [n, 3, size, size]."""
        logits: torch.Tensor = self.network(pictures)
        return logits
