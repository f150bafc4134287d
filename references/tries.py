"""Try teachers: ``python references/tries.py MATERIAL [--only NAME]``.

MATERIAL is the folder of ``references/gather.py``. Every variant of ``references/teach.py`` is
fitted and measured (accuracy and mean recall over genres) on

- ``artists``: songs of ``train``, each judged by classifiers that have not learnt its artist;
- ``songs``: songs of ``valid`` whose label is sure, whose artists nothing has learnt;
- ``known``: the rest of ``valid``, whose sources all have learnt;
- ``sources``: collections that were left out for this column.

``references/results/teacher.json`` gets the figures; with ``--only`` the others stay.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import nn

from ccmusic.files import write
from ccmusic.workshop.data import read_manifest
from gather import SONGS, weigh
from networks import views
from shared import parser_of
from teach import LABEL_SMOOTHING, Chosen, Floats, Views, linear

RESULTS = Path(__file__).parent / "results/teacher.json"
LEFT_OUT = (
    *("emotify", "homburg8k", "short-video-maker", "piast", "dejavu", "essentia-audio"),
    *("fretsonfire-songs-muldjord", "mir1k", "wesnoth-1.16-music"),
)
"""Recorded music whose collections have little in common with others."""
_FOLDS = 3


def perceptron(
    inputs: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor, hidden: int = 256
) -> nn.Module:
    """Fit a network with one hidden layer and dropout."""
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Dropout(0.25),
        nn.Linear(inputs.shape[1], hidden),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(hidden, targets.shape[1]),
    )
    passes, batch = 60, 256
    optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3, weight_decay=0.3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, passes)
    for _ in range(passes):
        for chosen in torch.split(torch.randperm(len(inputs)), batch):
            each = F.cross_entropy(
                network(inputs[chosen]),
                targets[chosen],
                reduction="none",
                label_smoothing=LABEL_SMOOTHING,
            )
            optimizer.zero_grad()
            (each * weights[chosen]).mean().backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        schedule.step()
    return network


_TAGS, _MUSICNN, _YAMNET = "tags.csv", "musicnn.npz", "yamnet.npz"
TRIES: dict[str, dict[str, Any]] = {
    "as used": {},
    **{f"other clips weigh {k}": {"others": k} for k in (0.1, 0.3, 1.0)},
    **{f"prolific artists ^-{a}": {"prolific": a} for a in (0.0, 0.75)},
    **{f"frequent genres ^-{b}": {"rarity": b} for b in (0.0, 0.3, 0.8)},
    **{f"decay {d}": {"fit": partial(linear, decay=d)} for d in (0.01, 0.1)},
    "one view: musicnn and YAMNet": {"views": [[_MUSICNN, _YAMNET]]},
    "one view: everything": {"views": [[_TAGS, _MUSICNN, _YAMNET]]},
    "three views": {"views": [[_TAGS], [_MUSICNN], [_YAMNET]]},
    "256 hidden units": {"fit": perceptron},
}


def measure(
    material: Path,
    *,
    views: Sequence[Sequence[Path]],
    others: float | None = None,
    prolific: float | None = None,
    **how: Any,
) -> dict[str, dict[str, float]]:
    """Figures of one variant; ``how`` as for :meth:`teach.Views.judge`."""
    known = Views(material / "clips.csv", views)
    changes = {"others": others, "prolific": prolific}
    clips = [(r.source, r.group) for r in known.recordings]
    known.weights = np.array(
        weigh(clips, **{key: value for key, value in changes.items() if value is not None})
    )
    sure = {r.key for r in read_manifest(material / "songs.csv") if r.split == "high"}
    songs: Chosen = known.sources == SONGS
    strangers: Chosen = np.array([r.key in sure for r in known.recordings])
    left_out: Chosen = np.isin(known.sources, LEFT_OUT)
    learnt = known.judge(known.labelled, **how)
    unseen = known.judge_unseen(known.labelled & songs, folds=_FOLDS, **how)
    without = known.judge(known.labelled & ~left_out, **how)
    return {
        "artists": _figures(known, unseen, known.labelled & songs),
        "songs": _figures(known, learnt, strangers),
        "known": _figures(known, learnt, known.valid & ~songs),
        "sources": _figures(known, without, left_out),
    }


def _figures(known: Views, shares: Floats, chosen: Chosen) -> dict[str, float]:
    """Accuracy and mean recall over recordings, whose clips are averaged."""
    of_recording: dict[str, list[int]] = {}
    for number in np.flatnonzero(chosen):
        of_recording.setdefault(known.recordings[number].piece, []).append(int(number))
    truth = np.array([known.labels[numbers[0]] for numbers in of_recording.values()])
    judged = np.array([shares[numbers].mean(axis=0) for numbers in of_recording.values()])
    right: npt.NDArray[np.bool_] = judged.argmax(axis=1) == truth
    return {
        "recordings": len(truth),
        "accuracy": round(float(right.mean()), 3),
        "mean_recall": round(
            float(np.mean([right[truth == genre].mean() for genre in np.unique(truth)])), 3
        ),
    }


def main(material: Path, only: Sequence[str]) -> None:
    """Try the variants that are named, or all."""
    found = json.loads(RESULTS.read_text()) if only else {}
    for name in only or TRIES:
        changes = {**TRIES[name]}
        chosen = [[material / file for file in view] for view in changes.pop("views", [])]
        found[name] = measure(material, views=chosen or views(material), **changes)
        print(name, found[name], flush=True)
        write(RESULTS, (json.dumps(found, indent=1) + "\n").encode())


if __name__ == "__main__":
    parser = parser_of(__doc__, "material")
    parser.add_argument("--only", action="append", choices=TRIES, default=[])
    main(**vars(parser.parse_args()))
