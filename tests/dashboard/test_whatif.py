"""What if: the edited sound is judged, heard, drawn and linked to, and taken back."""

from __future__ import annotations

import io
import math
import re
import wave
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("streamlit")

from streamlit.testing.v1 import AppTest

from ccmusic import (
    Analysis,
    Change,
    CheckpointError,
    Clip,
    OneChannel,
    Without,
    dashboard,
    load,
    zoo,
)
from ccmusic.dashboard import change, compute, whatif
from ccmusic.dashboard.examples import find_examples
from ccmusic.dashboard.player import sixteen, wav
from ccmusic.dashboard.verdict_figures import slider_figure
from ccmusic.edits import Edit, message
from ccmusic.genres import genre_name
from ccmusic.panel import Panel
from ccmusic.report import map_line
from ccmusic.texts import LANGUAGES, Language, translate
from page_figures import figures
from sounds import noise

APP = Path(dashboard.__file__).with_name("app.py")
EXAMPLE = find_examples()["vibe_ace"]
MODELS = "mobilenet_v3_large_cqt", "resnet50_cqt"


@pytest.fixture(autouse=True)
def _two_models(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    for name in MODELS:
        for suffix in (".json", ".onnx"):
            (tmp_path / (name + suffix)).symlink_to(zoo.SHIPPED / (name + suffix))
    monkeypatch.setattr(zoo, "SHIPPED", tmp_path)
    monkeypatch.setenv("CCMUSIC_HOME", str(tmp_path / "none"))
    yield
    compute.forget_all()


def open_page(**link: str) -> AppTest:
    app = AppTest.from_file(str(APP), default_timeout=120)
    app.query_params.update({"lang": "en", "example": "vibe_ace", **link})
    app.run()
    assert not app.exception
    return app


def address(app: AppTest) -> dict[str, str]:
    return {k: v if isinstance(v, str) else v[0] for k, v in app.query_params.items()}


def markup(app: AppTest) -> str:
    return "\n".join(unescape(element.proto.body) for element in app.get("html"))


def rows(app: AppTest) -> list[list[str]]:
    """Cells of the table before and after, without its head."""
    (table,) = re.findall('<table class="what-if".*?</table>', markup(app))
    found = re.findall("<tr><th.*?</tr>", table)
    return [[re.sub("<.*?>", " ", cell) for cell in re.split("</t[hd]>", row)] for row in found]


def expected(*edits: Edit) -> tuple[Any, Any]:
    """Both analyses, by the library."""
    with Panel.open("cqt") as panel:
        return panel.analyze(EXAMPLE), panel.analyze(EXAMPLE, edits=edits)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_link_without_a_region_shows_before_and_after(language: Language) -> None:
    region = Without(band=(64, 127), seconds=(2, 4))
    app = open_page(lang=language, without="64-127Hz,2-4s")
    before, after = expected(region)
    for name, *cells in rows(app)[: len(MODELS)]:
        title = name.strip()
        for analysis, cell in zip((before, after), cells, strict=False):
            (verdict,) = [v for v in analysis.verdicts.values() if v.card.title() == title]
            genre, share = verdict.top(1)[0]
            assert genre_name(genre, language) in cell
            assert f"{share:.0%}" in cell
    said = message([region], language)
    assert said[1:] in markup(app)
    assert [key for key in figures(app) if "edited" in key] == ["edited_cqt"]
    assert address(app)["without"] == "64-127Hz,2-4s"


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_strip_says_that_it_is_of_the_unedited_piece(language: Language) -> None:
    view = {"lang": language, "example": "coherence", "off": ",".join(MODELS)}
    unedited = translate(language, "timeline.unedited")
    assert unedited not in markup(open_page(**view))
    assert unedited in markup(open_page(**view, without="64-127Hz"))


def test_every_edit_has_its_place_in_the_link() -> None:
    link = {
        "without": "64-127Hz,2-4s;500-1000Hz;7.25-8s",
        "channel": "left",
        "pitch": "-2",
        "tempo": "1.1",
        "highpass": "40",
        "lowpass": "8000",
        "noise": "30",
        "gain": "3",
    }
    app = open_page(**link)
    assert {key: address(app)[key] for key in link} == link
    assert app.session_state.page.edits == (
        OneChannel(channel="left"),
        Without(band=(64, 127), seconds=(2, 4)),
        Without(band=(500, 1000)),
        Without(seconds=(7.25, 8)),
        Change(pitch=-2, tempo=1.1, highpass=40, lowpass=8000, noise=30, gain=3),
    )


@pytest.mark.parametrize(
    "link", [{"without": "loud"}, {"pitch": "high"}, {"gain": "900"}, {"channel": "rear"}]
)
def test_nonsense_edits_nothing(link: dict[str, str]) -> None:
    app = open_page(**link)
    assert app.session_state.page.edits == ()
    assert '<table class="what-if"' not in markup(app)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_region_outside_the_window_is_refused_in_one_line(language: Language) -> None:
    app = open_page(lang=language, without="100-200s")
    with pytest.raises(Exception) as refused:
        load(EXAMPLE).without(seconds=(100, 200))
    assert refused.value.message(language)[1:] in markup(app)  # type: ignore[attr-defined]
    app.button(key="undo").click().run()
    assert not app.exception
    assert "without" not in address(app)
    assert 'class="opinion"' in markup(app)


def test_undo_takes_back_one_step_and_original_all() -> None:
    app = open_page(without="64-127Hz")
    assert "original" not in [button.key for button in app.button]
    app.session_state.page.edits_before = [app.session_state.page.edits]
    app.session_state.page.edits = (*app.session_state.page.edits, Change(gain=-6))
    app.run()
    assert address(app)["gain"] == "-6"
    app.button(key="original").click().run()
    assert not {"gain", "without"} & set(address(app))
    app.session_state.page.edits = (Change(gain=-6),)
    app.session_state.page.edits_before = [(), (Change(gain=-3),)]
    app.run()
    for shown in ("-3", None):
        app.button(key="undo").click().run()
        assert address(app).get("gain") == shown
    assert not app.exception


def test_edits_are_of_one_piece() -> None:
    app = open_page(without="64-127Hz")
    app.pills(key="example").set_value("rain").run()
    assert not app.exception
    assert address(app)["example"] == "rain"
    assert "without" not in address(app)
    assert '<table class="what-if"' not in markup(app)


def test_what_is_heard_is_what_is_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[bytes] = []

    def written(samples: Any, rate: int) -> bytes:
        heard.append(wav(samples, rate))
        return heard[-1]

    monkeypatch.setattr("ccmusic.dashboard.whatif.wav", written)
    open_page(gain="-12", without="1000-4000Hz")
    clip = load(EXAMPLE).edited([Without(band=(1000, 4000)), Change(gain=-12)])
    assert heard == [wav(sixteen(clip.original), clip.info.sample_rate)]
    with wave.open(io.BytesIO(heard[0])) as file:
        assert file.getnframes() == len(clip.original)


def test_silence_has_nothing_after() -> None:
    app = open_page(without="0-100s")
    assert translate("en", "judged.silent")[1:20] in markup(app)
    assert '<table class="what-if"' not in markup(app)


def test_a_vote_first_covers_before_and_after() -> None:
    app = open_page(without="64-127Hz", vote="1")
    assert '<table class="what-if"' not in markup(app)


@pytest.mark.parametrize(
    "sent",
    [
        None,
        "region",
        {"start": 1, "end": 2, "low": 3},
        {"start": 1, "end": 2, "low": 3, "high": math.nan},
        {"start": 5, "end": 5, "low": 3, "high": 4},
        {"start": 50, "end": 60, "low": 3, "high": 4},
        {"start": "1", "end": 2, "low": 3, "high": 4},
    ],
)
def test_a_region_may_be_anything(sent: object) -> None:
    assert whatif._region(sent, Clip.from_samples(noise(10, 22_050), 22_050), ()) is None


def test_a_region_of_the_edited_picture_is_one_of_the_sound_before() -> None:
    clip = Clip.from_samples(noise(10, 22_050), 22_050)
    sent = {"start": 2, "end": 4, "low": 200, "high": 400}
    edits = (Change(pitch=12, tempo=1.5),)
    plain = Without(band=(200, 400), seconds=(2, 4))
    assert whatif._region(sent, clip, edits) == plain
    assert whatif._region({**sent, "after": True}, clip, ()) == plain
    assert whatif._region({**sent, "after": True}, clip, edits) == Without(
        band=(100, 200), seconds=(3, 6)
    )
    assert whatif._without(edits, plain) == (plain, *edits)
    assert np.isclose(plain.band or 0, (200, 400)).all()


def test_a_slider_edits_and_stands_where_the_link_says() -> None:
    app = open_page(lowpass="2000")
    app.pills(key="change_what").set_value("gain").run()
    assert app.select_slider(key="change_gain").value == 0
    app.select_slider(key="change_gain").set_value(-12.0).run()
    assert not app.exception
    assert address(app)["gain"] == "-12"
    assert address(app)["lowpass"] == "2000"
    _, after = expected(Change(lowpass=2000, gain=-12))
    assert f"{max(after.mean.values()):.0%}" in rows(app)[-1][2]
    app.button(key="undo").click().run()
    assert "gain" not in address(app)
    assert app.select_slider(key="change_gain").value == 0
    app.pills(key="change_what").set_value("lowpass").run()
    assert app.select_slider(key="change_lowpass").value == 2000


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_curve_is_what_the_panel_says_at_each_step(
    language: Language, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[tuple[Any, ...]] = []

    def figure(*given: Any) -> Any:
        drawn.append(given)
        return slider_figure(*given)

    monkeypatch.setattr("ccmusic.dashboard.change.slider_figure", figure)
    app = open_page(lang=language, gain="-6")
    app.pills(key="change_what").set_value("gain").run()
    assert not drawn
    app.button(key="ask_curve").click().run()
    assert not app.exception
    ((labels, means, now, axis, _),) = drawn
    steps = change._STEPS["gain"]
    assert labels == [f"{step:g}".replace("-", "−") for step in steps]
    assert now == steps.index(-6)
    assert axis == translate(language, "change.gain_axis")
    before, after = expected(Change(gain=-6))
    assert means[now] == pytest.approx(after.mean, abs=1e-4)
    assert means[steps.index(0)] == pytest.approx(before.mean, abs=1e-4)
    app.button(key="ask_curve").click().run()
    assert len(drawn) == 1


@pytest.mark.parametrize("name", change._AS_IS)
def test_every_step_of_every_slider_is_an_edit_and_undoes_itself(name: str) -> None:
    others: tuple[Edit, ...] = (Without(band=(64, 127)),)
    steps = change.steps_of(others, name, 22_050)
    assert len(steps) in (3, 12, 25)
    for step in steps:
        edits = change.with_value(others, name, step)
        assert change.value_of(edits, name) == step
        assert (edits == others) == (step == change._AS_IS[name])
        for edit in edits:
            assert all(edit.message(language) for language in LANGUAGES)
        assert change.with_value(edits, name, change._AS_IS[name]) == others


def test_filters_stay_below_half_the_rate_and_do_not_pass_each_other() -> None:
    edits = (Change(highpass=500, lowpass=1400),)
    assert max(change.steps_of(edits, "highpass", 22_050)) == 1000
    assert min(change.steps_of(edits, "lowpass", 22_050)) == 700
    finite = [step for step in change.steps_of((), "lowpass", 8000) if step < math.inf]
    assert max(finite) == 2800


@pytest.fixture
def measurements(measured: None, monkeypatch: pytest.MonkeyPatch) -> list[tuple[Edit, ...]]:
    """What was done to the sound of each piece on which the page measures what counts."""
    found: list[tuple[Edit, ...]] = []
    measure = Panel.measure

    def noted(panel: Panel, analysis: Analysis, **rest: Any) -> Analysis:
        found.append(analysis.edits)
        return measure(panel, analysis, **rest)

    monkeypatch.setattr(Panel, "measure", noted)
    return found


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_maps_are_of_what_counts_as_soon_as_it_is_measured(
    language: Language, measurements: list[tuple[Edit, ...]]
) -> None:
    app = open_page(lang=language)
    with Panel.open("cqt") as panel:
        quick = panel.analyze(EXAMPLE)
        best = panel.measure(quick)
    measurements.clear()

    def drawn(analysis: Analysis, genre: str | None = None) -> bool:
        lines = [
            map_line(analysis.verdicts[name], analysis.evidence(name, genre), language)
            for name in analysis.verdicts
        ]
        return all(line in markup(app) for line in lines)

    why = best.why()
    assert why
    assert drawn(best)
    assert why.message(language) in markup(app)
    app.selectbox(key="map_genre").set_value("folk").run()
    assert drawn(best, "folk")
    app.toggle(key="activation_maps").set_value(True).run()
    assert drawn(quick, "folk")
    assert not drawn(best, "folk")
    app.toggle(key="activation_maps").set_value(False).run()
    assert drawn(best, "folk")
    assert not app.exception
    assert not measurements  # once for all of that


def test_before_and_after_are_measured_alike(measurements: list[tuple[Edit, ...]]) -> None:
    app = open_page(without="64-127Hz")
    edit = Without(band=(64, 127))
    assert measurements == [(), (edit,)]
    with Panel.open("cqt") as panel:
        for edits in ((), (edit,)):
            best = panel.measure(panel.analyze(EXAMPLE, edits=edits))
            for name in best.verdicts:
                assert map_line(best.verdicts[name], best.evidence(name), "en") in markup(app)


def test_nothing_is_measured_that_nobody_sees(measurements: list[tuple[Edit, ...]]) -> None:
    app = open_page()
    measurements.clear()
    compute.forget_all()
    app.toggle(key="activation_maps").set_value(True).run()
    assert not measurements
    app.toggle(key="activation_maps").set_value(False)
    app.toggle(key="vote_first").set_value(True).run()
    assert not measurements
    assert not app.exception


def test_a_model_that_cannot_be_measured_keeps_its_map(
    measured: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(panel: Panel, analysis: Analysis, **rest: Any) -> Analysis:
        raise CheckpointError("failed", file="odd", reason="out of memory")

    monkeypatch.setattr(Panel, "measure", fails)
    app = open_page()
    with Panel.open("cqt") as panel:
        quick = panel.analyze(EXAMPLE)
    assert all(
        map_line(quick.verdicts[name], quick.evidence(name), "en") in markup(app)
        for name in quick.verdicts
    )
    assert any("out of memory" in caption.value for caption in app.caption)
