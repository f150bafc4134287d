"""Recognition of the network that tensors belong to, with a report."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ccmusic.card import Explanation
from ccmusic.errors import WeightsError
from ccmusic.options import Activation
from ccmusic.texts import Language, translate
from ccmusic.workshop.backbones import Family, family_of, importable, skeleton
from ccmusic.workshop.heads import (
    Blind,
    Classifier,
    ImportedNetwork,
    UnknownLayerError,
    is_ccmusic,
    read_classifier,
)
from ccmusic.workshop.weights import StateDict, Tensors

# How DenseNet's layers were called before torchvision could write "norm1".
_OLD_DENSENET = re.compile(r"^(.*denselayer\d+\.(?:norm|relu|conv))\.((?:[12])\..*)$")
_AUXILIARY = ("AuxLogits.", "aux")  # help in training, and are dropped afterwards
_COUNTER = "num_batches_tracked"
_NAMED = 3  # names that a message mentions


@dataclass(frozen=True)
class Mapping:
    """Report on the mapping of a file's tensors."""

    backbone: str
    coverage: float
    """Share of the backbone's values that the file has; always 1, other files are refused."""
    matched: int
    """Tensors of the backbone."""
    renamed: tuple[tuple[str, str], ...]
    """Old name and present name."""
    ignored: tuple[str, ...]
    """In the file, not needed."""
    classifier: tuple[int, ...]
    """Widths of the linear layers, from features to classes."""
    ccmusic: bool
    """The classifier is CCMusic's."""
    assumed: tuple[str, ...]
    """Assumed activations."""
    pooled: bool
    """The features are averaged, although torchvision's classifier sees places apart."""
    explanation: Explanation
    """What the network's maps are."""

    def message(self, language: Language) -> list[str]:
        """The report in sentences."""
        lines = [
            translate(
                language,
                "import.backbone",
                backbone=self.backbone,
                coverage=self.coverage,
                matched=self.matched,
            ),
            translate(language, "import.classifier", widths=" → ".join(map(str, self.classifier))),
        ]
        if self.renamed:
            old, new = self.renamed[0]
            lines.append(
                translate(language, "import.renamed", n=len(self.renamed), old=old, new=new)
            )
        if self.ignored:
            lines.append(
                translate(
                    language, "import.ignored", n=len(self.ignored), names=_some(self.ignored)
                )
            )
        if self.ccmusic:
            lines.append(translate(language, "import.ccmusic"))
        lines += [translate(language, "import.assumed", what=what) for what in self.assumed]
        if self.pooled:
            lines.append(translate(language, "import.pooled"))
        return [*lines, translate(language, f"import.map_{self.explanation}")]


def map_weights(
    path: Path, state: StateDict, *, backbone: str | None = None, activation: Activation = "relu"
) -> tuple[nn.Module, Mapping]:
    """Recognise the backbone, rebuild the classifier, and put both together.

    Parameters
    ----------
    path
        Where the tensors come from, for messages.
    backbone
        Name of a torchvision network; by default the one that the tensors fit.
    activation
        What stands between linear layers of a classifier that is neither torchvision's nor
        CCMusic's.

    Raises
    ------
    WeightsError
        If the backbone is not fully covered, the file has layers that the backbone does not have,
        or the classifier cannot be rebuilt.
    """
    if backbone is not None and backbone not in importable():
        raise WeightsError("unknown_backbone", name=backbone, known=", ".join(importable()))
    tensors, renamed = _renamed(state.tensors)
    best = _recognise(path, tensors, backbone)
    network, family = skeleton(best.name), family_of(best.name)
    rest = {k: v for k, v in tensors.items() if k not in best.own and not _auxiliary(k)}
    classifier = _classifier(path, rest, best.name, network, activation)
    _fill(network, tensors, family)
    used = set(best.own) | _classifier_keys(rest, family)
    imported: nn.Module
    explanation: Explanation
    if family.features is None:
        setattr(network, family.classifier, nn.Sequential(*classifier.layers))
        imported, explanation = Blind(network), "none"
    else:
        imported = ImportedNetwork(family.features(network), classifier)
        explanation = "exact" if classifier.affine else "gradient"
    mapping = Mapping(
        backbone=best.name,
        coverage=best.coverage,
        matched=sum(k in tensors for k in best.own),
        renamed=tuple(renamed),
        ignored=tuple(k for k in tensors if k not in used),
        classifier=classifier.widths,
        ccmusic=is_ccmusic(classifier.widths),
        assumed=classifier.assumed,
        pooled=classifier.pool < family.pool,
        explanation=explanation,
    )
    return imported.eval(), mapping


