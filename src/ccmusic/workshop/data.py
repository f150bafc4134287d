"""Manifests of labelled recordings, and their spectrograms for training.

A manifest is a CSV file with the columns ``path`` (relative to the manifest), ``genre`` (empty:
unlabelled), ``group`` (the recording; clips of one group are never on both sides of a split) and
``split`` (``train``, ``valid``, or anything else for unlabelled material). Optional are ``source``
and ``licence``, which go into the card; ``recording``, where a group is more than one piece, as the
songs of an artist: clips of one recording get one verdict, their mean; and ``weight``, how often
training sees a clip in a pass, 1 by default.
"""

from __future__ import annotations

import csv
import hashlib
import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Self, TypeVar

import numpy as np
import numpy.typing as npt
from rich.progress import track

from ccmusic import audio
from ccmusic.card import DataSource
from ccmusic.errors import AudioError, DataError
from ccmusic.files import replacing
from ccmusic.genres import GENRES
from ccmusic.picture import Pixels, Preprocessing
from ccmusic.prepare import prepare
from ccmusic.texts import default_language, localized
from ccmusic.zoo import user_folder

T = TypeVar("T")

LONGEST = 30.0
_CALIBRATION_PICTURES = 32  # all their activations are in memory at once: 128 of VGG's took 12 GB
_COLUMNS = {"path", "genre", "group", "split"}
_OPTIONAL = {"source", "licence", "recording", "weight"}


@dataclass(frozen=True)
class Recording:
    """One row of a manifest."""

    key: str
    """The path as the manifest writes it."""
    path: Path
    genre: str
    source: str
    licence: str
    group: str
    split: str
    recording: str = ""
    """The piece, where a group is several."""
    weight: float = 1.0
    """How often training sees the clip in a pass, on average."""

    @classmethod
    def of_row(cls, row: dict[str, str], folder: Path, table: Path) -> Self:
        """From a row of a table whose paths are relative to a folder; errors as of a manifest."""
        return cls(
            key=row["path"],
            path=locate(folder, row["path"]),
            genre=row["genre"],
            group=row.get("group") or row["path"],
            weight=_weight(row, table),
            **{name: row.get(name, "") for name in ("source", "licence", "split", "recording")},
        )

    @property
    def piece(self) -> str:
        """What gets one verdict, the mean of its clips."""
        return self.recording or self.group


def read_manifest(path: Path) -> list[Recording]:
    """Read and check a manifest.

    Raises
    ------
    DataError
        If it is missing, lacks a column, has a group on both sides of the split, or a weight that
        is no number above 0.
    """
    rows = [Recording.of_row(row, path.parent, path) for row in read_table(path, _COLUMNS)]
    both = {r.group for r in rows if r.split == "train"} & {
        r.group for r in rows if r.split == "valid"
    }
    if both:
        raise DataError(
            f"{path}: group {min(both)!r} is in train and in valid; split by group, not by clip"
        )
    return rows


def _weight(row: dict[str, str], path: Path) -> float:
    text = row.get("weight") or "1"
    try:
        weight = float(text)
    except ValueError:
        weight = 0.0
    if not 0 < weight < math.inf:
        raise DataError(f"{path}: weight: expected a number above 0, not {text!r}")
    return weight


