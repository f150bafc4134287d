from collections import Counter

import pytest

from ccmusic.card import Band
from ccmusic.dashboard import markup
from ccmusic.genres import genre_colour
from ccmusic.texts import translate


def test_a_line_says_all_in_text_and_once_in_colour() -> None:
    band = Band(level="low", above=0, accuracy=0.4, accuracy_interval=(0.3, 0.5), recordings=70)
    shares = {"blues": 0.2, "jazz": 0.7}
    line = markup.line("<i>VGG", shares, "zh", band=band, advice="38 % & so")
    assert "&lt;i&gt;VGG" in line
    assert "爵士" in line
    assert "70%" in line
    assert "布鲁斯" not in line
    assert translate("zh", "sureness.low") in line
    assert "38 % &amp; so" in line
    assert line.count(genre_colour("jazz")) == 2  # the square and the bar


@pytest.mark.parametrize(("votes", "shown"), [({"jazz": 5}, False), ({"jazz": 3, "pop": 2}, True)])
def test_votes_are_counted_where_they_differ(votes: dict[str, int], shown: bool) -> None:
    said = markup.headline("Song", "A sentence", Counter(votes), "en")
    assert ('class="votes"' in said) == shown
    if shown:
        assert said.index("Jazz</span> 3") < said.index("Pop</span> 2")
