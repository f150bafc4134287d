"""What is in the wheel has a licence that the wheel declares, and its text."""

import json
import re
import tomllib
import zipfile
from email.message import Message
from email.parser import BytesParser
from pathlib import Path

import pytest

from ccmusic import __version__
from ccmusic.card import ModelCard
from ccmusic.zoo import SHIPPED

wheel_builder = pytest.importorskip("hatchling.builders.wheel")

ROOT = Path(__file__).parent.parent
TYPICAL = ROOT / "src" / "ccmusic" / "dashboard" / "typical_pictures"
INFO = f"ccmusic-{__version__}.dist-info"
# Foreign networks that checkpoints may have begun as or learnt from, by their names on the cards.
ORIGINS = ("EfficientNet-Lite0", "musicnn", "YAMNet")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    (built,) = wheel_builder.WheelBuilder(str(ROOT)).build(directory=str(folder))
    return Path(built)


@pytest.fixture(scope="module")
def files(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        return BytesParser().parsebytes(archive.read(f"{INFO}/METADATA"))


def _credits() -> dict[str, str]:
    """SPDX identifiers of the recordings."""
    text = (ROOT / "examples" / "CREDITS.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([^`]+)` \|.*?\| \[([^\]]+)\]\(https://", text, flags=re.MULTILINE)
    return {name: licence.replace(" ", "-") for name, licence in rows}


def _typical() -> dict[str, str]:
    """SPDX identifiers of what the typical pictures show, by the pictures' names."""
    index = json.loads((TYPICAL / "typical.json").read_text(encoding="utf-8"))
    return {
        f"{genre}-{place}-{transform}.webp": one["licence"]
        for genre, recordings in index.items()
        for place, one in enumerate(recordings, 1)
        for transform in ("cqt", "mel")
    }


def _cards() -> list[ModelCard]:
    return [ModelCard.read(path) for path in SHIPPED.glob("*.json")]


def test_declared_licences_are_those_of_what_is_inside(metadata: Message) -> None:
    inside = {"MIT", *_credits().values(), *_typical().values()}
    for card in _cards():
        inside.update(card.licence.partition(";")[0].split(" AND "))
        if "EfficientNet-Lite0" in card.data:
            inside.add("Apache-2.0")
    assert set(metadata["License-Expression"].split(" AND ")) == inside


def test_the_space_names_no_single_licence(metadata: Message) -> None:
    card = (ROOT / "deploy" / "space" / "README.md").read_text("utf-8")
    assert ("\nlicense: other\n" in card) == (" AND " in metadata["License-Expression"])


def test_every_recording_is_credited(files: set[str]) -> None:
    folder = "ccmusic/examples/"
    recordings = {f.removeprefix(folder) for f in files if f.startswith(folder)} - {"CREDITS.md"}
    assert f"{folder}CREDITS.md" in files
    assert recordings == set(_credits())


def test_every_typical_picture_is_credited(files: set[str]) -> None:
    folder = "ccmusic/dashboard/typical_pictures/"
    pictures = {f.removeprefix(folder) for f in files if f.startswith(folder)}
    assert pictures == {"typical.json", *_typical()}
    named = "".join(
        (ROOT / name).read_text(encoding="utf-8") for name in ("NOTICE", "examples/CREDITS.md")
    )
    index = json.loads((TYPICAL / "typical.json").read_text(encoding="utf-8"))
    credited = {one["credit"] for recordings in index.values() for one in recordings}
    makers = {credit.split(",")[0].partition(" (")[0] for credit in credited}
    assert not {maker for maker in makers if maker not in named}


def test_every_checkpoint_has_its_card(files: set[str]) -> None:
    weights = {f.removesuffix(".onnx") for f in files if f.endswith(".onnx")}
    assert weights == {f"ccmusic/checkpoints/{card.name}" for card in _cards()}
    assert {f"{name}.json" for name in weights} <= files


def test_nothing_else_of_foreign_origin_is_inside(files: set[str]) -> None:
    """A new kind of file must be thought about here: who made it, and under which licence."""
    own = re.compile(r"ccmusic/(?:[\w-]+/)*[\w.-]+\.(?:py|json|js|css|html|svg)|ccmusic/py\.typed")
    known = re.compile(
        rf"{INFO}/.*|ccmusic/examples/.*|ccmusic/checkpoints/\w+\.onnx"
        r"|ccmusic/dashboard/typical_pictures/.*\.webp"
    )
    assert {f for f in files if not own.fullmatch(f) and not known.fullmatch(f)} == set()


def test_licence_texts_and_notice_are_inside(files: set[str], metadata: Message) -> None:
    declared = set(metadata["License-Expression"].split(" AND ")) - {"MIT"}
    texts = {f"{INFO}/licenses/LICENSES/{name}.txt" for name in declared}
    expected = {*texts, f"{INFO}/licenses/LICENSE", f"{INFO}/licenses/NOTICE"}
    assert {f for f in files if f.startswith(f"{INFO}/licenses/")} == expected
    listed = {f"{INFO}/licenses/{name}" for name in metadata.get_all("License-File", [])}
    assert listed == expected


def test_notice_names_what_the_checkpoints_came_from() -> None:
    notice = (ROOT / "NOTICE").read_text(encoding="utf-8")
    told = " ".join(card.data for card in _cards())
    missing = [name for name in ORIGINS if name in told and name not in notice]
    assert not missing


def test_wheel_is_light(wheel: Path) -> None:
    assert wheel.stat().st_size < 50e6


def test_version_is_in_one_place(metadata: Message) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert "version" in project["dynamic"]
    assert metadata["Version"] == __version__
