"""Write the dashboard's typical pictures: for each genre what the shipped panel is surest of.

    python tools/typical.py CLIPS.csv

The manifest has the columns ``path`` (relative to itself), ``genre`` (empty where nobody said),
``source`` and ``group`` (the recording). Only clips whose licence clearly lets their pictures be
passed on are looked at: the sources below, and the examples. A clip that its makers call something
else than the panel does is typical of nothing.
"""

from __future__ import annotations

import csv
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
import numpy.typing as npt
from PIL import Image

from ccmusic import Panel
from ccmusic.dashboard.typical import FOLDER, PER_GENRE, Typical, picture_path
from ccmusic.genres import GENRES
from ccmusic.spectrogram import TransformName, transforms_of

EXAMPLES = Path(__file__).parents[1] / "examples"
QUALITY = 50  # of WebP: about 5 kB a picture, and its stripes are still stripes


@dataclass(frozen=True)
class Source:
    """Who made the recordings of a source, and on what terms."""

    credit: str
    licence: str
    generated: bool = False


SOURCES = {
    "0ad-data": Source("Wildfire Games, 0 A.D.", "CC-BY-SA-3.0"),
    "fretsonfire-songs-muldjord": Source("El Senator / Muldjord", "CC-BY-SA-3.0"),
    "noise2music": Source("Noise2Music, Google Research", "Apache-2.0", generated=True),
}
"""Sources with one clear licence for all their recordings."""


@dataclass(frozen=True)
class Clip:
    """A recording that may be shown."""

    path: Path
    genre: str
    group: str
    title: str
    source: Source


@dataclass(frozen=True)
class Judged:
    """A recording with the mean of the panel, and the picture of each transform."""

    clip: Clip
    mean: dict[str, float]
    pictures: dict[TransformName, npt.NDArray[np.uint8]]


def from_manifest(manifest: Path) -> Iterator[Clip]:
    with manifest.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if source := SOURCES.get(row["source"]):
                name = row["group"].rpartition("/")[2]
                title = "" if source.generated else re.sub(r"[_\d]+", " ", name).strip()
                path = manifest.parent / row["path"]
                yield Clip(path, row["genre"], row["group"], title[:1].upper() + title[1:], source)


def from_examples() -> Iterator[Clip]:
    text = (EXAMPLES / "CREDITS.md").read_text(encoding="utf-8")
    pattern = r"^\| `([^`]+)` \| (.+?) \| \[([^\]]+)\]\(.*?\) \| (\w+) \|$"
    for name, credit, licence, genre in re.findall(pattern, text, flags=re.MULTILINE):
        title = re.search('"(.+?)"', credit)
        whole = re.sub(r" \((?:excerpt|whole)[^)]*\)$", "", credit)
        maker = re.sub(r',? "(.+?)"', "", whole, count=1)
        source = Source(maker, licence.replace(" ", "-"))
        shown = title[1] if title else Path(name).stem.replace("_", " ").title()
        yield Clip(EXAMPLES / name, genre, name, shown, source)


def judge(clips: list[Clip]) -> Iterator[Judged]:
    with Panel.open("both") as panel:
        for done, clip in enumerate(clips, 1):
            analysis = panel.analyze(clip.path)
            if analysis.mean:
                drawn = {p.transform.name: s[0].pixels for p, s in analysis.pictures.items()}
                pictures = {transform: drawn[transform] for transform in transforms_of("both")}
                yield Judged(clip, analysis.mean, pictures)
            if done % 25 == 0:
                print(f"{done} of {len(clips)}", flush=True)


def surest(judged: list[Judged], genre: str) -> list[Judged]:
    """The recordings that the panel is surest of, one clip of each."""
    own = [j for j in judged if max(j.mean, key=j.mean.__getitem__) == genre]
    own = [j for j in own if j.clip.genre in ("", genre)]
    best: dict[str, Judged] = {}
    for one in sorted(own, key=lambda j: -j.mean[genre]):
        best.setdefault(one.clip.title or one.clip.group, one)
    return list(best.values())[:PER_GENRE]


def main(manifest: str) -> None:
    judged = list(judge([*from_manifest(Path(manifest)), *from_examples()]))
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.glob("*.webp"):
        old.unlink()
    found: dict[str, list[Typical]] = {}
    for genre in GENRES:
        found[genre] = []
        for place, one in enumerate(surest(judged, genre)):
            for transform, pixels in one.pictures.items():
                colours = matplotlib.colormaps["magma"](pixels, bytes=True)[..., :3]
                path = picture_path(genre, place, transform)
                Image.fromarray(colours).save(path, quality=QUALITY, method=6)
            source = one.clip.source
            print(genre, f"{one.mean[genre]:.0%}", one.clip.title or source.credit)
            found[genre].append(
                Typical(one.clip.title, source.credit, source.licence, source.generated)
            )
    index = {genre: [vars(t) for t in typical] for genre, typical in found.items()}
    text = json.dumps(index, ensure_ascii=False, indent=1)
    (FOLDER / "typical.json").write_text(text + "\n", encoding="utf-8")
    size = sum(path.stat().st_size for path in FOLDER.iterdir())
    print(f"{len(list(FOLDER.glob('*.webp')))} pictures, {size / 1e3:.0f} kB")


if __name__ == "__main__":
    main(*sys.argv[1:])
