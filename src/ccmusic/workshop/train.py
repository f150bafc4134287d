"""Training; an interrupted run is resumed."""

from __future__ import annotations

import csv
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from rich.progress import track
from torch import nn
from torch.optim.swa_utils import AveragedModel, update_bn

from ccmusic.errors import DataError
from ccmusic.files import replacing
from ccmusic.options import TrainOptions, TrainSettings
from ccmusic.picture import Pixels, Preprocessing, normalise
from ccmusic.spectrogram import TransformName
from ccmusic.texts import localized
from ccmusic.workshop.augment import random_picture
from ccmusic.workshop.backbones import build
from ccmusic.workshop.data import (
    Material,
    Recording,
    calibration_pictures,
    classes_of,
    load_material,
    load_pictures,
    read_manifest,
    read_soft_targets,
)
from ccmusic.workshop.initialise import describe_file, initialise, locate
from ccmusic.workshop.runs import Plan, load_weights, reading

_LABEL_SMOOTHING = 0.05
_RARITY = 0.5  # a genre counts by the number of its clips to this power
_HEAVIEST = 4.0  # weight of a label in the mean over all
_SOFT_WEIGHT = 10.0
_FEATURE_WEIGHT = 3.0
_RARE = 4.0  # standard deviations at which standardised features are clipped
_MIXED = 0.3  # share of pictures that hold two recordings
_AVERAGING = 0.99
_NOISE = 0.05  # of widened kernels
_SETTLING = 192  # pictures over which the averaged network measures its BatchNorm statistics


def train(manifest: Path, out: Path, options: TrainOptions) -> Path:
    """Train a backbone and leave ``weights.pt``, ``log.csv`` and the resumable state in a folder.

    The weights are those of the last step, averaged over the last steps: without ``patience``
    nothing is chosen by looking at ``valid``.

    Parameters
    ----------
    manifest
        See :mod:`ccmusic.workshop.data`.
    out
        Folder of the run; an unfinished run of the same plan is resumed.
    options
        The network, what it begins with and learns from, and for how long.

    Raises
    ------
    DataError
        If the data cannot be trained on, the start does not fit, or the folder holds another plan.
    """
    if not (options.epochs or options.final_epochs or options.init_from):
        raise DataError("nothing to do: give `epochs`, `final_epochs`, or `init_from`")
    init_from = locate(options.init_from) if options.init_from else None
    feature_teacher = options.feature_teacher
    recordings = read_manifest(manifest)
    soft, soft_names = read_soft_targets(options.soft_targets)
    verdicts, judged = read_soft_targets(options.label_teacher)
    classes = classes_of(recordings)
    if options.label_teacher and tuple(judged) != classes:
        raise DataError(f"{options.label_teacher}: expected the columns path, {', '.join(classes)}")
    plan = Plan(
        **options.model_dump(include=set(TrainSettings.model_fields)),
        classes=classes,
        n_soft=len(soft_names),
        taught=options.label_teacher is not None,
        init_from=describe_file(init_from) if init_from else "",
        feature_teacher=describe_file(feature_teacher) if feature_teacher else "",
    )
    usable = [
        r
        for r in recordings
        if r.split != "valid" and (r.genre or r.key in soft or r.key in verdicts)
    ]
    # What is missing is told before hours of spectrograms.
    _check((r for r in usable if r.path.is_file()), classes)
    if plan.patience and not any(r.split == "valid" and r.genre for r in recordings):
        raise DataError(f"{manifest}: `patience` needs recordings in valid")
    preprocessing = Preprocessing.default(plan.transform)
    out.mkdir(parents=True, exist_ok=True)
    run = _Run(plan, out, init_from, feature_teacher, manifest)
    if run.epoch and run.finished:
        return out / "weights.pt"
    material = load_material(usable, preprocessing)
    _check(material.recordings, classes)
    valid = load_pictures([r for r in recordings if r.split == "valid" and r.genre], preprocessing)
    if plan.patience and not valid[0]:
        raise DataError(f"{manifest}: `patience` needs recordings in valid")
    run.fit(material, _Targets(material, soft, verdicts, plan), valid)
    return out / "weights.pt"


