"""Measure whether the regions that maps name matter to the networks.

    python references/faithfulness.py MATERIAL [--checkpoints FOLDER] [--only NAME]

MATERIAL is the folder of ``references/make.py`` with ``clips.csv`` and ``songs.csv``; FOLDER has
the ten, those that are shipped by default. Each network is asked again with silence in place of the
region that its map names, and with that region alone, against random regions of equal size; on
songs of ``valid`` and on the examples. Several kinds of maps compete; the program draws the first
two, and the cards get their figures:

- ``occlusion``: :class:`ccmusic.Importance`, what the first choice loses without each place;
- ``activation``: :class:`ccmusic.Attention`, from the features, against the likely other genres;
- ``genres``: the same against the mean of all genres;
- ``genres_minus_average``: that, minus the average map over other recordings of ``valid``.

``references/results/faithfulness.json`` gets all figures. What was measured for the same file is
not measured again: run it after a shipment, and after a stop.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ccmusic.attention import Attention
from ccmusic.axes import orient
from ccmusic.card import Faithfulness, MapKind, ModelCard
from ccmusic.files import write
from ccmusic.panel import Panel
from ccmusic.picture import Picture, Pixels, normalise
from ccmusic.prepare import Prepared, prepare
from ccmusic.verdict import Verdict, softmax
from ccmusic.workshop.data import read_manifest
from ccmusic.workshop.evaluate import wilson
from ccmusic.zoo import SHIPPED, Checkpoint, Session
from networks import names
from shared import checkpoint, parser_of

RESULTS = Path(__file__).parent / "results/faithfulness.json"
EXAMPLES = Path(__file__).parent.parent / "examples"
MEASURED, AVERAGED = 40, 40  # recordings
RANDOM = 3  # regions of equal size
DRAWN: tuple[MapKind, ...] = ("occlusion", "activation")
_BATCH = 8

Box = tuple[tuple[int, int], tuple[int, int]]
Floats = npt.NDArray[np.floating[Any]]
Mask = npt.NDArray[np.bool_]
"""Pixels that stay."""
Ask = Callable[[Sequence[Mask]], Floats]
"""Probability of the genre when only these pixels sound."""


class Outcome(NamedTuple):
    """What a region is worth on one recording."""

    removed: float
    """Probability that silence in its place costs the genre."""
    removed_random: float
    """The median of random regions of equal size."""
    alone: float
    """Probability of the genre when only the region sounds."""
    alone_random: float


def main(material: Path, checkpoints: Path, only: Sequence[str]) -> None:
    """Measure every network that was not measured, and write results and cards."""
    found = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    chosen = [checkpoint(checkpoints, name) for name in only or names()]
    due = [c for c in chosen if found.get(c.card.name, {}).get("sha256") != c.card.sha256]
    measured, others = recordings(material) if due else ([], [])
    preprocessings = {each.card.preprocessing for each in due}
    of_measured, of_others = (
        [prepare(path, preprocessings) for path in paths] for paths in (measured, others)
    )
    for each in due:
        name = each.card.name
        found[name] = measure(each, of_measured, of_others)
        write(RESULTS, (json.dumps(found, indent=1) + "\n").encode())
        print(name, {k: v.get("removed") for k, v in found[name]["kinds"].items()}, flush=True)
    for each in chosen:
        figures = shipped(found[each.card.name]["kinds"])
        card = ModelCard.model_validate({**dict(each.card), "faithfulness": figures})
        write(each.path.with_suffix(".json"), card.to_json().encode())


def shipped(kinds: dict[str, Any]) -> dict[MapKind, Any]:
    """Figures for the card: none of a kind of maps that names no region at all."""
    return {
        kind: {key: kinds[kind][key] for key in Faithfulness.model_fields}
        for kind in DRAWN
        if kinds[kind]["recordings"]
    }


def recordings(material: Path) -> tuple[list[Path], list[Path]]:
    """Recordings to measure on, and others for the average map; one clip of each."""
    known = {recording.key for recording in read_manifest(material / "songs.csv")}
    pieces = {r.piece: r for r in read_manifest(material / "clips.csv") if r.split == "valid"}
    clips = [pieces[piece] for piece in sorted(pieces)]
    shuffled = [clips[i] for i in np.random.default_rng(0).permutation(len(clips))]
    songs = [recording.path for recording in shuffled if recording.key in known]
    examples = sorted(EXAMPLES.glob("*.ogg"))
    measured = songs[: MEASURED - len(examples)]
    others = [r.path for r in shuffled if r.path not in set(measured)]
    return examples + measured, others[:AVERAGED]


def measure(
    checkpoint: Checkpoint, measured: Sequence[Prepared], others: Sequence[Prepared]
) -> dict[str, Any]:
    """Figures of all kinds of maps for one network."""
    card, session = checkpoint.card, checkpoint.open(threads=1)
    seen = [
        run(session, card, [each.pictures[card.preprocessing][0].pixels])[1][0] for each in others
    ]
    average = np.mean(seen, axis=0) if seen else np.zeros((1, 1, 1))
    average -= average.mean(axis=(1, 2), keepdims=True)  # the place of the evidence, not its sum
    outcomes: dict[str, list[Outcome | None]] = defaultdict(list)
    panel = Panel([checkpoint], concurrency=1)
    for number, prepared in enumerate(measured):
        analysis = panel.measure(panel.analyze_prepared(prepared))
        verdict, picture = analysis.verdict(card.name), analysis.picture(card.name)
        ((choice, share),) = verdict.top(1)
        genre = card.classes.index(choice)

        def ask(keep: Sequence[Mask]) -> Floats:
            silent = [np.where(cells, picture.pixels, 0) for cells in keep]  # noqa: B023
            return softmax(run(session, card, silent)[0] / card.temperature)[:, genre]  # noqa: B023

        drawn = {
            "occlusion": analysis.evidence(card.name),
            "activation": analysis.attention(card.name),
            "genres": apart(verdict, picture, genre, np.zeros_like(average)),
            "genres_minus_average": apart(verdict, picture, genre, average),
        }
        known: dict[Box, Outcome | None] = {}
        for kind, attention in drawn.items():
            assert attention
            box = attention.box
            if box is None or attention.everywhere:
                outcomes[kind].append(None)
                continue
            if box not in known:
                rng = np.random.default_rng(number)
                known[box] = weigh(box, attention, share, ask, rng)
            outcomes[kind].append(known[box])
    panel.close()
    return {
        "sha256": card.sha256,
        "kinds": {kind: summary(each) for kind, each in outcomes.items()},
    }


def apart(verdict: Verdict, picture: Picture, genre: int, average: Floats) -> Attention:
    """The map of a genre against the mean of all, each without its average."""
    assert verdict.maps is not None
    maps = verdict.maps - average
    upright = orient(maps[genre] - maps.mean(axis=0), picture.preprocessing.orientation)
    return Attention(verdict.card.classes[genre], upright.astype(np.float32), picture)


def weigh(
    box: Box,
    attention: Attention,
    probability: float,
    ask: Ask,
    rng: np.random.Generator,
) -> Outcome | None:
    """Ask without a region and with it alone, and the same of random ones; None if it is all."""
    shape = attention.coarse.shape
    heights, widths = (last - first for first, last in box)
    places = [
        ((row, row + heights), (column, column + widths))
        for row, column in np.ndindex(shape[0] - heights, shape[1] - widths)
    ]
    places.remove(box)
    if not places:
        return None
    drawn = rng.permutation(len(places))[:RANDOM]
    masks = [mask(each, shape, attention.picture) for each in (box, *(places[i] for i in drawn))]
    without = ask([~cells for cells in masks])
    alone = ask(masks)
    removed = probability - without
    return Outcome(*map(float, (
        removed[0], np.median(removed[1:]), alone[0], np.median(alone[1:])
    )))  # fmt: skip


def mask(box: Box, shape: tuple[int, ...], picture: Picture) -> Mask:
    """The pixels of cells of an upright map, bool, of the picture's shape."""
    cells = np.zeros(shape, bool)
    (top, bottom), (left, right) = box
    cells[top : bottom + 1, left : right + 1] = True
    turned = orient(cells, picture.preprocessing.orientation)
    height, width = picture.pixels.shape[:2]
    rows = np.arange(height) * turned.shape[0] // height
    columns = np.arange(width) * turned.shape[1] // width
    return turned[np.ix_(rows, columns)]


