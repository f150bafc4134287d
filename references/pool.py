"""Unlabelled music for a teacher to judge: ``python references/pool.py --known clips.csv -o pool``.

Takes Debian packages apart that contain music (``apt-get download`` and ``dpkg-deb``, nothing is
installed) and cuts windows of ten seconds out of each piece: at 30 % and at 65 % of its length.
What is there already is not fetched or cut again. ``pool.csv`` lists the windows; its column
``known`` says ``pool`` for pieces that the manifest of labelled clips has as unlabelled ones,
``source`` for other pieces of a source that it names, and nothing for sources that it does not.

No piece of the manifest's ``train`` or ``valid`` gets into the pool, whatever package it comes
from.
"""

import argparse
import csv
import fnmatch
import re
import subprocess
import tarfile
import wave
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
from rich.progress import track

from ccmusic.audio import SAMPLE_RATE, digest, load
from ccmusic.errors import AudioError
from ccmusic.files import replacing

PACKAGES = (
    *("amoebax-data", "ardentryst", "asc-music", "bomberclone-data", "boswars-data"),
    *("brainparty-data", "btanks-data", "caveexpress-data", "colobot-common-sounds"),
    *("drascula-music", "enigma-data", "extremetuxracer-data", "fillets-ng-data", "flare-game"),
    *("freecol", "freedink-data", "freedroidrpg-data", "fretsonfire-songs-sectoid"),
    *("frozen-bubble-data",),
    *("garden-of-coloured-lights-data", "glob2-data", "hedgewars-data", "hex-a-hop-data"),
    *("hyperrogue-music", "krank", "lincity-ng-data", "lordsawar-data", "lugaru-data"),
    *("marsshooter-data", "mu-cade-data", "naev-data", "neverball-common", "nexuiz-music"),
    *(
        "noiz2sa-data",
        "openarena-data",
        "openclonk-data",
        "parsec47-data",
        "pathological",
        "pax-britannica-data",
    ),
    *("pink-pony-data", "planetblupi-music-ogg", "plee-the-bear-data", "powermanga-data"),
    *("pushover-data", "renpy-demo", "scorched3d-data", "singularity-music", "starfighter-data"),
    *("supertux-data", "titanion-data", "torus-trooper-data", "trackballs-data"),
    *("tumiki-fighters-data", "tuxfootball", "tuxmath-data", "tuxtype-data", "unknown-horizons"),
    *("warmux-data", "warzone2100-music", "xmoto-data", "zaz-data"),
)
COLUMNS = ("path", "group", "source", "licence", "seconds", "known")
PROSE = {
    "enigma-data": "GPL-2",
    "fillets-ng-data": "GPL-2",
    "fretsonfire-songs-sectoid": "Expat",
    "glob2-data": "GPL-3+",
    "mu-cade-data": "BSD-2-clause",
    "nexuiz-music": "GPL-2+",
    "noiz2sa-data": "BSD-2-clause",
    "openclonk-data": "CC-BY-3.0 or CC0",
    "parsec47-data": "BSD-2-clause",
    "plee-the-bear-data": "CC-BY-SA-3.0",
    "singularity-music": "CC-BY-SA-3.0",
    "titanion-data": "BSD-2-clause",
    "torus-trooper-data": "BSD-2-clause",
    "tumiki-fighters-data": "BSD-2-clause",
    "tuxtype-data": "GPL-2",
    "warmux-data": "GPL-2+",
}
"""Licences of the music where the copyright file has no fields to read."""
EXAMPLES = {"enemyunknown"}
"""Pieces that the project shows and tests with."""
SECONDS = 10.0
PLACES = (0.30, 0.65)
SHORTEST = 20.0
"""Seconds: below this it is an effect or a jingle."""
SILENCE = 0.01
PIECES = 120
"""At most so many of one package."""
SOUND = {".flac", ".mp3", ".oga", ".ogg", ".opus", ".wav"}
ARCHIVES = {".pk3", ".pk4", ".zip"}
STEMS = {"drums", "guitar", "rhythm", "song", "vocals"}
"""Names of files that are one piece together."""
SPOKEN = re.compile(r"ambien|dialog|effect|sfx|speech|voice", re.IGNORECASE)


