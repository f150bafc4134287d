"""Advice says what was measured, and nothing where nothing was."""

from dataclasses import replace
from pathlib import Path

import pytest

from ccmusic import analyze, zoo
from ccmusic.advice import Advice
from ccmusic.analysis import Analysis

EXAMPLE = Path(__file__).parent.parent / "examples" / "rain.ogg"


@pytest.fixture(scope="module")
def analysis() -> Analysis:
    return analyze(EXAMPLE, transform="mel")


def with_mean(analysis: Analysis, probability: float) -> Analysis:
    return replace(analysis, mean={**dict.fromkeys(analysis.mean, 0.0), "rock": probability})


def test_a_sure_panel_gets_its_band_only(analysis: Analysis) -> None:
    advice = with_mean(analysis, 1.0).advice
    assert advice is not None
    assert advice.band is not None
    assert (advice.band.level, advice.pair, advice.other) == ("high", None, None)
    assert f"{advice.band.accuracy:.0%}" in advice.message("en")[0]
    assert len(advice.message("zh")) == 1


def test_an_unsure_panel_is_told_whom_to_ask(analysis: Analysis) -> None:
    advice = with_mean(analysis, 0.1).advice
    assert advice is not None
    measured = zoo.panel_card(c.card for c in zoo.find("mel"))
    both = zoo.panel_card(c.card for c in zoo.find("both"))
    assert measured is not None
    assert both is not None
    assert advice.pair == measured.pairs[0]
    assert (advice.other is not None) == (both.metrics.accuracy > measured.metrics.accuracy)
    band, pair, *_ = advice.message("en")
    assert band
    assert all(advice.titles[name] in pair for name in measured.pairs[0].models)


def test_without_measurements_there_is_no_advice(analysis: Analysis) -> None:
    some = analysis.select(list(analysis.verdicts)[:3])
    assert some.advice is None
    assert replace(analysis, mean={}).advice is None
    assert Advice({}, None).message("zh") == []


def test_a_model_of_other_classes_changes_nothing_for_the_mean(analysis: Analysis) -> None:
    one = next(iter(analysis.verdicts.values()))
    card = one.card.model_copy(update={"name": "mine", "classes": ("fado", "morna")})
    joined = replace(analysis, verdicts={**analysis.verdicts, "mine": replace(one, card=card)})
    assert analysis.advice is not None
    assert joined.advice == analysis.advice
