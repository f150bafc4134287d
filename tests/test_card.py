import json
from pathlib import Path

import pytest

from ccmusic.card import ModelCard, fastest
from ccmusic.errors import CheckpointError
from ccmusic.files import replacing
from ccmusic.zoo import find
from small_models import make_checkpoint


def test_a_card_survives_the_file(tmp_path: Path) -> None:
    card = make_checkpoint(tmp_path, "small")
    assert ModelCard.read(tmp_path / "small.json") == card
    assert card.transform == "cqt"


def test_a_card_is_read_again_only_if_its_file_is_another(tmp_path: Path) -> None:
    make_checkpoint(tmp_path, "small")
    path = tmp_path / "small.json"
    first = ModelCard.read(path)
    assert ModelCard.read(path) is first
    with replacing(path) as new:  # by another of as many bytes
        new.write_text(path.read_text().replace(first.sha256, first.sha256[::-1]))
    assert ModelCard.read(path).sha256 == first.sha256[::-1]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"temperature": 0}, "temperature"),
        ({"classes": ["jazz"]}, "classes"),
        ({"classes": ["jazz", "jazz"]}, "twice"),
        ({"sha256": "short"}, "sha256"),
        ({"name": "../escape"}, "name"),
        ({"unheard_of": 1}, "unheard_of"),
        (
            {"preprocessing": {"transform": {"name": "wavelet"}}},
            "preprocessing: Preprocessing: transform cannot be",
        ),
    ],
    ids=str,
)
def test_an_impossible_card_is_refused_with_its_reason(
    tmp_path: Path, change: dict[str, object], said: str
) -> None:
    make_checkpoint(tmp_path, "small")
    path = tmp_path / "small.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(CheckpointError, match=said) as caught:
        ModelCard.read(path)
    assert "\n" not in str(caught.value)


def test_a_card_that_is_no_json_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "broken.json"
    path.write_bytes(b"\xff{")
    with pytest.raises(CheckpointError, match=r"broken\.json"):
        ModelCard.read(path)


@pytest.mark.parametrize("name", ["con", "NUL", "aux.v2", "com1", "Lpt9.cqt"])
def test_names_that_windows_keeps_are_refused(tmp_path: Path, name: str) -> None:
    card = make_checkpoint(tmp_path, "small")
    with pytest.raises(CheckpointError, match=f"^{name}: a name that Windows keeps"):
        card.renamed(name)
    assert card.renamed(f"my_{name}").name == f"my_{name}"
    assert card.renamed("console").name == "console"


def test_the_fastest_is_known_from_measurements_before_multiply_adds(tmp_path: Path) -> None:
    card = make_checkpoint(tmp_path, "m")

    def build(name: str, latency: float | None, multiply_adds: int) -> ModelCard:
        made = {"name": name, "relative_latency": latency, "multiply_adds": multiply_adds}
        return card.model_copy(update=made)

    slow, quick = build("slow", 2.0, 1), build("quick", 0.8, 9)
    assert fastest([slow, quick]) == quick
    few, many = build("few", None, 1), build("many", None, 9)
    assert fastest([many, few]) == few
    assert fastest([few, slow]) == slow


def test_parts_of_a_chinese_sentence_are_divided_by_its_own_semicolon() -> None:
    told = find("mel", ["resnet50"])[0].card.maps_message("zh")
    assert "；" in told
    assert ";" not in told