@dataclass(frozen=True)
class Piece:
    """A piece of music: one file, or the tracks of one recording."""

    name: str
    files: tuple[Path, ...]


def main() -> None:
    """Fetch, cut and list."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--known", type=Path, required=True, help="manifest of labelled clips")
    parser.add_argument("-o", "--out", type=Path, required=True, help="folder of the pool")
    options = parser.parse_args()
    with options.known.open(newline="", encoding="utf-8") as file:
        known = list(csv.DictReader(file))
    taken = {(r["source"], plain(r["group"])): "pool" for r in known if r["split"] == "pool"}
    learnt = {plain(r["group"]) for r in known if r["split"] in ("train", "valid")} | EXAMPLES
    sources = {r["source"] for r in known}

    rows = []
    seen: set[str] = set()
    for package in track(PACKAGES, description="packages"):
        content = unpack(package, options.out / "deb")
        if content is None:
            continue
        open_archives(content)
        licences = read_licences(content, package)
        pieces = [p for p in find_pieces(content) if not names(p) & learnt]
        for piece in spread(pieces, PIECES):
            state = taken.get((package, plain(piece.name)), "source" if package in sources else "")
            try:
                if (print_ := "".join(digest(file) for file in piece.files)) in seen:
                    continue
                seen.add(print_)
                for path in cut(piece, options.out.resolve() / "audio" / package):
                    rows.append(
                        {
                            "path": path,
                            "group": f"{package}/{piece.name}",
                            "source": package,
                            "licence": licence_of(piece.files[0], licences),
                            "seconds": SECONDS,
                            "known": state,
                        }
                    )
            except (AudioError, av.FFmpegError) as error:
                print(f"left out: {package}: {error}")
    with (
        replacing(options.out / "pool.csv") as beside,
        beside.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)


def plain(group: str) -> str:
    """The piece's name without its source, letters and digits alone."""
    return re.sub(r"[^a-z0-9]", "", group.rpartition("/")[2].lower())


def names(piece: Piece) -> set[str]:
    """What a manifest may call a piece: by its file, or with the folder in front."""
    folder = piece.files[0].parent.name
    return {plain(name) for name in (piece.name, f"{folder}_{piece.name}")}


def unpack(package: str, folder: Path) -> Path | None:
    """Content of a package; None, with a line that says so, where there is no such package."""
    content = folder / package
    if content.exists():
        return content
    folder.mkdir(parents=True, exist_ok=True)
    fetched = subprocess.run(
        ["apt-get", "download", package], cwd=folder, capture_output=True, text=True
    )
    if fetched.returncode:
        print(f"left out: {package}: {fetched.stderr.strip().splitlines()[-1]}")
        return None
    archive = next(folder.glob(f"{package}_*.deb"))
    beside = content.with_name(f"{package}.part")
    with (
        subprocess.Popen(["dpkg-deb", "--fsys-tarfile", archive], stdout=subprocess.PIPE) as files,
        tarfile.open(fileobj=files.stdout, mode="r|") as members,
    ):
        wanted = (m for m in members if m.isfile() and is_wanted(Path(m.name)))
        members.extractall(beside, wanted, filter="data")
    beside.rename(content)
    archive.unlink()
    return content


def is_wanted(file: Path) -> bool:
    """Whether a file of a package is worth its place on the disk."""
    return file.suffix.lower() in SOUND | ARCHIVES or file.name == "copyright"


def open_archives(content: Path) -> None:
    """Take the sound out of archives that a package holds, once."""
    for archive in sorted(content.rglob("*")):
        folder = archive.with_name(f"{archive.name}.files")
        if archive.suffix.lower() in ARCHIVES and not folder.exists():
            with zipfile.ZipFile(archive) as file:
                for name in file.namelist():
                    if Path(name).suffix.lower() in SOUND:
                        file.extract(name, folder)