def run(session: Session, card: ModelCard, pixels: Sequence[Pixels]) -> tuple[Floats, Floats]:
    """Logits, [n, n_classes], and maps, [n, n_classes, h, w], of pictures."""
    given = np.stack([normalise(each.astype(np.uint8), card.preprocessing) for each in pixels])
    parts = [
        session.run(["logits", "maps"], {"picture": given[i : i + _BATCH]})
        for i in range(0, len(given), _BATCH)
    ]
    logits, maps = (np.concatenate(each) for each in zip(*parts, strict=True))
    return logits, maps


def summary(outcomes: Sequence[Outcome | None]) -> dict[str, Any]:
    """Shares of the recordings on which the named region beat the random ones."""
    named = np.array([outcome for outcome in outcomes if outcome], np.float64).reshape(-1, 4)
    n = len(named)
    if not n:
        return {"recordings": 0}
    removed, alone = (int((named[:, i] > named[:, i + 1]).sum()) for i in (0, 2))
    return {
        "recordings": n,
        "removed": removed / n,
        "removed_interval": wilson(removed, n),
        "alone": alone / n,
        "alone_interval": wilson(alone, n),
        "mean": dict(zip(Outcome._fields, named.mean(axis=0).round(4).tolist(), strict=True)),
    }


if __name__ == "__main__":
    parser = parser_of(__doc__, "material")
    parser.add_argument("--checkpoints", type=Path, default=SHIPPED)
    parser.add_argument("--only", action="append", choices=names(), default=[])
    main(**vars(parser.parse_args()))
