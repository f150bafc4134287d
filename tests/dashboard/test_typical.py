"""The typical pictures are there, may be shown, and say whose they are."""

from __future__ import annotations

from html import unescape
from pathlib import Path

import pytest

pytest.importorskip("streamlit")

from PIL import Image
from streamlit.testing.v1 import AppTest

from ccmusic import dashboard
from ccmusic.dashboard.examples import find_examples
from ccmusic.dashboard.typical import FOLDER, PER_GENRE, picture_path, typical_pictures
from ccmusic.genres import GENRES, genre_name
from ccmusic.texts import LANGUAGES, Language, translate

APP = Path(dashboard.__file__).with_name("app.py")


def test_every_picture_belongs_to_a_recording_with_credit() -> None:
    found = typical_pictures()
    assert list(found) == list(GENRES)
    expected = {
        picture_path(genre, place, transform)
        for genre, recordings in found.items()
        for place in range(len(recordings))
        for transform in ("cqt", "mel")
    }
    assert set(FOLDER.glob("*.webp")) == expected
    for genre, recordings in found.items():
        assert len(recordings) <= PER_GENRE, genre
        for one in recordings:
            assert one.credit, genre
            # What was generated has no title; a recording is named after its own.
            assert bool(one.title) != one.generated, genre


def test_pictures_are_small() -> None:
    paths = list(FOLDER.iterdir())
    assert sum(path.stat().st_size for path in paths) < 600e3
    for path in FOLDER.glob("*.webp"):
        with Image.open(path) as picture:
            assert picture.size == (224, 224)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_first_genre_is_shown_and_any_other_on_request(language: Language) -> None:
    if "vibe_ace" not in find_examples():
        pytest.skip("no examples")
    app = AppTest.from_file(str(APP), default_timeout=120)
    for key, value in {"lang": language, "example": "muldjord", "transform": "mel"}.items():
        app.query_params[key] = value
    app.run()
    assert not app.exception
    (chooser,) = [s for s in app.selectbox if str(s.key).startswith("typical_genre_")]
    assert chooser.value == "metal"

    # What is an example can be heard; the axes have their ends.
    assert [a.proto.alt for a in app.get("audio")][1:] == ["Armygeddon"]
    (sheet,) = [e.proto.body for e in app.get("html") if '<div class="typical">' in e.proto.body]
    assert sheet.count('<i class="end">10 s</i>') == len(typical_pictures()["metal"])

    def alternatives() -> list[str]:
        bodies = [unescape(e.proto.body) for e in app.get("html")]
        (shown,) = [body for body in bodies if '<div class="typical">' in body]
        return shown.split('<img alt="')[1:]

    for genre in ("metal", "folk"):
        if chooser.value != genre:
            chooser.set_value(genre).run()
        recordings = typical_pictures()[genre]
        said = alternatives()
        assert len(said) == len(recordings)
        for place, (one, figure) in enumerate(zip(recordings, said, strict=True), 1):
            named = {"genre": genre_name(genre, language), "place": place, "all": len(recordings)}
            assert figure.startswith(translate(language, "typical.alt", transform="Mel", **named))
            assert one.credit in figure
            assert one.licence in figure
            assert (translate(language, "typical.generated") in figure) == one.generated
