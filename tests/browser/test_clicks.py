"""Quick clicks, and menus that are opened late."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable

import pytest

pytest.importorskip("playwright")
pytest.importorskip("streamlit")

from playwright.sync_api import Page, expect

from live_page import settle

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("pause", [0, 60])
def test_a_double_click_shows_an_example_at_its_middle(
    visit: Callable[..., Page], pause: int
) -> None:
    page = visit("lang=en&example=vibe_ace&start=2")
    example = page.locator(".st-key-example button", has_text="Enemy Unknown")
    example.click()
    page.wait_for_timeout(pause)
    example.click()
    expect(page.locator("h1.piece")).to_have_text("Enemy Unknown")
    settle(page)
    assert "example=enemy_unknown" in page.url
    assert "start=" not in page.url


@pytest.mark.parametrize("pause", [0, 30, 100, 300])
def test_the_address_names_the_last_of_two_quick_clicks(
    visit: Callable[..., Page], pause: int
) -> None:
    page = visit("lang=en&example=vibe_ace")
    examples = page.locator(".st-key-example")
    examples.locator("button", has_text="Enemy Unknown").click()
    page.wait_for_timeout(pause)
    examples.locator("button", has_text="Rain").click()
    expect(page.locator("h1.piece")).to_have_text("Rain")
    settle(page)
    expect(page).to_have_url(re.compile("example=rain"))


def test_all_models_are_on_in_a_menu_that_is_opened_late(visit: Callable[..., Page]) -> None:
    page = visit("lang=en&example=vibe_ace")
    lines = page.locator(".models .model")
    models = lines.count()
    page.locator(".st-key-example button", has_text="Rain").click()
    settle(page)
    page.get_by_role("button", name="Models").click()
    menu = page.locator("[class*=st-key-models_] button")
    expect(menu).to_have_count(models)
    settle(page)
    pressed = [menu.nth(i).get_attribute("aria-pressed") for i in range(models)]
    assert pressed == ["true"] * models
    menu.first.click()
    expect(lines).to_have_count(models - 1)


def test_what_was_taken_back_does_not_come_again_from_a_closed_menu(
    visit: Callable[..., Page],
) -> None:
    page = visit("lang=en&example=rain")
    lines = page.locator(".models .model")
    models = lines.count()
    page.get_by_role("button", name="Models").click()
    page.locator("[class*=st-key-models_] button").first.click()
    expect(lines).to_have_count(models - 1)
    page.keyboard.press("Escape")
    settle(page)
    page.go_back()
    expect(lines).to_have_count(models)
    settle(page)
    page.locator(".st-key-as_networks label").first.click()
    expect(page).to_have_url(re.compile("networks=1"))
    settle(page)
    assert "off=" not in page.url
    expect(lines).to_have_count(models)


def test_whatever_was_shown_before_a_click_acts_once(visit: Callable[..., Page]) -> None:
    page = visit("lang=en&example=vibe_ace")
    browser = page.context.new_cdp_session(page)

    def listeners() -> Counter[str]:
        found = browser.send("Runtime.evaluate", {"expression": "document"})
        object_id = {"objectId": found["result"]["objectId"]}
        at = browser.send("DOMDebugger.getEventListeners", object_id)["listeners"]
        return Counter(each["type"] for each in at)

    def shown(title: str, language: str) -> None:
        page.locator(".st-key-example button", has_text=title).click()
        expect(page.locator("h1.piece")).to_have_text(title)
        settle(page)
        page.locator(".st-key-language button", has_text=language).click()
        settle(page)

    shown("Rain", "English")
    before = listeners()
    for title, language in (("Enemy Unknown", "中文"), ("Celtica", "English")):
        shown(title, language)
        page.locator(".play-window").click()
        page.wait_for_function("() => !document.querySelector('audio').paused")
        page.wait_for_timeout(100)
        expect(page.locator(".play-window")).to_have_class(re.compile("playing"))
        page.locator(".play-window").click()
        page.wait_for_function("() => document.querySelector('audio').paused")
    assert listeners() - before == Counter()


def test_a_sound_stands_at_its_window_from_the_start(visit: Callable[..., Page]) -> None:
    for _ in range(3):
        page = visit("lang=en&example=total_breakdown")
        assert page.evaluate("document.querySelector('audio').currentTime") > 60
        expect(page.locator(".st-key-spectrograms .playhead")).to_be_visible()
