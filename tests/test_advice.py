"""Advice says what was measured, and nothing where nothing was."""

import html
from dataclasses import replace
from pathlib import Path

import pytest

from ccmusic import analyze, report, zoo
from ccmusic.advice import Advice, advise
from ccmusic.analysis import Analysis
from ccmusic.batch.rows import row
from ccmusic.card import ModelCard, PanelCard
from ccmusic.spectrogram import TransformChoice

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


def test_an_unsure_panel_is_told_what_it_is_worth(analysis: Analysis) -> None:
    advice = with_mean(analysis, 0.1).advice
    measured = zoo.panel_card(c.card for c in zoo.find("mel"))
    assert advice is not None
    assert measured is not None
    assert advice.band == measured.reliability.band(0.1)
    assert advice.message("en")[0].startswith("Unsure")


def cards(transform: TransformChoice) -> list[ModelCard]:
    return [checkpoint.card for checkpoint in zoo.find(transform)]


@pytest.mark.parametrize("transform", ["cqt", "mel", "both"])
def test_hints_come_from_unknown_sources_and_from_three_points_on(
    transform: TransformChoice,
) -> None:
    measured, both = zoo.panel_card(cards(transform)), zoo.panel_card(cards("both"))
    assert measured
    assert measured.unknown_sources
    assert both
    assert both.unknown_sources
    advice = advise(cards(transform), {"rock": 0.1})
    assert advice is not None
    alone = measured.unknown_sources.accuracy
    assert advice.accuracy == alone
    assert (advice.pair is not None) == (measured.pairs[0].accuracy >= alone + 0.03)
    assert (advice.other is not None) == (both.unknown_sources.accuracy >= alone + 0.03)


@pytest.mark.parametrize("name", ["all", "cqt", "mel"])
def test_pairs_were_measured_on_unknown_sources(name: str) -> None:
    panel = PanelCard.read(zoo.SHIPPED / "panels" / f"{name}.json")
    assert panel.unknown_sources
    songs = panel.unknown_sources.recordings
    for pair in panel.pairs:
        for share in (pair.accuracy, pair.either):
            assert share * songs == pytest.approx(round(share * songs), abs=1e-6)


@pytest.mark.parametrize(("gain", "hinted"), [(0.02, False), (0.04, True)])
def test_a_hint_says_both_figures(
    gain: float, hinted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    panels = {len(p.members): p for p in map(PanelCard.read, zoo.SHIPPED.glob("panels/*.json"))}
    mel = zoo.panel_card(cards("mel"))
    assert mel
    alone = mel.reliability.accuracy
    better = panels[10].reliability.model_copy(update={"accuracy": alone + gain})
    pair = mel.pairs[0].model_copy(update={"accuracy": alone + gain})
    made = {
        10: panels[10].model_copy(update={"unknown_sources": better}),
        5: mel.model_copy(update={"pairs": (pair,)}),
    }
    monkeypatch.setattr(zoo, "panel_card", lambda cards: made[len(list(cards))])
    advice = advise(cards("mel"), {"rock": 0.1})
    assert advice is not None
    _, *hints = advice.message("en")
    assert len(hints) == (2 if hinted else 0)
    for hint in hints:
        assert f"{alone:.0%}" in hint
        assert f"{alone + gain:.0%}" in hint


@pytest.mark.parametrize("probability", [1.0, 0.1])
def test_report_and_table_give_the_same_advice(analysis: Analysis, probability: float) -> None:
    told = with_mean(analysis, probability)
    advice = told.advice
    assert advice is not None
    assert advice.band is not None
    page = html.unescape(report.render(told, "html", "en"))
    for line in advice.message("en"):
        assert f">{line}</p>" in page
    cells = row(told.document().model_dump(mode="json"))
    assert (cells["sureness"], cells["accuracy"]) == (advice.band.level, advice.band.accuracy)


def test_without_measurements_there_is_no_advice(analysis: Analysis) -> None:
    some = analysis.select(list(analysis.verdicts)[:3])
    assert some.advice is None
    assert replace(analysis, mean={}).advice is None
    assert Advice({}, None, 0.5).message("zh") == []


def test_a_model_of_other_classes_changes_nothing_for_the_mean(analysis: Analysis) -> None:
    one = next(iter(analysis.verdicts.values()))
    card = one.card.model_copy(update={"name": "mine", "classes": ("fado", "morna")})
    joined = replace(analysis, verdicts={**analysis.verdicts, "mine": replace(one, card=card)})
    assert analysis.advice is not None
    assert joined.advice == analysis.advice
