"""What if: a region is dragged, heard, left out and judged again; sliders; maps inside networks."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

pytest.importorskip("playwright")
pytest.importorskip("streamlit")

from playwright.sync_api import Page, expect

from ccmusic.texts import Language, translate
from live_page import plot, settle

pytestmark = pytest.mark.slow


def sound(voice: str) -> str:
    return f"document.querySelector('[class*=st-key-{voice}] audio')"


def drag(page: Page, key: str) -> None:
    """A region in the left upper part of a picture."""
    box = plot(page, key).locator(".area").bounding_box()
    assert box
    x, y, width, height = (box[name] for name in ("x", "y", "width", "height"))
    page.mouse.move(x + 0.1 * width, y + 0.2 * height)
    page.mouse.down()
    page.mouse.move(x + 0.5 * width, y + 0.6 * height, steps=4)
    page.mouse.up()
    expect(page.locator(".region-actions")).to_be_visible()


def action(page: Page, name: str, language: Language) -> None:
    button = page.locator(f".region-actions .{name}")
    expect(button).to_have_text(translate(language, f"what_if.{name}"))
    button.click()


@pytest.mark.parametrize(("width", "language"), [(1440, "en"), (390, "zh")])
def test_a_region_is_heard_left_out_and_brought_back(
    visit: Callable[..., Page], width: int, language: Language
) -> None:
    page = visit(f"lang={language}&example=rain", viewport={"width": width, "height": 900})
    drag(page, "spectrogram_cqt")
    action(page, "rest", language)
    page.wait_for_function(f"() => {sound('rest')} && !{sound('rest')}.paused")
    expect(page.locator(".what-if")).to_have_count(0)
    settle(page)
    drag(page, "spectrogram_cqt")
    action(page, "remove", language)
    rows = page.locator(".what-if tbody tr")
    expect(rows).to_have_count(6)
    expect(page.locator(".region-actions")).to_have_count(0)
    page.wait_for_url(re.compile(r"without=[\d.]+-[\d.]+Hz%2C[\d.]+-[\d.]+s"))
    settle(page)
    before, after = (plot(page, f"{kind}_cqt").bounding_box() for kind in ("spectrogram", "edited"))
    assert before
    assert after
    assert (before["width"], before["height"]) == pytest.approx(
        (after["width"], after["height"]), abs=4
    )
    # The region keeps its place in its picture, whose size is another now.
    picture = plot(page, "spectrogram_cqt").locator(".area")
    region, area = picture.locator(".region").bounding_box(), picture.bounding_box()
    assert region
    assert area
    places = [(region["x"] - area["x"]) / area["width"], region["width"] / area["width"]]
    assert places == pytest.approx([0.1, 0.4], abs=0.03)
    main = "document.querySelector('[data-testid=stMain]')"
    assert page.evaluate(f"{main}.scrollWidth <= {main}.clientWidth")
    # The edited sound begins with the window, and its playhead runs over its own picture alone.
    page.locator(".st-key-edited_sound .play-window").click()
    page.wait_for_function(f"() => !{sound('edited')}.paused")
    expect(plot(page, "edited_cqt").locator(".playhead")).to_be_visible()
    expect(plot(page, "spectrogram_cqt").locator(".playhead")).to_be_hidden()
    assert page.evaluate(f"{sound('edited')}.duration") == pytest.approx(10, abs=0.1)
    page.keyboard.press("Escape")
    page.reload()
    expect(rows).to_have_count(6)
    page.get_by_role("button", name=translate(language, "what_if.undo")).click()
    expect(page.locator(".answer .mean")).to_be_visible()
    page.wait_for_url(lambda url: "without" not in url)


def test_a_curve_beside_a_slider(visit: Callable[..., Page]) -> None:
    page = visit("lang=en&example=rain")
    page.get_by_text(translate("en", "change.title"), exact=True).click()
    page.get_by_role("button", name=translate("en", "change.curve")).click()
    curve = plot(page, "curve")
    expect(curve).to_be_visible()
    assert curve.evaluate("({ figure }) => figure.spec.places.length") == 13
    handle = page.get_by_role("slider", name=translate("en", "change.pitch"))
    handle.focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".what-if tbody tr")).to_have_count(6)
    page.wait_for_url("**pitch=1**")


def test_a_place_of_a_map_shows_what_it_depends_on(visit: Callable[..., Page]) -> None:
    page = visit("lang=en&example=rain&view=way")
    maps = page.locator(".features").first.locator(".maps")
    expect(maps).to_have_count(4)
    first = maps.first.locator("img").first
    first.scroll_into_view_if_needed()
    first.hover()
    field = page.locator(".features").first.locator(".field")
    expect(field).to_be_visible()
    small, picture = field.bounding_box(), page.locator(".features .seen img").first.bounding_box()
    assert small
    assert picture
    pixels = float(maps.first.get_attribute("data-field") or 0)
    assert small["width"] / picture["width"] == pytest.approx(pixels / 224, abs=0.02)
