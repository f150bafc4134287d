"""Pictures beside each other: two transforms, two pieces, and a map made large."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

pytest.importorskip("playwright")
pytest.importorskip("streamlit")

from playwright.sync_api import Locator, Page, expect

from ccmusic.texts import LANGUAGES, Language, translate
from live_page import plot, settle

pytestmark = pytest.mark.slow
SECOND = "document.querySelector('.st-key-second audio')"


def hover(page: Page, key: str, across: float, along: float) -> None:
    surface = plot(page, key).locator(".area")
    surface.scroll_into_view_if_needed()
    box = surface.bounding_box()
    assert box
    page.mouse.move(box["x"] + across * box["width"], box["y"] + along * box["height"], steps=3)


def under(picture: Locator) -> tuple[float, float]:
    """Hertz and seconds that the label of a crosshair tells."""
    label = picture.locator(".hover")
    expect(label).to_contain_text(re.compile(r"Hz.*s.*dB"))
    lines = label.evaluate("(e) => [...e.querySelectorAll('span')].map((t) => t.textContent)")
    hertz, seconds = re.findall(r"([\d.]+) Hz [^|]*\|[^|]*?([\d.]+)\ss", "|".join(lines))[0]
    return float(hertz), float(seconds)


def test_both_transforms_share_time_and_crosshair(visit: Callable[..., Page]) -> None:
    page = visit("lang=en&example=vibe_ace&transform=both")
    times = "[...document.querySelectorAll('.figure')].map(({ figure }) => figure.along)"
    assert set(page.evaluate(times)) <= {"x", None}
    hover(page, "spectrogram_mel", 0.3, 0.5)
    hertz, seconds = under(plot(page, "spectrogram_mel"))
    other_hertz, other_seconds = under(plot(page, "spectrogram_cqt"))
    assert other_seconds == pytest.approx(seconds, abs=0.06)
    assert other_hertz == pytest.approx(hertz, rel=0.06)  # a semitone at most
    for key in ("spectrogram_mel", "spectrogram_cqt"):
        assert plot(page, key).locator(".spike").count() >= 2
    page.mouse.move(1, 1)
    expect(plot(page, "spectrogram_cqt").locator(".hover")).to_have_count(0)


@pytest.mark.parametrize(("width", "language"), [(1440, "en"), (390, "zh")])
def test_two_pieces_are_seen_and_heard_side_by_side(
    visit: Callable[..., Page], width: int, language: Language
) -> None:
    page = visit(f"lang={language}&example=vibe_ace", viewport={"width": width, "height": 900})
    expect(page.locator(".differences")).to_have_count(0)
    page.get_by_role("button", name=translate(language, "compare.open")).click()
    page.get_by_role("radio", name=translate(language, "example.rain")).last.click()
    expect(page.locator(".differences tbody tr").first).to_be_visible()
    page.wait_for_url("**other=rain**")
    settle(page)
    left, right = plot(page, "first_cqt").bounding_box(), plot(page, "second_cqt").bounding_box()
    assert left
    assert right
    assert (left["width"], left["height"]) == pytest.approx(
        (right["width"], right["height"]), abs=2
    )
    if width > 800:
        assert left["x"] + left["width"] <= right["x"]
        assert left["y"] == pytest.approx(right["y"], abs=2)
    else:
        assert left["y"] + left["height"] <= right["y"]
        main = "document.querySelector('[data-testid=stMain]')"
        assert page.evaluate(f"{main}.scrollWidth <= {main}.clientWidth")
    # One of them plays at a time, and only its pictures have the playhead.
    one, other = (
        page.locator(".st-key-first .play-window"),
        page.locator(".st-key-second .play-window"),
    )
    other.click()
    expect(other).to_have_text(translate(language, "player.pause"))
    expect(one).to_have_text(translate(language, "player.play"))
    page.wait_for_function(f"() => !{SECOND}.paused")
    expect(plot(page, "second_cqt").locator(".playhead")).to_be_visible()
    expect(plot(page, "first_cqt").locator(".playhead")).to_be_hidden()
    one.click()
    page.wait_for_function(f"() => {SECOND}.paused")
    expect(one).to_have_text(translate(language, "player.pause"))
    expect(other).to_have_text(translate(language, "player.play"))
    expect(plot(page, "first_cqt").locator(".playhead")).to_be_visible()


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_map_becomes_large(visit: Callable[..., Page], language: Language) -> None:
    page = visit(f"lang={language}&example=vibe_ace")
    page.locator(".map-opacity").fill("40")
    small = page.locator(".st-key-maps .figure").first.bounding_box()
    page.get_by_role("button", name=translate(language, "attention.enlarge")).first.click()
    large = page.get_by_role("dialog").locator(".figure")
    expect(large).to_be_visible()
    settle(page)
    box = large.bounding_box()
    assert small
    assert box
    assert box["width"] * box["height"] > 3 * small["width"] * small["height"]
    expect(large.locator(".overlay")).to_have_css("opacity", "0.4")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
