import re

import pytest

from ccmusic import Panel
from ccmusic.card import Band
from ccmusic.dashboard import markup
from ccmusic.dashboard.examples import find_examples
from ccmusic.genres import genre_colour, genre_name
from ccmusic.texts import LANGUAGES, Language, translate

CHOICES = [("jazz", 0.7), ("blues", 0.2), ("pop", 0.06)]


def test_a_line_says_the_first_large_and_two_others_small() -> None:
    band = Band(level="low", above=0, accuracy=0.4, accuracy_interval=(0.3, 0.5), recordings=70)
    line = markup.model_row("<i>VGG", CHOICES, "zh", band=band, advice="38 % & so")
    assert "&lt;i&gt;VGG" in line
    assert "爵士" in line
    assert "70%" in line
    assert '<small class="rest">布鲁斯 20% · 流行 6%</small>' in line
    assert translate("zh", "sureness.low") in line
    assert "38 % &amp; so" in line
    assert line.count(genre_colour("jazz")) == 2  # the square and the bar


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_answer_is_a_genre_in_its_colour_and_a_dot_of_each_model(language: Language) -> None:
    votes = {"VGG19": "jazz", "ResNet50": "blues", "<b>Mine": None}
    dots = [markup.dot(name, genre, language) for name, genre in votes.items()]
    said = ["2 of 3", "the whole"]
    answer = markup.answer("<i>Song", CHOICES, dots, said, ["low & slow"], language)
    assert "&lt;i&gt;Song" in answer
    large = f'<b class="large" style="--genre:{genre_colour("jazz")}">'
    assert f"{large}{genre_name('jazz', language)}</b>" in answer
    assert '<span class="mean">70%</span>' in answer
    assert answer.count('class="dot"') == 2
    assert answer.count('class="dot pending"') == 1
    for name, genre in votes.items():
        if genre:
            text = f"{name}: {genre_name(genre, language)}"
            assert f'background:{genre_colour(genre)}" title="{text}"><span>{text}</span>' in answer
    assert "&lt;b&gt;Mine" in answer
    # What warns stands right below the votes.
    assert answer.index("2 of 3") < answer.index("low &amp; slow") < answer.index("the whole")


def test_a_warning_that_makes_the_verdict_worthless_is_the_headline() -> None:
    answer = markup.answer("", CHOICES, [], ["5 of 5"], [], "en", worthless="Speech, not music")
    assert '<h2 class="answer sentence">Speech, not music</h2>' in answer
    assert "Jazz" not in answer
    assert "70%" not in answer


def test_the_two_closest_genres_stand_model_by_model() -> None:
    with Panel.open("cqt") as panel:
        verdicts = panel.analyze(find_examples()["vibe_ace"]).verdicts.values()
    table = markup.tie(verdicts, ("reggae", "jazz"), "en")
    rows = {}
    for name, cells in re.findall('<th scope="row">(.*?)</th>(.*?)</tr>', table):
        rows[name] = re.findall(r"(\d+%)</span>", cells)
    assert rows == {
        v.card.title(): [f"{v.probabilities[genre]:.0%}" for genre in ("reggae", "jazz")]
        for v in verdicts
    }
    # First who prefers the one, last who prefers the other.
    lead = {v.card.title(): v.probabilities["reggae"] - v.probabilities["jazz"] for v in verdicts}
    assert list(rows) == sorted(rows, key=lambda name: -lead[name])
