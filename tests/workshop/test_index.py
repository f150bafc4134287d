import csv
import os
import socket
import wave
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from ccmusic.errors import DataError
from ccmusic.workshop import index as index_module
from ccmusic.workshop.data import Recording, read_manifest, read_table
from ccmusic.workshop.fingerprint import find_duplicates, landmarks
from ccmusic.workshop.index import index

RATE = 22_050


def melody(seed: int, seconds: float = 6.0) -> np.ndarray:
    """Random notes, ten a second, so that no two melodies share their landmarks."""
    rng = np.random.default_rng(seed)
    t = np.arange(int(0.1 * RATE)) / RATE
    notes = [
        sum(np.sin(2 * np.pi * f * t) for f in 65 * 2 ** (rng.integers(0, 60, 2) / 12))
        for _ in range(int(10 * seconds))
    ]
    return 0.2 * np.concatenate(notes)


def write(path: Path, samples: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((np.clip(samples, -1, 1) * 32_000).astype("<i2").tobytes())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(10):
        write(tmp_path / "jazz" / f"{number}.wav", melody(number))
        write(tmp_path / "blues" / f"album {number // 2}" / f"{number}.wav", melody(100 + number))
    return tmp_path


def sides(path: Path) -> dict[str, set[str]]:
    found = defaultdict(set)
    for recording in read_manifest(path):
        found[recording.group].add(recording.split)
    return found


def test_what_systems_hide_is_no_genre_and_links_are_told(folder: Path) -> None:
    for place in (".ipynb_checkpoints", ".Trash-1000/files", "@eaDir", "__MACOSX/jazz",
                  "lost+found", "#recycle/jazz", "$Recycle.Bin"):  # fmt: skip
        write(folder / place / "1.wav", melody(200))
    write(folder / "jazz" / "@eaDir" / "2.wav", melody(201))
    (folder / "jazz" / "._1.wav").write_bytes(b"what macOS leaves beside files")
    (folder / "rock").symlink_to(folder / "jazz", target_is_directory=True)
    (folder / "blues" / "again").symlink_to(folder, target_is_directory=True)
    found = index(folder)
    assert set(found.counts()) == {"blues", "jazz"}
    assert len(found.recordings) == 20
    (told,) = [line for line in found.warnings if "link" in line]
    assert told.startswith("links to folders are not followed: blues/again, rock;")


def test_only_links_are_told_in_the_refusal(folder: Path, tmp_path: Path) -> None:
    music = tmp_path / "music"
    music.mkdir()
    for genre in ("jazz", "blues"):
        (music / genre).symlink_to(folder / genre, target_is_directory=True)
    with pytest.raises(DataError, match="no recording found; links to folders are not followed"):
        index(music)


TABLES = {
    "plain": "path,genre\n{rows}",
    "semicolons": "path;genre\n{rows}",
    "sep": "sep=;\npath;genre\n{rows}",
    "sep in quotes": '"sep=;"\npath;genre\n{rows}',
    "blank lines first": "\n,,\n\npath,genre\n{rows}",
    "tabs": "path\tgenre\n{rows}",
    "capitals": "Path,Genre\n{rows}",
    "spaces": " path , GENRE \n{rows}",
    "carriage returns": "path,genre\r\n{rows}",
    "blank lines": "path,genre\n\n,\n{rows}\n,\n\n",
    "backslashes": "path,genre\n{rows}",
    "spaces around": "path, genre\n{rows}",
}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "gbk"])
@pytest.mark.parametrize("table", TABLES)
def test_label_tables_of_spreadsheets_are_read(tmp_path: Path, table: str, encoding: str) -> None:
    path = tmp_path / "labels.csv"
    separator = ";" if "path;genre" in TABLES[table] else "\t" if table == "tabs" else ","
    slash = "\\" if table == "backslashes" else "/"
    names = [("摇滚/一.wav", "摇滚"), ("jazz/two.wav", "jazz")]
    around = " " if table == "spaces around" else ""
    rows = "\n".join(
        f"{name.replace('/', slash)}{around}{separator}{around}{genre}{around}"
        for name, genre in names
    )
    path.write_bytes(TABLES[table].format(rows=rows).encode(encoding))
    for name, _ in names:
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    found = index_module._from_labels(tmp_path, path)
    assert [(r.path, r.genre) for r in found] == [(tmp_path / n, g) for n, g in names]
    assert all(r.path.exists() for r in found)


def test_a_table_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    for content, said in (
        ("path,genre\nCaf\xe9.wav,jazz".encode("latin-1"), "not text in UTF-8, UTF-16 or GBK"),
        (b"name,style\na,b", "has no column genre, path"),
        (b"", "has no column genre, path"),
        (b"PK\3\4\x14\0\6\0\x08\0\0\0", "not text"),  # a workbook
        ("path,genre\na.wav,jazz".encode("utf-32"), "not text"),
        (b'path,genre\n"a.wav,jazz\nb.wav,rock', "cannot be read as a table"),
    ):
        path.write_bytes(content)
        with pytest.raises(DataError, match=said):
            read_table(path, {"path", "genre"})