def sample_pass(
    weights: npt.NDArray[np.float64], rng: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Numbers of the clips of one pass in random order, each about as often as its weight says.

    A clip of weight 0.3 is in three of ten passes, one of 1 in every pass, one of 1.3 in every pass
    and twice in three of ten.
    """
    order = rng.permutation(len(weights))
    ends = np.cumsum(weights[order])
    ticks = np.arange(rng.random(), ends[-1], 1.0)
    return rng.permutation(order[np.searchsorted(ends, ticks, side="right")])


def predict(
    network: nn.Module, pictures: list[Pixels], preprocessing: Preprocessing
) -> npt.NDArray[np.float32]:
    """Logits for pictures: float32 [n, n_classes]."""
    network.eval()
    with torch.inference_mode():
        logits = [
            network(_tensor(pictures[start : start + 16], preprocessing))[0].float()
            for start in range(0, len(pictures), 16)
        ]
    return torch.cat(logits).numpy()


def _check(recordings: Iterable[Recording], classes: tuple[str, ...]) -> None:
    labelled = [r for r in recordings if r.split == "train" and r.genre]
    empty = set(classes).difference(r.genre for r in labelled)
    if empty:
        missing = ", ".join(genre for genre in classes if genre in empty)
        raise DataError(f"no readable training recording of: {missing}")
    if sum(r.weight for r in labelled) < 2:
        raise DataError("the weights of the training recordings add up to fewer than two in a pass")


def _tensor(pictures: list[Pixels], preprocessing: Preprocessing) -> torch.Tensor:
    batch = np.stack([normalise(picture, preprocessing) for picture in pictures])
    return torch.from_numpy(batch).to(memory_format=torch.channels_last)


def _save(state: dict[str, Any], path: Path) -> None:
    with replacing(path) as new:
        torch.save(state, new)


@torch.no_grad()
def _average(averaged: Any, current: Any, steps: torch.Tensor | int) -> None:
    """Exponential moving average that forgets the random beginning of a short run."""
    n = float(steps)
    torch._foreach_lerp_(averaged, current, 1 - min(_AVERAGING, (1 + n) / (10 + n)))


class _Run:
    """State of one training, on disk after every epoch."""

    def __init__(
        self,
        plan: Plan,
        out: Path,
        init_from: Path | None,
        feature_teacher: Path | None,
        manifest: Path,
    ) -> None:
        self.plan, self.out = plan, out
        self.preprocessing = preprocessing = Preprocessing.default(plan.transform)
        self.epoch = 0
        self.best, self.waited = -1.0, 0
        torch.manual_seed(plan.seed)
        self.network = build(
            plan.backbone,
            n_classes=len(plan.classes),
            n_soft=plan.n_soft,
            width_divisor=plan.width_divisor,
        )
        self.state_file = out / "state.pt"
        if init_from and not self.state_file.exists():
            initialise(
                init_from,
                self.network,
                backbone=plan.backbone,
                transform=plan.transform,
                classes=plan.classes,
                noise=0 if self.finished else _NOISE,
                pictures=lambda: _tensor(
                    calibration_pictures(manifest, preprocessing), preprocessing
                ),
            )
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        width = self.network.head.in_channels
        self.feature_teacher = (
            _FeatureTeacher(feature_teacher, plan.transform, width) if feature_teacher else None
        )
        self.averaged = AveragedModel(self.network, multi_avg_fn=_average)
        self.learning = nn.ModuleList([self.network])
        if self.feature_teacher:
            self.learning.append(self.feature_teacher.translate)
        self.optimizer = torch.optim.AdamW(
            self.learning.parameters(), lr=plan.learning_rate, weight_decay=0.02
        )
        if self.state_file.exists():
            self._resume()

    def _resume(self) -> None:
        with reading(self.state_file):
            saved = torch.load(self.state_file, map_location="cpu", weights_only=True)
            if Plan(**saved["plan"]) != self.plan:
                raise DataError(
                    f"{self.out}: holds a run with other options; choose another folder or the same"
                )
            self.learning.load_state_dict(saved["learning"])
            self.averaged.load_state_dict(saved["averaged"])
            self.optimizer.load_state_dict(saved["optimizer"])
            self.epoch = saved["epoch"]
            self.best, self.waited = saved["best"], saved["waited"]

    @property
    def finished(self) -> bool:
        out_of_patience = self.plan.patience > 0 and self.waited >= self.plan.patience
        return self.epoch >= self.plan.epochs + self.plan.final_epochs or out_of_patience

    def _keep(self) -> None:
        plan = self.plan.model_dump()
        # The result before the state: a run that counts as finished has its weights.
        if self.waited == 0 if self.plan.patience else self.finished:
            network = {
                key: value
                for key, value in self.averaged.module.state_dict().items()
                if not key.startswith("soft_head.")
            }
            _save({"plan": plan, "network": network}, self.out / "weights.pt")
        _save(
            {
                "plan": plan,
                "epoch": self.epoch,
                "best": self.best,
                "waited": self.waited,
                "learning": self.learning.state_dict(),
                "averaged": self.averaged.state_dict(),
                "optimizer": self.optimizer.state_dict(),
            },
            self.state_file,
        )

    def fit(
        self,
        material: Material,
        targets: _Targets,
        valid: tuple[list[Recording], list[Pixels]],
    ) -> None:
        """Train the epochs that are still to do; without any, the start is the result."""
        if self.finished and not self.epoch:
            self._keep()
        while not self.finished:
            started = time.monotonic()
            loss = self._epoch(material, targets)
            self._settle(material, targets)
            self.epoch += 1
            accuracy = self._accuracy(valid)
            self.waited = 0 if accuracy > self.best else self.waited + 1
            self.best = max(self.best, accuracy)
            self._keep()
            line = {
                "epoch": self.epoch,
                "loss": f"{loss:.4f}",
                "valid_accuracy": f"{accuracy:.4f}",
                "seconds": f"{time.monotonic() - started:.0f}",
            }
            print(" ".join(f"{key}={value}" for key, value in line.items()), flush=True)
            self._log(line)

    def _log(self, line: dict[str, Any]) -> None:
        with (self.out / "log.csv").open("a", newline="") as file:
            writer = csv.DictWriter(file, line)
            if not file.tell():
                writer.writeheader()
            writer.writerow(line)

    def _accuracy(self, valid: tuple[list[Recording], list[Pixels]]) -> float:
        """Accuracy on clips; for the log only."""
        recordings, pictures = valid
        if not pictures:
            return float("nan")
        with self._autocast():
            logits = predict(self.averaged.module, pictures, self.preprocessing)
        chosen = np.array(self.plan.classes)[logits.argmax(axis=1)]
        return float(np.mean(chosen == [recording.genre for recording in recordings]))

    def _epoch(self, material: Material, targets: _Targets) -> float:
        plan = self.plan
        crops = self.epoch < plan.epochs
        length = plan.crop_width if crops else self.preprocessing.size
        rng = np.random.default_rng((plan.seed, self.epoch))
        chosen = sample_pass(targets.weights if crops else targets.weights * targets.labelled, rng)
        batches = np.split(chosen, range(plan.batch_size, len(chosen), plan.batch_size))
        batches = [batch for batch in batches if len(batch) > 1]  # BatchNorm needs two
        self.network.train()
        total = 0.0
        progress_bar = track(batches, description=localized(f"epoch {self.epoch + 1}"))
        for number, batch in enumerate(progress_bar):
            progress = self.epoch + number / len(batches)
            for group in self.optimizer.param_groups:
                group["lr"] = plan.learning_rate * self._rate(progress)
            partners = targets.partners(batch, rng)
            pictures = self._pictures(material, batch, partners, rng, length)
            loss = self._loss(pictures, targets, batch, partners)
            self.optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(self.learning.parameters(), 5.0)
            self.optimizer.step()
            self.averaged.update_parameters(self.network)
            total += float(loss.detach())
        return total / len(batches)

    def _autocast(self) -> torch.autocast:
        return torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.plan.bf16)

    def _pictures(
        self,
        material: Material,
        batch: npt.NDArray[np.int64],
        partners: npt.NDArray[np.int64],
        rng: np.random.Generator,
        length: int,
    ) -> torch.Tensor:
        pictures = [
            random_picture(
                material.values[i],
                self.preprocessing,
                length=length,
                rng=rng,
                mixed_with=material.values[j] if j != i else None,
            )
            for i, j in zip(batch, partners, strict=True)
        ]
        return _tensor(pictures, self.preprocessing)

    def _settle(self, material: Material, targets: _Targets) -> None:
        """Measure the BatchNorm statistics of whole pictures that belong to the averaged weights.

        Averaged statistics would not do: they lag behind a network that changes fast, layer by
        layer, until the evaluated network returns a constant.
        """
        rng = np.random.default_rng((self.plan.seed, self.epoch, 1))
        chosen = sample_pass(targets.weights * targets.labelled, rng)[:_SETTLING]
        batches = np.array_split(chosen, max(1, len(chosen) // self.plan.batch_size))
        size = self.preprocessing.size
        with self._autocast():
            pictures = (self._pictures(material, b, b, rng, size) for b in batches)
            update_bn(pictures, self.averaged.module)

    def _rate(self, progress: float) -> float:
        """Share of the learning rate: in each of the two stages a short rise and a cosine.

        Whole pictures are new to the network, so the second stage starts again at half the rate
        instead of continuing at the end of the first.
        """
        first = self.plan.epochs
        crops = progress < first
        done = progress / first if crops else (progress - first) / self.plan.final_epochs
        rise = min(1.0, 0.02 + (progress if crops else 5 * (progress - first)))
        peak = 1.0 if crops else 0.5
        return float(peak * rise * (0.01 + 0.99 * 0.5 * (1 + np.cos(np.pi * done))))

    def _loss(
        self,
        pictures: torch.Tensor,
        targets: _Targets,
        batch: npt.NDArray[np.int64],
        partners: npt.NDArray[np.int64],
    ) -> torch.Tensor:
        """Cross-entropy on labels, binary cross-entropy on soft targets, distance to a teacher."""
        labels, soft, soft_known = (
            (each[batch] + each[partners]) / 2
            for each in (targets.labels, targets.soft, targets.soft_known)
        )
        with self._autocast():
            features = self.network.features(pictures)
            logits, _, soft_logits = self.network.predict(features)
            distance = self.feature_teacher(features, pictures) if self.feature_teacher else 0.0
        # A recording without any target has a row of zeros and no influence.
        loss = -(labels * F.log_softmax(logits.float(), dim=1)).sum() / len(batch)
        if soft_logits is not None:
            each = F.binary_cross_entropy_with_logits(
                soft_logits.float(), soft, reduction="none"
            ).mean(dim=1)
            loss = loss + _SOFT_WEIGHT * (each * soft_known.floor()).sum() / len(batch)
        return loss + _FEATURE_WEIGHT * distance


class _FeatureTeacher(nn.Module):
    """A network whose features are predicted from those of the trained one by a linear map.

    A. Romero et al., "FitNets: hints for thin deep nets", 2015, at the last layer. It gives a
    target for every place of a picture, where a label gives one for the whole.
    """

    def __init__(self, path: Path, transform: TransformName, width: int) -> None:
        super().__init__()
        self.network, plan = load_weights(path)
        if plan.transform != transform:
            raise DataError(f"{path}: was trained on {plan.transform}, not on {transform}")
        self.network.requires_grad_(requires_grad=False)
        features = self.network.head.in_channels
        self.standard = nn.BatchNorm2d(features, affine=False)
        self.translate = nn.Conv2d(width, features, 1)

    def forward(self, features: torch.Tensor, pictures: torch.Tensor) -> torch.Tensor:
        """Distance between features of the same pictures, a scalar."""
        with torch.no_grad():
            places = features.shape[2], features.shape[3]
            theirs = F.adaptive_avg_pool2d(self.network.features(pictures), places)
            wanted = self.standard(theirs.float()).clamp(-_RARE, _RARE)
        return F.smooth_l1_loss(self.translate(features).float(), wanted)


class _Targets:
    """Targets of each recording of the material."""

    def __init__(
        self,
        material: Material,
        soft: dict[str, npt.NDArray[np.float32]],
        verdicts: dict[str, npt.NDArray[np.float32]],
        plan: Plan,
    ) -> None:
        recordings, classes = material.recordings, plan.classes
        self.weights = np.array([r.weight for r in recordings])
        self.genres = np.array(
            [classes.index(r.genre) if r.split == "train" and r.genre else -1 for r in recordings]
        )
        """Number of each genre; -1 of the unlabelled."""
        self.labelled = self.genres >= 0
        seen = np.bincount(self.genres[self.labelled], self.weights[self.labelled])
        mean = (seen**_RARITY).sum() / seen.sum()
        labels = np.zeros((len(recordings), len(classes)), np.float32)
        for i, (recording, genre) in enumerate(zip(recordings, self.genres, strict=True)):
            taught = verdicts.get(recording.key)
            if self.labelled[i]:
                label = np.full(len(classes), _LABEL_SMOOTHING / len(classes))
                label[genre] += 1 - _LABEL_SMOOTHING
                if taught is not None:
                    label += plan.teacher_share * (taught - label)
                labels[i] = label * min(seen[genre] ** (_RARITY - 1) / mean, _HEAVIEST)
            elif taught is not None:
                labels[i] = taught
        self.labels = torch.from_numpy(labels)
        blank = np.zeros(plan.n_soft, np.float32)
        self.soft = torch.from_numpy(np.stack([soft.get(r.key, blank) for r in recordings]))
        self.soft_known = torch.tensor([float(r.key in soft) for r in recordings])

    def partners(
        self, batch: npt.NDArray[np.int64], rng: np.random.Generator
    ) -> npt.NDArray[np.int64]:
        """For each recording another to mix with it, of its genre if it has one, or itself."""
        return np.array([self._partner(i, rng) if rng.random() < _MIXED else i for i in batch])

    def _partner(self, number: int, rng: np.random.Generator) -> int:
        genre = self.genres[number]
        candidates = np.flatnonzero((self.genres == genre) | (genre < 0))
        weights = self.weights[candidates]
        return int(rng.choice(candidates, p=weights / weights.sum()))
