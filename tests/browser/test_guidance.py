"""What helps a visitor along: keys in the place of the mouse, the tour, terms, typical pictures."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

pytest.importorskip("playwright")
pytest.importorskip("streamlit")

from playwright.sync_api import Page, expect

from ccmusic.dashboard.tour import STEPS
from ccmusic.dashboard.typical import typical_pictures
from ccmusic.genres import genre_name
from ccmusic.texts import LANGUAGES, Language, translate
from live_page import plot, settle

pytestmark = pytest.mark.slow
SOUND = "document.querySelector('[data-testid=stAudio]')"


def values(page: Page) -> tuple[float, float]:
    """Seconds and hertz under the cursor, as they are read out."""
    status = page.locator(".st-key-keyboard [role=status]")
    # What is read out is what is seen: an older text stands until the keys have come to rest.
    read = """({ textContent }) => {
        const seen = document.querySelectorAll(".hover span");
        return textContent && textContent === [...seen].map((line) => line.textContent).join(", ");
    }"""
    page.wait_for_function(read, arg=status.element_handle())
    expect(status).to_have_text(re.compile(r"Hz · [A-G]♯?\d, [\d.]+ s, [−-]?[\d.]+ dB"))
    hertz, seconds = re.findall(r"([\d.]+) Hz.*?, ([\d.]+) s", status.inner_text())[0]
    return float(seconds), float(hertz)


def test_arrow_keys_read_the_spectrogram(visit: Callable[..., Page]) -> None:
    page = visit("lang=en&example=celtica&networks=1")
    picture = plot(page, "spectrogram_cqt")
    expect(picture).to_have_attribute("aria-label", re.compile("Celtica.*Arrow keys"))
    picture.focus()
    page.keyboard.press("ArrowRight")
    seconds, hertz = values(page)
    for _ in range(12):  # pitch runs to the right: an octave
        page.keyboard.press("ArrowRight")
    expect(page.locator(".st-key-keyboard [role=status]")).not_to_contain_text(f"{hertz} Hz")
    assert values(page) == (pytest.approx(seconds), pytest.approx(2 * hertz, rel=1e-3))
    for _ in range(10):  # and time downwards
        page.keyboard.press("ArrowDown")
    assert values(page) == (
        pytest.approx(seconds + 1, abs=0.05),
        pytest.approx(2 * hertz, rel=1e-3),
    )
    # The same is seen beside the cursor, and is gone with the focus.
    expect(picture.locator(".hover")).to_be_visible()
    page.keyboard.press("Tab")
    expect(picture.locator(".hover")).to_have_count(0)
    expect(picture.locator(".cursor")).to_be_hidden()


def test_keys_play_from_the_cursor_and_a_region(visit: Callable[..., Page]) -> None:
    page = visit("lang=en&example=celtica&networks=1")
    picture = plot(page, "spectrogram_cqt")
    picture.focus()
    page.keyboard.press("ArrowDown")
    seconds, _ = values(page)
    page.keyboard.press("Enter")
    page.wait_for_function(f"() => !{SOUND}.paused")
    heard = page.evaluate("window.ccmusic.range")
    assert heard["start"] == pytest.approx(seconds, abs=0.1)
    page.keyboard.press("Escape")
    page.wait_for_function(f"() => {SOUND}.paused")
    for key in [*["Shift+ArrowDown"] * 10, *["Shift+ArrowRight"] * 12]:
        page.keyboard.press(key)
    expect(picture.locator(".region")).to_be_visible()
    page.keyboard.press("Enter")
    page.wait_for_function(f"() => !{SOUND}.paused")
    heard = page.evaluate("window.ccmusic.range")
    assert heard["start"] == pytest.approx(seconds, abs=0.1)
    assert heard["end"] == pytest.approx(seconds + 1, abs=0.15)
    assert heard["high"] == pytest.approx(2 * heard["low"], rel=0.13)


def test_keys_move_the_window_and_zoom(visit: Callable[..., Page]) -> None:
    page = visit("lang=en&example=celtica&networks=1")
    before = page.locator("[data-testid=stSlider]").first.inner_text()
    plot(page, "waveform").focus()
    for _ in range(30):
        page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    expect(page.locator("[data-testid=stSlider]").first).not_to_have_text(before)
    settle(page)
    picture = plot(page, "spectrogram_cqt")
    zoom = picture.get_by_role("button", name=translate("en", "figure.zoom"))
    zoom.focus()
    expect(picture.locator(".buttons")).to_have_css("opacity", "1")
    page.keyboard.press("Enter")
    picture.focus()
    for key in [*["Shift+ArrowDown"] * 20, *["Shift+ArrowRight"] * 24, "Enter"]:
        page.keyboard.press(key)
    figure = "document.querySelector('[data-key=spectrogram_cqt]').figure"
    page.wait_for_function(f"() => {figure}.x.to - {figure}.x.from < 40")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("width", [1440, 390])
def test_the_tour_comes_when_it_is_called(
    visit: Callable[..., Page], language: Language, width: int
) -> None:
    page = visit(f"lang={language}&example=celtica", viewport={"width": width, "height": 844})
    tour = page.get_by_role("dialog")
    expect(tour).to_have_count(0)  # not by itself
    button = page.get_by_role("button", name=translate(language, "tour.open"), exact=True)
    button.focus()
    page.keyboard.press("Enter")
    for step in STEPS:
        expect(tour.get_by_role("heading")).to_have_text(translate(language, f"tour.{step}_title"))
        expect(tour).to_contain_text(translate(language, f"tour.{step}"))
        box = tour.bounding_box()
        assert box
        assert min(box["x"], box["y"]) >= 0
        assert box["x"] + box["width"] <= width
        assert box["y"] + box["height"] <= 844
        # Neither the dialog nor its veil lies over what it points at.
        target = page.locator(STEPS[step]).first.bounding_box()
        assert target
        apart = (
            target["x"] + target["width"] <= box["x"]
            or box["x"] + box["width"] <= target["x"]
            or target["y"] + target["height"] <= box["y"]
            or box["y"] + box["height"] <= target["y"]
        )
        assert apart, step
        hole = tour.evaluate("dialog => getComputedStyle(dialog, '::backdrop').clipPath")
        assert hole.startswith("polygon(evenodd")
        edges = [float(number) for number in re.findall(r"(-?[\d.]+)px", hole)]
        assert edges[-2:] == pytest.approx([target["x"] - 7, target["y"] - 7], abs=1)
        page.keyboard.press("Enter")
    expect(tour).to_have_count(0)
    expect(button).to_be_focused()
    page.keyboard.press("Enter")
    expect(tour).to_be_visible()
    page.keyboard.press("Escape")
    expect(tour).to_have_count(0)
    expect(button).to_be_focused()
    page.reload()
    settle(page)
    expect(tour).to_have_count(0)


@pytest.mark.parametrize(
    ("view", "term"), [("way", "temperature"), ("way", "decibel"), ("verdicts", "divergence")]
)
@pytest.mark.parametrize("language", LANGUAGES)
def test_words_of_the_field_are_explained_where_they_stand(
    visit: Callable[..., Page], language: Language, view: str, term: str
) -> None:
    page = visit(f"lang={language}&example=rain&view={view}")
    for closed in page.locator("[data-testid=stExpander] summary").all():
        closed.click()
    settle(page)  # a tooltip does not stay while the page moves
    divergence = {"en": "ivergence", "zh": "分歧度"}[language]
    word = {"temperature": "logit", "decibel": "dB", "divergence": divergence}[term]
    caption = page.locator("[data-testid=stCaptionContainer]").filter(has_text=word)
    caption = caption.filter(has=page.get_by_role("button")).first
    caption.get_by_role("button").focus()
    expect(page.get_by_role("tooltip")).to_contain_text(translate(language, f"term.{term}")[:20])


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("transform", ["cqt", "both"])
def test_typical_pictures_stand_beside_the_verdict(
    visit: Callable[..., Page], language: Language, transform: str
) -> None:
    page = visit(f"lang={language}&example=rain&transform={transform}")
    label = translate(language, "typical.open", genre=genre_name("environment", language))
    page.get_by_role("button", name=label).click()
    pictures = page.locator(".typical img")
    count = len(typical_pictures()["environment"]) * (2 if transform == "both" else 1)
    expect(pictures).to_have_count(count)
    widths = pictures.evaluate_all("all => all.map(i => i.complete && i.naturalWidth)")
    assert widths == [224] * count
    chooser = page.locator("[class*=st-key-typical_genre_] input")
    chooser.click()
    chooser.press_sequentially(genre_name("metal", language))
    chooser.press("Enter")
    expect(page.locator(".typical figcaption").first).to_contain_text("Muldjord")
    settle(page)


def test_typical_pictures_are_turned_as_the_page_is(visit: Callable[..., Page]) -> None:
    page = visit()
    opener = page.locator(".st-key-typical button").first
    sides = """picture => ["begin", "end", "low", "high"].map((name) => {
        const box = picture.querySelector(`.${name}`).getBoundingClientRect();
        const image = picture.querySelector("img").getBoundingClientRect();
        return [box.right <= image.left ? "beside" : "below", getComputedStyle(
            picture.querySelector("img")).transform === "none"];
    })"""
    for turned in (False, True):
        opener.click()
        picture = page.locator(".framed").first
        expect(picture).to_be_visible()
        time, pitch = (["beside", turned], ["below", turned])[:: 1 if turned else -1]
        assert picture.evaluate(sides) == [time, time, pitch, pitch]
        page.keyboard.press("Escape")
        page.locator(".st-key-as_networks label").first.click()
        settle(page)


def test_who_asks_for_little_motion_gets_none(visit: Callable[..., Page]) -> None:
    page = visit("lang=en&example=celtica", reduced_motion="reduce")
    moving = """[...document.querySelectorAll("body *")].filter((element) =>
        ["", "::before", "::after"].some((part) => {
            const style = getComputedStyle(element, part || null);
            const times = `${style.transitionDuration}, ${style.animationDuration}`.split(", ");
            return times.some((time) => parseFloat(time) > 0.001);
        })).map((element) => element.outerHTML.slice(0, 120))"""
    assert page.evaluate(moving) == []


@pytest.mark.parametrize(("language", "scheme"), [("zh", "dark"), ("en", "light")])
def test_axe_finds_nothing_serious_in_what_opens_over_the_page(
    visit: Callable[..., Page],
    serious: Callable[[Page], list[tuple[str, str]]],
    language: Language,
    scheme: str,
) -> None:
    page = visit(f"lang={language}&example=rain", color_scheme=scheme)
    page.locator(".st-key-typical button").first.click()
    expect(page.locator(".typical")).to_be_visible()
    assert serious(page) == []
    page.keyboard.press("Escape")
    window = page.get_by_role("dialog")
    for key in ("tour.open", "live.open", "weights.open", "attention.enlarge"):
        expect(window).to_have_count(0)
        page.get_by_role("button", name=translate(language, key), exact=True).first.click()
        expect(window).to_be_visible()
        if key == "live.open":
            page.get_by_role("button", name=translate(language, "live.start")).click()
            expect(page.locator(".race li").first).to_be_visible()
        else:
            settle(page)
        assert serious(page) == []
        page.keyboard.press("Escape")
