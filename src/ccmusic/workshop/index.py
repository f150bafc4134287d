"""Manifests of folders, split without leaks between training and validation."""

from __future__ import annotations

import csv
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ccmusic import audio
from ccmusic.decode import read_tags
from ccmusic.errors import AudioError, DataError
from ccmusic.files import is_hidden, replacing
from ccmusic.texts import localized
from ccmusic.workshop.data import LONGEST, Recording, read_each, read_table
from ccmusic.workshop.fingerprint import find_duplicates, landmarks

_FEW_GROUPS = 10
_VALID_SHARE = 0.2
# Names of artists that say nothing about the artist.
_ANYBODY = frozenset({"", "various", "various artists", "unknown", "unknown artist"})


@dataclass(frozen=True)
class Index:
    """The recordings found, and the manifest written."""

    manifest: Path
    recordings: tuple[Recording, ...]
    warnings: tuple[str, ...]
    """One sentence each."""

    def counts(self) -> dict[str, dict[str, int]]:
        """Clips by genre and split; the unlabelled under an empty genre."""
        found: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for recording in self.recordings:
            found[recording.genre][recording.split] += 1
        return {genre: dict(found[genre]) for genre in sorted(found)}


def index(
    folder: Path,
    *,
    labels: Path | None = None,
    out: Path | None = None,
    valid_share: float = _VALID_SHARE,
    seed: int = 0,
) -> Index:
    """Find recordings, group those that belong together, and split by group.

    Without ``labels`` the folders directly below ``folder`` are the genres; files directly in it
    are unlabelled. Recordings of one artist (by the files' tags), of one folder below a genre's,
    and recordings that hold the same sound form a group.

    Parameters
    ----------
    folder
        Searched with all folders below it.
    labels
        CSV with ``path`` (relative to ``folder``) and ``genre`` instead; ``group``, ``split``,
        ``source`` and ``licence`` are kept where it has them. Without ``split`` one is made.
    out
        ``clips.csv`` in ``folder`` by default.
    valid_share
        Share of each genre that is held out, as near as its groups allow.

    Raises
    ------
    DataError
        If there is nothing to index, or fewer than two genres.
    """
    out = out or folder / "clips.csv"
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder")
    found, not_followed = (_from_labels(folder, labels), []) if labels else _from_folders(folder)
    if not found:
        raise DataError("; ".join([f"{labels or folder}: no recording found", *not_followed]))
    split_is_given = any(recording.split for recording in found)
    readable, warnings = [], not_followed
    marks = []
    for recording, clip in read_each(
        found, localized("listening"), lambda r: audio.load(r.path, seconds=LONGEST, loop=False)
    ):
        readable.append(recording)
        marks.append(landmarks(clip.samples))
    if len(readable) < len(found):
        warnings.append(f"{len(found) - len(readable)} of {len(found)} files could not be read")
    pairs = [(readable[a], readable[b]) for a, b, _ in find_duplicates(marks)]
    warnings += [
        f"{a.key} and {b.key} hold the same sound but stand under {a.genre} and {b.genre}"
        for a, b in pairs
        if a.genre and b.genre and a.genre != b.genre
    ]
    if split_is_given:
        recordings = readable
        warnings += [
            f"{a.key} ({a.split}) and {b.key} ({b.split}) hold the same sound on two sides of the "
            "split"
            for a, b in pairs
            if (a.split == "valid") != (b.split == "valid")
        ]
    else:
        grouped = _join(readable, pairs)
        recordings = _split(grouped, valid_share, np.random.default_rng(seed))
        if pairs:
            warnings.append(f"{len(pairs)} pairs hold the same sound; each was put on one side")
    genres = {r.genre for r in recordings if r.genre}
    if len(genres) < 2:
        names = ", ".join(genres) or "none"
        reason = f"{labels or folder}: at least two genres are needed, found {names}"
        raise DataError("; ".join([reason, *not_followed]))
    warnings += _thin(recordings)
    _write(recordings, folder, out)
    return Index(out, tuple(recordings), tuple(warnings))


