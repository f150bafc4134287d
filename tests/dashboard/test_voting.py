"""A class votes by its hands, and stands against the panel."""

from __future__ import annotations

from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest

pytest.importorskip("streamlit")

from streamlit.testing.v1 import AppTest

from ccmusic import dashboard, zoo
from ccmusic.dashboard import compute
from ccmusic.dashboard.examples import example_facts, find_examples
from ccmusic.genres import GENRES, genre_name
from ccmusic.texts import LANGUAGES, Language, translate
from small_models import make_checkpoint

APP = Path(dashboard.__file__).with_name("app.py")


@pytest.fixture(autouse=True)
def _one_model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    make_checkpoint(tmp_path, "resnet50_cqt", transform="cqt", favourite="jazz")
    monkeypatch.setattr(zoo, "SHIPPED", tmp_path)
    monkeypatch.setenv("CCMUSIC_HOME", str(tmp_path / "none"))
    yield
    compute.forget_all()


def press(app: AppTest, key: str) -> None:
    (button,) = [b for b in app.button if str(b.key).startswith(f"{key}_")]
    button.click().run()
    assert not app.exception


def versus(app: AppTest) -> str:
    drawn = [unescape(e.proto.body) for e in app.get("html") if 'class="versus"' in e.proto.body]
    return drawn[0] if drawn else ""


@pytest.mark.parametrize("language", LANGUAGES)
def test_hands_are_counted_and_stand_against_the_panel(language: Language) -> None:
    labelled = next(stem for stem, facts in example_facts().items() if facts.genre == "metal")
    app = AppTest.from_file(str(APP), default_timeout=120)
    app.query_params.update({"lang": language, "example": labelled, "vote": "many"})
    app.run()
    assert not app.exception
    assert len([b for b in app.button if str(b.key).startswith("hand_")]) == len(GENRES)
    for genre in ("metal", "jazz", "metal"):
        assert not versus(app)
        press(app, f"hand_{genre}")
    (metal,) = [b for b in app.button if str(b.key).startswith("hand_metal_")]
    assert metal.label == f"{genre_name('metal', language)} **2**"
    press(app, "reveal")
    said = versus(app)
    assert f"{genre_name('metal', language)}</span><span>2/3" in said
    assert genre_name("jazz", language) in said
    assert translate(language, "vote.score", ours=1, theirs=0, pieces=1) in said
    # A file of one's own: no artist has named a genre, and it has no score.
    content = find_examples()["rain"].read_bytes()
    app.file_uploader(key="upload").upload("mine.ogg", content, "audio/ogg").run()
    assert not versus(app)
    press(app, "hand_jazz")
    press(app, "anew")
    press(app, "hand_rock")
    press(app, "reveal")
    assert translate(language, "vote.no_label") in versus(app)
    assert translate(language, "vote.score", ours=1, theirs=0, pieces=1) in versus(app)