def read_table(path: Path, columns: Set[str]) -> list[dict[str, str]]:
    """Rows of a CSV file with at least these columns.

    Raises
    ------
    DataError
        If it is missing, damaged, or lacks a column or a value.
    """
    try:
        text = _decoded(path.read_bytes())
        if "\0" in text:  # a workbook, or UTF-32
            raise UnicodeError
        lines = text.splitlines(keepends=True)
        while lines and not lines[0].strip(" \t\r\n,;"):
            del lines[0]
        named = lines[:1] and re.fullmatch(r'"?sep=(.)"?', lines[0].strip(), re.IGNORECASE)
        if named:  # Excel's own line before the header
            lines = lines[1:]
        # The header tells what separates the columns, and spreadsheets like capitals in it.
        separators = named[1] if named else ",;\t"
        headers = {each: next(_rows(lines[:1], each), []) for each in separators}
        separator = max(headers, key=lambda each: len(headers[each]))
        known = columns | _COLUMNS | _OPTIONAL
        header = [
            name.strip().lower() if name.strip().lower() in known else name
            for name in headers[separator]
        ]
        missing = columns - set(header)
        if missing:
            raise DataError(f"{path}: has no column {', '.join(sorted(missing))}")
        rows = (
            dict(zip_longest(header, row[: len(header)], fillvalue=""))
            for row in _rows(lines[1:], separator)
        )
        # Rows of separators alone are what spreadsheets leave of empty ones.
        return [row for row in rows if any(row.values())]
    except UnicodeError:
        raise DataError(
            f"{path}: is not text in UTF-8, UTF-16 or GBK; save it again as UTF-8"
        ) from None
    except (OSError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read as a table ({error})") from None


def _rows(lines: Iterable[str], separator: str) -> Iterator[list[str]]:
    """Cells without the spaces around them, which are nobody's genre."""
    for row in csv.reader(lines, delimiter=separator, skipinitialspace=True, strict=True):
        yield [cell.strip() for cell in row]


def _decoded(content: bytes) -> str:
    """Text in the encodings in which spreadsheets and Windows write it."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16")
    if b"\0" in content[:2]:  # half of the bytes of letters without the mark
        return content.decode("utf-16-le" if content[1:2] == b"\0" else "utf-16-be")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("gb18030")


def locate(folder: Path, path: str) -> Path:
    """Path of a file that a table names, with slashes of Windows too."""
    found = folder / path
    if "\\" in path and not found.exists():
        return folder / path.replace("\\", "/")
    return found


def count_sources(recordings: Iterable[Recording]) -> tuple[DataSource, ...]:
    """Clips by origin and licence, the largest first."""
    rows: defaultdict[tuple[str, str], list[Recording]] = defaultdict(list)
    for recording in recordings:
        rows[recording.source, recording.licence].append(recording)
    counted = [
        DataSource(
            source=source,
            licence=licence,
            recordings=len({r.piece for r in those}),
            clips=dict(Counter(r.genre for r in those if r.genre).most_common()),
            unlabelled=sum(not r.genre for r in those),
        )
        for (source, licence), those in rows.items()
    ]
    return tuple(sorted(counted, key=lambda s: -(sum(s.clips.values()) + s.unlabelled)))


def classes_of(recordings: Sequence[Recording]) -> tuple[str, ...]:
    """Genres of the training split: in the order of GENRES if all are of these, else by name."""
    found = {r.genre for r in recordings if r.split == "train" and r.genre}
    if len(found) < 2:
        raise DataError(f"at least two genres are needed to train; the manifest has {len(found)}")
    return tuple(g for g in GENRES if g in found) if found <= set(GENRES) else tuple(sorted(found))


def read_soft_targets(path: Path | None) -> tuple[dict[str, npt.NDArray[np.float32]], list[str]]:
    """Read a CSV of ``path`` and columns of values in 0..1; values by path, names of columns.

    Without a file there are none.

    Raises
    ------
    DataError
        If it cannot be read or a value lies outside 0..1.
    """
    if path is None:
        return {}, []
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            _, *names = next(reader := csv.reader(file))
            targets = {row[0]: np.array(row[1:], np.float32) for row in reader}
    except (OSError, ValueError, StopIteration, csv.Error) as error:
        raise DataError(f"{path}: cannot be read as soft targets ({error})") from None
    for key, values in targets.items():
        if len(values) != len(names) or not ((values >= 0) & (values <= 1)).all():
            raise DataError(f"{path}: {key}: expected {len(names)} values between 0 and 1")
    return targets, names


@dataclass(frozen=True)
class Material:
    """Recordings with their whole spectrograms, in memory."""

    recordings: tuple[Recording, ...]
    values: tuple[npt.NDArray[np.float16], ...]
    """Natural logarithm of the spectrogram without floor, float16 [n_bins, n_frames], as many
    frames as the recording has, up to 30 s."""


def read_each(
    recordings: Iterable[Recording], description: str, function: Callable[[Recording], T]
) -> Iterator[tuple[Recording, T]]:
    """Call a function on recordings one by one; those that cannot be read are reported."""
    for recording in track(list(recordings), description=description):
        try:
            yield recording, function(recording)
        except AudioError as error:
            print(localized(f"left out: {error.message(default_language())}"))


def load_material(recordings: Iterable[Recording], preprocessing: Preprocessing) -> Material:
    """Spectrograms of whole recordings, computed or cached.

    The cache is ``spectrograms`` beside the user's checkpoints, under names that change with
    the file and the transform; the folder may be deleted at any time.
    """
    description = localized(f"{preprocessing.transform.name} spectrograms")
    found = list(read_each(recordings, description, lambda r: _logarithm(r.path, preprocessing)))
    return Material(tuple(r for r, _ in found), tuple(values for _, values in found))


def _logarithm(path: Path, preprocessing: Preprocessing) -> npt.NDArray[np.float16]:
    """One recording of a :class:`Material`."""
    kept = None
    if path.is_file():
        state = path.stat()
        key = f"{path.resolve()}\n{state.st_size}\n{state.st_mtime_ns}\n"
        key += preprocessing.transform.model_dump_json()
        name = f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.npy"
        kept = user_folder().parent / "spectrograms" / name
        if kept.exists():
            return np.asarray(np.load(kept, allow_pickle=False), np.float16)
    clip = audio.load(path, seconds=LONGEST, loop=False)
    transform = preprocessing.transform
    powers = transform(clip.samples_at(transform.sample_rate)).values
    values = np.log(np.maximum(powers, 1e-9)).astype(np.float16)
    if kept:
        kept.parent.mkdir(parents=True, exist_ok=True)
        with replacing(kept) as new, new.open("wb") as file:
            np.save(file, values)
    return values


def load_pictures(
    recordings: Sequence[Recording], preprocessing: Preprocessing
) -> tuple[list[Recording], list[Pixels]]:
    """Pictures of the centre 10 s, uint8 [size, size] each; for a preprocessing without slices."""
    drawn = list(draw_recordings(recordings, [preprocessing]))
    pictures = [of[preprocessing] for _, of in drawn]
    return [recording for recording, _ in drawn], [picture for (picture,) in pictures]


def draw_recordings(
    recordings: Sequence[Recording], preprocessings: Iterable[Preprocessing]
) -> Iterator[tuple[Recording, dict[Preprocessing, list[Pixels]]]]:
    """Pictures as users get them, recording by recording; all slices where there are slices.

    Recordings that cannot be read are reported and skipped.

    Raises
    ------
    DataError
        If the network's input is not made of pixels.
    """
    preprocessings = set(preprocessings)
    if any(preprocessing.scaling == "none" for preprocessing in preprocessings):
        raise DataError("only networks that see pixels can be measured: this one sees levels")
    names = ", ".join(sorted({p.transform.name for p in preprocessings}))
    description = localized(f"{names} pictures")
    found = read_each(recordings, description, lambda r: prepare(r.path, preprocessings))
    for recording, drawn in found:
        yield recording, {p: [each.pixels for each in of] for p, of in drawn.pictures.items()}


def calibration_pictures(manifest: Path, preprocessing: Preprocessing) -> list[Pixels]:
    """A few pictures of the ``train`` split, spread over the manifest."""
    training = [r for r in read_manifest(manifest) if r.split == "train" and r.genre]
    step = max(1, len(training) // _CALIBRATION_PICTURES)
    return load_pictures(training[::step], preprocessing)[1]