def _from_folders(folder: Path) -> tuple[list[Recording], list[str]]:
    """Recordings below a folder, and a warning of links to folders, which are not followed."""
    found, linked = [], []
    paths: list[Path] = []
    for place, below, names in os.walk(folder):
        below[:] = [name for name in below if not is_hidden(name)]
        linked += [Path(place, name) for name in below if Path(place, name).is_symlink()]
        paths += [Path(place, name) for name in names if not is_hidden(name)]
    for path in sorted(paths):
        if path.suffix.lower() not in audio.SUFFIXES or not path.is_file():
            continue
        parts = path.relative_to(folder).parts
        found.append(
            Recording(
                key="/".join(parts),
                path=path,
                genre=parts[0] if len(parts) > 1 else "",
                source="",
                licence="",
                group=_artist(path) or "/".join(parts[:-1] if len(parts) > 2 else parts),
                split="" if len(parts) > 1 else "pool",
                recording="/".join(parts),
            )
        )
    if not any(r.genre for r in found):
        found = []  # there is nothing to split
    if not linked:
        return found, []
    some = ", ".join(sorted(path.relative_to(folder).as_posix() for path in linked)[:3])
    more = f" and {len(linked) - 3} more" if len(linked) > 3 else ""
    told = f"links to folders are not followed: {some}{more}; move or copy the recordings"
    return found, [told]


def _from_labels(folder: Path, labels: Path) -> list[Recording]:
    found = []
    for row in read_table(labels, {"path", "genre"}):
        recording, grouped = Recording.of_row(row, folder, labels), bool(row.get("group"))
        found.append(
            replace(
                recording,
                group=recording.group if grouped else _artist(recording.path) or recording.key,
                split=recording.split or ("" if recording.genre else "pool"),
                recording=recording.recording or ("" if grouped else recording.key),
            )
        )
    return found


def _artist(path: Path) -> str:
    """Artist by the file's tags; empty if there is none."""
    try:
        artist = read_tags(path).get("artist", "").strip()
    except AudioError:
        return ""  # read_each() reports files that cannot be read
    return "" if artist.lower() in _ANYBODY else artist


def _join(
    recordings: Sequence[Recording], pairs: Iterable[tuple[Recording, Recording]]
) -> list[Recording]:
    """Merge the groups of recordings that hold the same sound."""
    name = {r.group: r.group for r in recordings}

    def root(group: str) -> str:
        while name[group] != group:
            group = name[group]
        return group

    for a, b in pairs:
        first, second = sorted((root(a.group), root(b.group)))
        name[second] = first
    return [replace(r, group=root(r.group)) for r in recordings]


def _split(
    recordings: Sequence[Recording], valid_share: float, rng: np.random.Generator
) -> list[Recording]:
    """Hold out whole groups, genre by genre, the rarest first."""
    by_genre: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for recording in recordings:
        if recording.split != "pool":
            by_genre[recording.genre][recording.group] += 1
    side: dict[str, str] = {}
    for genre in sorted(by_genre, key=lambda g: (len(by_genre[g]), g)):
        groups = by_genre[genre]
        free = [g for g in sorted(groups) if g not in side]
        wanted = valid_share * groups.total()
        held = sum(n for g, n in groups.items() if side.get(g) == "valid")
        for group in rng.permutation(np.array(free, object)).tolist():
            left = any(side.get(g, "valid" if g == group else "train") == "train" for g in groups)
            # The last group stays in training; a group that is much too large is skipped.
            holds_out = left and (held == 0 or held + groups[group] / 2 <= wanted)
            side[group] = "valid" if holds_out else "train"
            held += groups[group] if holds_out else 0
    # Unlabelled recordings of a held-out artist are not trained on.
    return [
        r if r.split == "pool" and side.get(r.group) != "valid" else replace(r, split=side[r.group])
        for r in recordings
    ]


def _thin(recordings: Iterable[Recording]) -> list[str]:
    groups: defaultdict[str, defaultdict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for recording in recordings:
        if recording.genre:
            groups[recording.genre][recording.split].add(recording.group)
    sentences = []
    for genre, sides in sorted(groups.items()):
        n = len(set().union(*sides.values()))
        if not sides["valid"]:
            sentences.append(
                f"{genre}: {n} group; nothing of it is held out, so it cannot be measured"
            )
        elif not sides["train"]:
            sentences.append(f"{genre}: nothing to learn from, all of it is held out")
        elif n < _FEW_GROUPS:
            sentences.append(f"{genre}: only {n} groups; what is measured on them says little")
    return sentences


def _write(recordings: Iterable[Recording], folder: Path, out: Path) -> None:
    """Write the manifest; paths are relative to its folder where there is a way from it."""
    columns = ["genre", "source", "group", "split", "licence", "recording", "weight"]
    home = out.parent.resolve()
    out.parent.mkdir(parents=True, exist_ok=True)
    with replacing(out) as new, new.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["path", *columns])
        for r in recordings:
            fields = (getattr(r, column) for column in columns)
            writer.writerow([_relative(r.path.resolve(), home), *fields])


def _relative(path: Path, folder: Path) -> str:
    try:
        return Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:  # on another drive of Windows
        return path.as_posix()
