"""The page on a phone: fingers instead of a mouse, and little room."""

from __future__ import annotations

from collections.abc import Callable

import pytest

pytest.importorskip("playwright")
pytest.importorskip("streamlit")

from playwright.sync_api import FloatRect, Page, expect

from ccmusic.texts import LANGUAGES, Language, translate

pytestmark = pytest.mark.slow
WIDTH, HEIGHT = 390, 844
PHONE = {"viewport": {"width": WIDTH, "height": HEIGHT}, "has_touch": True, "is_mobile": True}
SPECTROGRAM = "[data-key=spectrogram_cqt] > .area"


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_first_screen_invites(visit: Callable[..., Page], language: Language) -> None:
    page = visit(f"lang={language}&example=vibe_ace", **PHONE)
    button = page.locator(".st-key-invitation [data-testid=stFileUploaderDropzone] button")
    waveform = page.locator("[data-key=waveform]")
    for inviting in (button, page.locator(".play-window"), waveform):
        box = inviting.bounding_box()
        assert box
        assert box["y"] + box["height"] <= HEIGHT
    words = "getComputedStyle(button.querySelector('p'), '::after').content"
    assert translate(language, "page.upload") in button.evaluate(f"button => {words}")


def test_both_spectrograms_stand_one_above_the_other(visit: Callable[..., Page]) -> None:
    page = visit("lang=en&example=rain&transform=both", **PHONE)
    above, below = (
        page.locator(f"[data-key=spectrogram_{name}] > .area").first.bounding_box()
        for name in ("cqt", "mel")
    )
    assert above
    assert below
    assert above["y"] + above["height"] <= below["y"]
    assert min(above["width"], below["width"]) > WIDTH / 2


def test_a_finger_that_rests_selects_and_one_that_moves_scrolls(
    visit: Callable[..., Page],
) -> None:
    page = visit("lang=en&example=vibe_ace", **PHONE)
    page.locator(SPECTROGRAM).scroll_into_view_if_needed()
    box = page.locator(SPECTROGRAM).bounding_box()
    assert box
    touch = page.context.new_cdp_session(page)

    def finger(kind: str, x: float = 0, y: float = 0, box: FloatRect = box) -> None:
        at = {"x": box["x"] + x * box["width"], "y": box["y"] + y * box["height"]}
        points = [] if kind == "touchEnd" else [at]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    region = page.locator("[data-key=spectrogram_cqt] .region")
    finger("touchStart", 0.25, 0.5)
    expect(region).to_be_visible()  # it has rested long enough
    finger("touchMove", 0.5, 0.7)
    finger("touchEnd")
    page.wait_for_function("() => window.ccmusic.region")
    selected = page.evaluate("window.ccmusic.region")
    assert selected["start"] == pytest.approx(3.5, abs=0.3)
    assert selected["end"] == pytest.approx(6, abs=0.3)
    assert selected["low"] == pytest.approx(32.7 * 2 ** (25 / 12), rel=0.13)
    assert selected["high"] == pytest.approx(32.7 * 2 ** (42 / 12), rel=0.13)
    page.wait_for_function("() => !document.querySelector('[data-testid=stAudio]').paused")
    # Scrolling last, for it goes on for a while.
    finger("touchStart", 0.25, 0.5)
    finger("touchMove", 0.25, 0.2)
    finger("touchMove", 0.25, 0.1)
    finger("touchEnd")
    assert page.evaluate("window.ccmusic.region") == selected


def test_what_can_be_touched_is_large_enough(visit: Callable[..., Page]) -> None:
    page = visit("lang=en&example=total_breakdown", **PHONE)
    small = page.evaluate(
        """() => [...document.querySelectorAll(
            "[data-testid=stMain] :is(button, summary, .play label)")]
            .filter((e) => e.checkVisibility() && !e.closest(".buttons, .strip"))
            .map((e) => [e.textContent.slice(0, 40), e.getBoundingClientRect()])
            .filter(([, box]) => box.height > 0 && box.height < 43.5)
            .map(([text, box]) => `${text}: ${box.height}`)"""
    )
    assert small == []


def test_a_tap_shows_no_hover_text(visit: Callable[..., Page]) -> None:
    page = visit("lang=en&example=rain", **PHONE)
    page.locator(SPECTROGRAM).tap()
    expect(page.locator("[data-key=spectrogram_cqt] .hover")).to_be_hidden()


def test_a_tap_says_how_sure_a_verdict_is(visit: Callable[..., Page]) -> None:
    page = visit("lang=en&example=rain", **PHONE)
    word = page.locator(".sureness.tip").first
    bubble = word.locator(".bubble")
    expect(bubble).to_have_css("width", "1px")
    word.tap()
    expect(bubble).not_to_have_css("width", "1px")
    box = bubble.bounding_box()
    assert box
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= WIDTH
    page.locator("h1.piece").tap()
    expect(bubble).to_have_css("width", "1px")
