"""The sentence "why" says what was measured, and nothing else."""

from dataclasses import replace
from html import escape
from pathlib import Path

import pytest

from ccmusic import Panel, analyze
from ccmusic.analysis import Analysis
from ccmusic.attention import Region
from ccmusic.card import Faithfulness
from ccmusic.report import map_line, render
from ccmusic.texts import LANGUAGES, Language, translate
from ccmusic.whole import WholePiece
from ccmusic.why import Why, reasons, shared

EXAMPLE = Path(__file__).parent.parent / "examples" / "vibe_ace.ogg"
MEAN = {"folk": 0.4, "world": 0.34, "jazz": 0.26}


def faithfulness(lowest: float) -> Faithfulness:
    return Faithfulness(
        recordings=80,
        removed=0.8,
        removed_interval=(lowest, 0.9),
        alone=0.8,
        alone_interval=(0.7, 0.9),
    )


def test_the_closest_genre_speaks_against() -> None:
    voices = [MEAN, {"folk": 0.3, "world": 0.5, "jazz": 0.2}]
    why = reasons("folk", MEAN, voices, [])
    assert why == Why("folk", 0.4, "world", 0.34, 1, 2)
    assert why.message() == "Against: World has 34%, Folk 40%; World leads in 1 of 2 models."
    assert why.message("zh").endswith("；2 个模型中有 1 个更倾向世界音乐。")
    alone = reasons("folk", MEAN, voices[:1], [])
    assert alone is not None
    assert alone.message() == "Against: World has 34%, Folk 40%."
    behind = reasons("jazz", MEAN, voices, [])
    assert behind is not None
    assert (behind.rival, behind.prefer_rival) == ("folk", 2)
    assert reasons("opera", MEAN, voices, []) is None
    assert reasons("", {}, [], []) is None


def test_a_place_counts_if_models_share_it() -> None:
    a, b = Region(0, 4, 64, 256), Region(2, 6, 128, 508)
    c, elsewhere = Region(3, 10, 32, 1000), Region(8, 10, 2000, 4000)
    assert shared([a, elsewhere]) == (None, 0)
    assert shared([a, b, elsewhere]) == (Region(2, 4, 128, 256), 2)
    assert shared([elsewhere, c, b, a]) == (Region(3, 4, 128, 256), 3)
    # Next to each other, in time or in pitch, is not the same place.
    assert shared([a, Region(4, 8, 64, 256)]) == (None, 0)
    assert shared([a, Region(0, 4, 250, 508)]) == (None, 0)


@pytest.fixture(scope="module")
def analysis() -> Analysis:
    return analyze(EXAMPLE, transform="cqt")


@pytest.mark.parametrize(("lowest", "counts"), [(None, False), (0.45, False), (0.6, True)])
def test_maps_that_are_no_better_than_chance_say_nothing(
    analysis: Analysis, lowest: float | None, counts: bool
) -> None:
    measured = {"activation": faithfulness(lowest)} if lowest else {}
    genre = analysis.top(1)[0][0]
    maps = {name: analysis.attention(name, genre) for name in analysis.verdicts}
    name = next(
        n for n, looked in maps.items() if looked and looked.region and not looked.everywhere
    )
    verdict = analysis.verdicts[name]
    card = verdict.card.model_copy(update={"faithfulness": measured})
    # Five times the same maps: if they count, they share their place.
    alike = {
        str(n): replace(verdict, card=card.model_copy(update={"name": str(n)})) for n in range(5)
    }
    why = replace(analysis, verdicts=alike).why()
    assert why is not None
    assert why.genre == genre
    assert why.models == 5
    assert (why.named_by, why.region is not None) == ((5, True) if counts else (0, False))
    for language in ("en", "zh"):
        named = why.region.message(language) if why.region else "Hz"
        assert (named in why.message(language)) == counts


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_map_that_is_no_better_than_chance_says_so(
    analysis: Analysis, language: Language
) -> None:
    name = next(
        n
        for n in analysis.verdicts
        if (looked := analysis.attention(n)) and looked.region and not looked.everywhere
    )
    verdict, chance = analysis.verdicts[name], translate(language, "attention.chance")

    def line(measured: Faithfulness | None) -> str:
        given = {"activation": measured} if measured else {}
        card = verdict.card.model_copy(update={"faithfulness": given})
        verdicts = {**analysis.verdicts, name: replace(verdict, card=card)}
        return map_line(
            verdicts[name], replace(analysis, verdicts=verdicts).evidence(name), language
        )

    assert "%" not in line(None)
    assert "80%" in line(faithfulness(0.6))
    assert chance not in line(faithfulness(0.6))
    assert f"80%{chance}" in line(faithfulness(0.45))


def test_what_was_measured_speaks_where_it_was(analysis: Analysis) -> None:
    """The sentence and the line of a map are of the better evidence that there is."""
    with Panel.open("cqt", ["mobilenet_v3_large"]) as panel:
        measured = panel.measure(analysis)
    (name,) = (n for n, v in measured.verdicts.items() if v.covered is not None)
    verdict, genre = measured.verdicts[name], analysis.top(1)[0][0]
    card = verdict.card.model_copy(
        update={"faithfulness": {"occlusion": faithfulness(0.6), "activation": faithfulness(0.45)}}
    )
    # Five times the same map: if it counts, they share its place.
    alike = {
        str(n): replace(verdict, card=card.model_copy(update={"name": str(n)})) for n in range(5)
    }
    looked = measured.evidence(name, genre)
    assert looked is not None
    why = replace(measured, verdicts=alike).why(genre)
    assert why is not None
    assert why.region == looked.region
    unmeasured = {n: replace(v, covered=None) for n, v in alike.items()}
    why = replace(measured, verdicts=unmeasured).why(genre)
    assert why is not None
    assert why.region is None  # these maps are no better than chance
    line = map_line(measured.verdicts[name], measured.evidence(name, genre), "en")
    assert "loses most without" in line
    assert "rank correlation with the activation map" in line
    assert "mostly" in map_line(analysis.verdicts[name], analysis.evidence(name, genre), "en")
    page = measured.select([name])
    assert escape(translate("en", "occlusion.help")) in render(page, "html")
    assert escape(translate("en", "activation.help")) in render(analysis, "html")


def test_a_whole_piece_has_no_maps_and_says_what_is_closest(analysis: Analysis) -> None:
    whole = WholePiece.of([analysis])
    why, of_window = whole.why(), analysis.why()
    assert why is not None
    assert of_window is not None
    assert why.region is None
    assert (why.genre, why.rival) == (of_window.genre, of_window.rival)


def test_without_a_verdict_there_is_no_reason(analysis: Analysis) -> None:
    assert replace(analysis, verdicts={}, mean={}).why() is None
    assert analysis.why("opera") is None
