"""Recognition of the network that tensors belong to, with a report."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
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
from ccmusic.workshop.backbones import (
    BACKBONES,
    FAMILIES,
    family_of,
    importable,
    skeleton,
)
from ccmusic.workshop.heads import (
    Classifier,
    GraphWithoutMaps,
    ImportedNetwork,
    UnknownLayerError,
    is_ccmusic,
    read_classifier,
)
from ccmusic.workshop.naming import Naming, namings, template
from ccmusic.workshop.weights import StateDict, Tensors, is_averaged

# How DenseNet's layers were called before torchvision could write "norm1".
_OLD_DENSENET = re.compile(r"^(.*denselayer\d+\.(?:norm|relu|conv))\.((?:[12])\..*)$")
_AUXILIARY = ("AuxLogits.", "aux")  # help in training, and are dropped afterwards
_LOSS = re.compile(r"(^|[._])(criterion|\w*loss\w*)[._]", re.IGNORECASE)  # likewise
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
    prefix: str
    """What stood before the names of the backbone's tensors; empty if nothing did."""
    library: str
    """``timm`` or ``transformers``, if the tensors are named as there."""
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
        told: list[tuple[str, dict[str, object]]] = [
            ("backbone", vars(self)),
            ("classifier", {"widths": " → ".join(map(str, self.classifier))}),
        ]
        told += [(key, vars(self)) for key in ("prefix", "library") if getattr(self, key)]
        if self.renamed:
            old, new = self.renamed[0]
            told.append(("renamed", {"n": len(self.renamed), "old": old, "new": new}))
        if self.ignored:
            told.append(("ignored", {"n": len(self.ignored), "names": _some(self.ignored)}))
        told += [("ccmusic", {})] if self.ccmusic else []
        told += [("assumed", {"what": what}) for what in self.assumed]
        told += [("pooled", {})] if self.pooled else []
        told.append((f"map_{self.explanation}", {}))
        return [translate(language, f"import.{key}", **values) for key, values in told]


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
    network, family = best.network(tensors), family_of(best.name)
    rest = _rest(tensors, best)
    classifier, used = _classifier(
        path, {name: tensors[key] for name, key in rest.items()}, best.name, network, activation
    )
    if classifier.n_classes == 1:
        raise WeightsError("weights_one_output", file=path)
    best.naming.adapt(network)
    imported: nn.Module
    explanation: Explanation
    if family.features is None:
        setattr(network, family.classifier, nn.Sequential(*classifier.layers))
        imported, explanation = GraphWithoutMaps(network), "none"
    else:
        imported = ImportedNetwork(family.features(network), classifier)
        explanation = "exact" if classifier.affine else "gradient"
    needed = {*best.keys.values(), *(rest[name] for name in used)}
    renamed += [(old, new) for new, old in best.keys.items() if old != best.prefix + new]
    mapping = Mapping(
        backbone=best.name,
        coverage=best.coverage,
        matched=len(best.keys),
        prefix=best.prefix,
        library=best.naming.library,
        renamed=tuple(renamed),
        ignored=tuple(key for key in tensors if key not in needed),
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
    best = _recognise(path, tensors, backbone)
    features = family_of(backbone).features
    assert features is not None
    return features(best.network(tensors))


@dataclass(frozen=True)
class _Fit:
    """How a network fits the tensors of a file, under one naming and after one prefix."""

    name: str
    naming: Naming
    prefix: str
    keys: dict[str, str]
    """torchvision's name and the file's, of each tensor of the backbone that is there."""
    coverage: float
    missing: list[str]
    conflicts: dict[str, tuple[int, ...]]
    """Names of tensors of another shape, and the right shape."""
    surplus: list[str]
    """Tensors in modules of the backbone that the backbone does not have."""

    def network(self, tensors: Tensors) -> Any:
        """The network with the file's values; what is only needed in training becomes zero."""
        network, family = skeleton(self.name), family_of(self.name)
        state = {
            key: tensors[self.keys[key]]
            if key in self.keys
            else torch.zeros_like(value, device="cpu")
            for key, value in network.state_dict().items()
            if not key.startswith(f"{family.classifier}.")
        }
        network.load_state_dict(state, strict=False, assign=True)
        return network

    @property
    def root(self) -> str:
        """The prefix up to what tells one of several networks in a file from the others."""
        parts = self.prefix.split(".")
        for number, part in enumerate(parts):
            if is_averaged(part) or part == "student":
                return ".".join(parts[: number + 1]) + "."
        return self.prefix


def _recognise(path: Path, tensors: Tensors, backbone: str | None) -> _Fit:
    """Find a network that is complete in the file, among all networks or this one."""
    found: list[_Fit] = []
    complete: dict[frozenset[str], _Fit] = {}
    for names in _candidates(tensors, backbone):
        fits = [
            _fit(name, naming, prefix, tensors)
            for name in names
            for naming in namings(name)
            for prefix in _prefixes(name, naming, tensors) or [""]
        ]
        found += fits
        for fit in fits:
            if fit.coverage == 1:
                # Of two namings of the same tensors the first: the other may know fewer modules.
                complete.setdefault(frozenset(fit.keys.values()), fit)
        whole = [fit for fit in complete.values() if not fit.surplus]
        if whole:
            return _preferred(path, whole)
    best = max(found, key=lambda fit: (fit.coverage, -len(fit.surplus)), default=None)
    if best is None or (best.coverage <= 0.5 and backbone is None):
        raise WeightsError("weights_unknown", file=path, keys=_some(tensors))
    if best.coverage == 1:
        raise WeightsError(
            "weights_surplus", file=path, backbone=best.name, names=_some(best.surplus)
        )
    if not best.missing and len(best.conflicts) == 1:
        ((key, shape),) = best.conflicts.items()
        given = tuple(tensors[key].shape)
        if shape[1:2] == (3,) and (*given[:1], 3, *given[2:]) == shape:
            raise WeightsError("weights_channels", file=path, backbone=best.name, n=given[1])
    conflicts = [
        f"{key} {tuple(tensors[key].shape)} instead of {shape}"
        for key, shape in best.conflicts.items()
    ]
    raise WeightsError(
        "weights_incomplete",
        file=path,
        backbone=best.name,
        coverage=best.coverage,
        missing=_some([*conflicts, *best.missing]),
    )


def _candidates(tensors: Tensors, backbone: str | None) -> Iterator[list[str]]:
    """Networks to try: this one, or those of each family whose mark is in the file."""
    if backbone is not None:
        yield [backbone]
        return
    for family in FAMILIES:
        names = [name for name in importable() if family_of(name) is family]
        # The panel's networks have more namings than the rest of their families.
        known = [name for name in names if name in BACKBONES] or names[:1]
        if any(_prefixes(known[0], naming, tensors) for naming in namings(known[0])):
            yield names


def _prefixes(name: str, naming: Naming, tensors: Tensors) -> list[str]:
    """What stands before the family's mark in the file, each time it occurs."""
    mark = family_of(name).mark
    theirs, n = naming.names[mark], len(_shapes(name)[mark])
    return [
        key.removesuffix(theirs)
        for key, tensor in tensors.items()
        if (key == theirs or key.endswith(f".{theirs}")) and tensor.ndim == n
    ]


def _fit(name: str, naming: Naming, prefix: str, tensors: Tensors) -> _Fit:
    shapes = _shapes(name)
    keys = {key: prefix + theirs for key, theirs in naming.names.items()}
    there = {key: theirs for key, theirs in keys.items() if theirs in tensors}
    needed = {key: shape for key, shape in shapes.items() if not key.endswith(_COUNTER)}
    right = {key for key in needed if key in there and tensors[there[key]].shape == needed[key]}
    known, modules = set(keys.values()), {key.split(".")[0] for key in naming.names.values()}
    return _Fit(
        name,
        naming,
        prefix,
        there,
        sum(needed[key].numel() for key in right) / sum(s.numel() for s in needed.values()),
        [keys[key] for key in needed if key not in there],
        {there[key]: tuple(needed[key]) for key in needed if key in there and key not in right},
        [
            key
            for key in tensors
            if key.startswith(prefix)
            and key.removeprefix(prefix).split(".")[0] in modules
            and key not in known
            and not key.endswith(_COUNTER)
            and not key.removeprefix(prefix).startswith(_AUXILIARY)
        ],
    )


@cache
def _shapes(name: str) -> dict[str, torch.Size]:
    """Shapes of the backbone's tensors by torchvision's names."""
    state = template(name).state_dict()
    return {key: state[key].shape for key in namings(name)[0].names}


def _preferred(path: Path, fits: list[_Fit]) -> _Fit:
    """Of several complete networks the averaged one, else the one that was taught."""
    ranked = sorted(fits, key=_rank)
    if len(ranked) > 1 and _rank(ranked[0]) == _rank(ranked[1]):
        prefixes = ", ".join(sorted(fit.prefix or "/" for fit in ranked))
        raise WeightsError("weights_several", file=path, prefixes=prefixes)
    return ranked[0]


def _rank(fit: _Fit) -> int:
    parts = fit.prefix.split(".")
    return 0 if any(map(is_averaged, parts)) else 1 if "student" in parts else 2


def _rest(tensors: Tensors, fit: _Fit) -> dict[str, str]:
    """What is not the backbone's: names without prefix, as torchvision has them, and the file's."""
    known = set(fit.keys.values())
    wrappers = fit.prefix.split(".")[:-1]
    starts = [".".join(wrappers[:n]) + "." for n in range(len(wrappers), 0, -1)]
    alone = fit.root != fit.prefix or _rank(fit) < 2
    rest: dict[str, str] = {}
    for key in tensors:
        if key in known or (alone and not key.startswith(fit.root)):
            continue
        start = next((start for start in starts if key.startswith(start)), "")
        name = key.removeprefix(start)
        for theirs, torchvisions in fit.naming.heads.items():
            if name.startswith(f"{theirs}.") and start == fit.prefix:
                name = torchvisions + name.removeprefix(theirs)
                break
        if not name.startswith(_AUXILIARY):
            # The outer of two layers of the same name keeps it.
            rest[key if name in rest else name] = key
    return rest


def _renamed(tensors: Tensors) -> tuple[Tensors, list[tuple[str, str]]]:
    renamed = [(k, _OLD_DENSENET.sub(r"\1\2", k)) for k in tensors if _OLD_DENSENET.match(k)]
    renamed += _averages(tensors)
    new, replaced = dict(renamed), {name for _, name in renamed}
    return {new.get(k, k): v for k, v in tensors.items() if k in new or k not in replaced}, renamed


def _averages(tensors: Tensors) -> list[tuple[str, str]]:
    """Averaged parameters that lost the dots of their names, and what they are averages of.

    So does ``LitEma`` of latent diffusion, which many programs have copied.
    """
    found: list[tuple[str, str]] = []
    for start in {key.rpartition(".")[0] for key in tensors}:
        if not is_averaged(start.rpartition(".")[2]):
            continue
        mine = f"{start}."
        flat = {key.removeprefix(mine): key for key in tensors if key.startswith(mine)}
        others = [key for key in tensors if not key.startswith(mine)]
        prefixes = {"", *(key[: dot.end()] for key in others for dot in re.finditer(r"\.", key))}
        pairs: list[list[tuple[str, str]]] = [
            [
                (flat[name], key)
                for key in others
                if key.startswith(prefix)
                and (name := key.removeprefix(prefix).replace(".", "")) in flat
                and tensors[flat[name]].shape == tensors[key].shape
            ]
            for prefix in prefixes
        ]
        most = max(pairs, key=len)
        found += most
    return found


def _classifier(
    path: Path, rest: Tensors, name: str, network: Any, activation: Activation
) -> tuple[Classifier, list[str]]:
    """Rebuild the classifier from what is not the backbone's; return it and the names it took."""
    family = family_of(name)
    original = getattr(network, family.classifier)
    first = next(m for m in original.modules() if isinstance(m, nn.Linear))
    width = first.in_features // family.pool**2
    unknown: list[UnknownLayerError] = []

    def read(names: Iterable[str]) -> Classifier | None:
        try:
            return read_classifier(
                {key: rest[key] for key in names},
                original,
                prefix=family.classifier,
                width=width,
                pool=family.pool,
                activation=activation,
            )
        except UnknownLayerError as error:
            unknown.append(error)
            return None

    everything = [key for key in rest if not _LOSS.search(key)]
    parts: defaultdict[str, list[str]] = defaultdict(list)
    for key in everything:
        parts[key.split(".")[0]].append(key)
    for names in (everything, parts[family.classifier]):
        if classifier := read(names):
            return classifier, names
    found = {part: head for part, names in parts.items() if (head := read(names))}
    if len(found) > 1:
        heads = ", ".join(f"{part}: {head.n_classes}" for part, head in found.items())
        raise WeightsError("weights_two_heads", file=path, heads=heads)
    # What is left out must not be a layer, which may come before or after it.
    others = [key for part in parts.keys() - found for key in parts[part] if rest[key].ndim > 1]
    if found and not any(key.endswith(".weight") for key in others):
        ((part, classifier),) = found.items()
        return classifier, parts[part]
    if unknown:
        layer, shape = unknown[0].args
        raise WeightsError("weights_head", file=path, name=layer, shape=shape)
    raise WeightsError("weights_no_head", file=path, backbone=name, width=width)


def _some(names: Iterable[str]) -> str:
    names = list(names)
    return ", ".join(names[:_NAMED]) + (f" … ({len(names)})" if len(names) > _NAMED else "")