def map_features(path: Path, state: StateDict, backbone: str) -> nn.Module:
    """Features of a backbone, whatever classifier the file has or lacks.

    Raises
    ------
    WeightsError
        If the backbone is not fully covered, or the file has layers that the backbone does not
        have.
    """
    tensors, _ = _renamed(state.tensors)
    _recognise(path, tensors, backbone)
    network, family = skeleton(backbone), family_of(backbone)
    assert family.features is not None
    _fill(network, tensors, family)
    return family.features(network)


@dataclass(frozen=True)
class _Fit:
    name: str
    own: dict[str, torch.Size]
    """The backbone's tensors."""
    coverage: float
    missing: list[str]
    conflicts: list[str]
    surplus: list[str]
    """Tensors under a prefix of the backbone that the backbone does not have."""


def _recognise(path: Path, tensors: Tensors, backbone: str | None) -> _Fit:
    """Find a network that is complete in the file, among all networks or this one."""
    marked = [name for name in importable() if family_of(name).mark in tensors]
    fits = [_fit(name, tensors) for name in ([backbone] if backbone else marked or importable())]
    # Of several complete networks, the one with the fewest surplus tensors: ResNet101 contains
    # ResNet50.
    best = max(fits, key=lambda fit: (fit.coverage, -len(fit.surplus)))
    if best.coverage < 1:
        missing = _some([*best.conflicts, *best.missing])
        key = "weights_incomplete" if backbone or best.coverage > 0.5 else "weights_unknown"
        raise WeightsError(
            key, file=path, backbone=best.name, coverage=best.coverage, missing=missing
        )
    if best.surplus:
        raise WeightsError(
            "weights_surplus", file=path, backbone=best.name, names=_some(best.surplus)
        )
    return best


def _fit(name: str, tensors: Tensors) -> _Fit:
    own, children = _anatomy(name)
    needed = {key: shape for key, shape in own.items() if not key.endswith(_COUNTER)}
    there = {k for k, shape in needed.items() if k in tensors and tensors[k].shape == shape}
    return _Fit(
        name,
        own,
        sum(needed[k].numel() for k in there) / sum(shape.numel() for shape in needed.values()),
        [k for k in needed if k not in tensors],
        [
            f"{k} {tuple(tensors[k].shape)} instead of {tuple(shape)}"
            for k, shape in needed.items()
            if k in tensors and tensors[k].shape != shape
        ],
        [
            k
            for k in tensors
            if k.split(".")[0] in children
            and k not in own
            and not k.endswith(_COUNTER)
            and not _auxiliary(k)
        ],
    )


@cache
def _anatomy(name: str) -> tuple[dict[str, torch.Size], set[str]]:
    """Shapes of the backbone's tensors by name, and the first parts of these names."""
    network, family = skeleton(name), family_of(name)
    children = {child for child, _ in network.named_children()} - {family.classifier}
    children |= {parameter for parameter, _ in network.named_parameters(recurse=False)}
    own = {
        key: value.shape
        for key, value in network.state_dict().items()
        if not key.startswith(f"{family.classifier}.") and not _auxiliary(key)
    }
    return own, children


def _renamed(tensors: Tensors) -> tuple[Tensors, list[tuple[str, str]]]:
    renamed = [(k, _OLD_DENSENET.sub(r"\1\2", k)) for k in tensors if _OLD_DENSENET.match(k)]
    new = dict(renamed)
    return {new.get(k, k): v for k, v in tensors.items()}, renamed


def _auxiliary(key: str) -> bool:
    return key.startswith(_AUXILIARY)


def _classifier(
    path: Path, rest: Tensors, name: str, network: Any, activation: Activation
) -> Classifier:
    family = family_of(name)
    own = getattr(network, family.classifier)
    first = next(m for m in own.modules() if isinstance(m, nn.Linear))
    width = first.in_features // family.pool**2
    try:
        classifier = read_classifier(
            rest,
            own,
            prefix=family.classifier,
            width=width,
            pool=family.pool,
            activation=activation,
        )
    except UnknownLayerError as error:
        layer, shape = error.args
        raise WeightsError("weights_head", file=path, name=layer, shape=shape) from None
    if classifier is None:
        raise WeightsError("weights_no_head", file=path, backbone=name, width=width)
    return classifier


def _classifier_keys(rest: Tensors, family: Family) -> set[str]:
    under = {k for k in rest if k.split(".")[0] == family.classifier}
    return under or set(rest)


def _fill(network: Any, tensors: Tensors, family: Family) -> None:
    """Fill the network with the file's values; tensors only needed in training become zero."""
    state = {
        key: tensors.get(key, torch.zeros(value.shape, dtype=value.dtype))
        for key, value in network.state_dict().items()
        if not key.startswith(f"{family.classifier}.")
    }
    network.load_state_dict(state, strict=False, assign=True)


def _some(names: Iterable[str]) -> str:
    names = list(names)
    return ", ".join(names[:_NAMED]) + (f" … ({len(names)})" if len(names) > _NAMED else "")