def find_pieces(content: Path) -> list[Piece]:
    """Music of a package, long enough, by name; the tracks of one song together."""
    alone: dict[str, Piece] = {}
    parts: dict[Path, list[Path]] = {}
    for file in sorted(content.rglob("*")):
        where = str(file.relative_to(content))
        if file.suffix.lower() not in SOUND or not file.is_file() or SPOKEN.search(where):
            continue
        if seconds_of(file) < SHORTEST:
            continue
        if file.stem.lower() in STEMS:
            parts.setdefault(file.parent, []).append(file)
            continue
        name = underscored(file.stem)
        if name in alone:
            name = underscored(f"{file.parent.name}_{file.stem}")
        alone[name] = Piece(name, (file,))
    songs = [Piece(underscored(folder.name), tuple(files)) for folder, files in parts.items()]
    return [*alone.values(), *songs]


def underscored(name: str) -> str:
    """A name as manifests write it."""
    return re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_")


def seconds_of(file: Path) -> float:
    """Length as the header says; 0 if it cannot be read."""
    try:
        with av.open(str(file), metadata_errors="replace") as container:
            return (container.duration or 0) / av.time_base if container.streams.audio else 0.0
    except av.FFmpegError:
        return 0.0


def spread(pieces: list[Piece], most: int) -> list[Piece]:
    """At most so many, evenly from the whole list."""
    if len(pieces) <= most:
        return pieces
    return [pieces[i] for i in np.linspace(0, len(pieces) - 1, most).round().astype(int)]


def cut(piece: Piece, folder: Path) -> Iterator[Path]:
    """Write the windows of a piece that are not there yet; silent ones are left out."""
    seconds = min(seconds_of(file) for file in piece.files)
    # The windows of a short piece would overlap.
    places = PLACES if (PLACES[1] - PLACES[0]) * seconds >= SECONDS else PLACES[:1]
    for place in places:
        start = min(place * seconds, seconds - SECONDS)
        path = folder / f"{piece.name}-{start:04.0f}.wav"
        if not path.exists():
            clips = [load(file, crop=start, seconds=SECONDS) for file in piece.files]
            samples = np.sum([clip.samples for clip in clips], axis=0)
            if np.abs(samples).max() < SILENCE:
                continue
            write_wave(path, samples)
        yield path


def write_wave(path: Path, samples: npt.NDArray[np.float32]) -> None:
    """Write mono sound, 16 bits; what would clip is made quieter."""
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = samples / max(1.0, float(np.abs(samples).max()))
    with replacing(path) as beside, wave.open(str(beside), "wb") as file:
        file.setparams((1, 2, SAMPLE_RATE, 0, "NONE", ""))
        file.writeframes((samples * 32_767).round().astype("<i2").tobytes())


def read_licences(content: Path, package: str) -> list[tuple[str, str]]:
    """Patterns of files and their licences, in the order of the package's copyright file."""
    path = content / "usr/share/doc" / package / "copyright"
    if not path.is_file():
        return []
    pairs = [("*", PROSE[package])] if package in PROSE else []
    for paragraph in re.split(r"\n\s*\n", path.read_text("utf-8", "replace")):
        files = re.search(r"^Files:(.*(?:\n[ \t].*)*)", paragraph, re.MULTILINE)
        licence = re.search(r"^Licen[cs]e:[ \t]*(\S.*)", paragraph, re.MULTILINE)
        if files and licence:
            pairs += [(pattern, licence[1].strip()) for pattern in files[1].split()]
    return pairs


def licence_of(file: Path, licences: Iterable[tuple[str, str]]) -> str:
    """The last licence whose pattern fits.

    Folders of the source package may be called otherwise in the binary one, so only a pattern's
    last two names count.
    """
    found = "see the package's copyright file"
    for pattern, licence in licences:
        tail = "/".join(pattern.split("/")[-2:])
        if fnmatch.fnmatch(str(file), f"*/{tail}"):
            found = licence
    return found


if __name__ == "__main__":
    main()