def test_a_name_is_never_opened_as_an_address(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        song = Path(f"http:127.0.0.1:{server.getsockname()[1]}.wav")
        write(song, melody(1000))
        found = index(Path())
        with pytest.raises(BlockingIOError):
            server.accept()
    assert str(song) in {r.key for r in found.recordings}


def test_folders_become_genres_and_albums_stay_together(folder: Path) -> None:
    found = index(folder)
    assert found.manifest == folder / "clips.csv"
    counts = found.counts()
    assert counts == {"jazz": {"train": 8, "valid": 2}, "blues": {"train": 8, "valid": 2}}
    assert all(len(split) == 1 for split in sides(found.manifest).values())
    albums = [g for g in sides(found.manifest) if g.startswith("blues/album")]
    assert len(albums) == 5


def test_the_split_is_the_same_every_time(folder: Path) -> None:
    first = index(folder).manifest.read_bytes()
    assert index(folder).manifest.read_bytes() == first


@pytest.mark.parametrize(
    ("groups", "size", "held"),
    [(8, 4, 8), (2, 10, 10), (1, 10, 0), (10, 3, 6)],
    ids=["nearer with half a group too many", "one at least", "but not the last", "exactly"],
)
def test_groups_are_held_out_up_to_a_fifth(groups: int, size: int, held: int) -> None:
    recordings = [
        Recording(f"{g}/{n}", Path(f"{g}/{n}"), "jazz", "", "", str(g), "")
        for g in range(groups)
        for n in range(size)
    ]
    for seed in range(3):
        split = index_module._split(recordings, 0.2, np.random.default_rng(seed))
        assert sum(r.split == "valid" for r in split) == held


def test_paths_of_another_drive_are_written_whole(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def on_windows(path: object, start: object) -> str:
        raise ValueError("path is on mount 'D:', start on mount 'C:'")

    monkeypatch.setattr(os.path, "relpath", on_windows)
    assert all(r.path.is_file() for r in read_manifest(index(folder).manifest))


def test_a_copy_is_put_on_the_side_of_its_original(folder: Path) -> None:
    for number in range(10):
        write(folder / "jazz" / f"copy {number}.wav", 0.3 * melody(number)[RATE // 2 :])
    found = index(folder)
    group = {r.path.name: r.group for r in read_manifest(found.manifest)}
    assert all(group[f"{n}.wav"] == group[f"copy {n}.wav"] for n in range(10))
    assert any("10 pairs hold the same sound" in warning for warning in found.warnings)


def test_a_copy_under_another_genre_is_named(folder: Path) -> None:
    write(folder / "blues" / "copy.wav", melody(3))
    warnings = index(folder).warnings
    assert any("blues/copy.wav" in w and "jazz/3.wav" in w for w in warnings)


def test_a_given_split_is_kept_and_its_leaks_are_named(folder: Path) -> None:
    write(folder / "jazz" / "copy.wav", melody(3))
    labels = folder / "labels.csv"
    rows = [("jazz/3.wav", "jazz", "train"), ("jazz/copy.wav", "jazz", "valid")]
    rows += [("blues/album 0/0.wav", "blues", "train"), ("blues/album 1/2.wav", "blues", "valid")]
    with labels.open("w", newline="") as file:
        csv.writer(file).writerows([("path", "genre", "split"), *rows])
    found = index(folder, labels=labels, out=folder / "elsewhere" / "clips.csv")
    assert [(r.genre, r.split) for r in found.recordings] == [(g, s) for _, g, s in rows]
    assert all(r.path.exists() for r in read_manifest(found.manifest))
    assert any("two sides of the split" in warning for warning in found.warnings)


def test_files_of_a_group_stay_pieces_and_keep_their_weights(folder: Path) -> None:
    pieces = [r.piece for r in read_manifest(index(folder).manifest)]
    assert len(set(pieces)) == len(pieces) == 20
    labels = folder / "labels.csv"
    rows = [(f"jazz/{n}.wav", "jazz", "0.5") for n in range(5)]
    rows += [(f"blues/album {n}/{2 * n}.wav", "blues", "") for n in range(5)]
    with labels.open("w", newline="") as file:
        csv.writer(file).writerows([("path", "genre", "weight"), *rows])
    weighed = read_manifest(index(folder, labels=labels).manifest)
    assert {(r.genre, r.weight) for r in weighed} == {("jazz", 0.5), ("blues", 1.0)}


def test_a_genre_of_one_group_cannot_be_held_out(folder: Path) -> None:
    write(folder / "folk" / "only.wav", melody(50))
    found = index(folder)
    assert found.counts()["folk"] == {"train": 1}
    assert any(w.startswith("folk: 1 group; nothing of it is held out") for w in found.warnings)
    assert any(w.startswith("jazz: only") or w.startswith("blues: only 5") for w in found.warnings)


def test_a_broken_file_is_left_out(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "jazz" / "broken.mp3").write_bytes(b"no music")
    found = index(folder)
    assert "1 of 21 files could not be read" in found.warnings
    assert "broken.mp3" in capsys.readouterr().out


def test_what_cannot_be_indexed_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        index(tmp_path / "nowhere")
    with pytest.raises(DataError, match="no recording"):
        index(tmp_path)
    write(tmp_path / "jazz" / "0.wav", melody(0))
    with pytest.raises(DataError, match="at least two genres are needed, found jazz"):
        index(tmp_path)
    assert not (tmp_path / "clips.csv").exists()


def test_strangers_share_no_landmarks_and_silence_has_none() -> None:
    marks = [landmarks(melody(n).astype(np.float32)) for n in range(6)]
    assert find_duplicates(marks) == []
    assert find_duplicates([landmarks(np.zeros(RATE, np.float32))] * 2) == []
    noisy = melody(2) + np.random.default_rng(0).normal(0, 0.01, len(melody(2)))
    (pair,) = find_duplicates([*marks, landmarks(noisy.astype(np.float32))])
    assert pair[:2] == (2, 6)
