"""The answer: one large genre, the whole piece, the verdict of the moment, no mixed frames."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("playwright")
pytest.importorskip("streamlit")

from playwright.sync_api import Page, expect

from ccmusic.texts import translate
from live_page import settle

pytestmark = pytest.mark.slow
SOUND = "document.querySelector('[data-testid=stAudio]')"


@pytest.fixture(scope="module")
def song(write_sound: Callable[..., Path]) -> Path:
    """Twenty seconds of a chord, then fourteen of noise."""
    rate = 22_050
    time = np.arange(34 * rate) / rate
    sound = 0.1 * np.sin(2 * np.pi * np.outer((220, 277, 330), time)).sum(axis=0)
    sound[20 * rate :] = np.random.default_rng(0).normal(0, 0.1, 14 * rate)
    return write_sound("chord.wav", sound.astype(np.float32), rate)


def test_the_genre_is_the_largest_word_and_every_model_has_a_dot(
    visit: Callable[..., Page],
) -> None:
    page = visit("lang=en&example=vibe_ace")
    size = "element => parseFloat(getComputedStyle(element).fontSize)"
    large = page.locator(".answer .large").evaluate(size)
    others = page.locator("h1, h2, h3, .models .genre").evaluate_all(f"all => all.map({size})")
    assert large >= 36
    assert max(others) < large
    dots = page.locator(".dot")
    lines = page.locator(".models .model")
    expect(dots).to_have_count(lines.count())
    colour = "element => getComputedStyle(element).backgroundColor"
    for place in range(lines.count()):
        swatch = lines.nth(place).locator(".swatch")
        assert dots.nth(place).evaluate(colour) == swatch.evaluate(colour)
        name = lines.nth(place).locator(".name").inner_text()
        expect(dots.nth(place).locator("span")).to_have_text(re.compile(rf"^{re.escape(name)}: "))


def test_the_whole_piece_is_the_answer_and_the_moment_follows_the_sound(
    visit: Callable[..., Page], song: Path
) -> None:
    page = visit("lang=en&example=rain")
    page.locator("[data-testid=stFileUploaderDropzoneInput]").first.set_input_files(song)
    expect(page.get_by_text(translate("en", "whole.scope", windows=4))).to_be_visible()
    settle(page)
    cells = page.locator(".strip .at")
    expect(cells).to_have_count(4)
    models = page.locator(".models .model").count()
    expect(cells.first.locator("i")).to_have_count(1 + models)
    moment = page.locator(".legend .moment")
    for place, seconds in ((0, 3), (2, 21), (3, 33)):
        page.evaluate(f"{SOUND}.currentTime = {seconds}")
        expect(moment).to_have_text(cells.nth(place).get_attribute("data-said") or "nothing")
        expect(page.locator(".strip .now")).to_have_count(1)


def test_what_is_left_of_another_piece_is_dimmed(visit: Callable[..., Page]) -> None:
    page = visit("lang=en&example=vibe_ace")
    page.evaluate(
        """() => {
            window.seen = [];
            window.look = () => {
                const parts = [".st-key-picture", ".st-key-below"].map((name) => {
                    const part = document.querySelector(name);
                    const figures = [...part.querySelectorAll("[data-figure]")];
                    const files = figures.map((one) => JSON.parse(one.dataset.figure).file);
                    return [Number(getComputedStyle(part).opacity), files.join()];
                });
                window.seen.push([document.querySelector("h1.piece")?.textContent, parts]);
            };
            window.look();
            const all = { childList: true, subtree: true };
            new MutationObserver(window.look).observe(document.body, all);
        }"""
    )
    page.locator(".st-key-example button", has_text="Rain").click()
    expect(page.locator("h1.piece")).to_have_text("Rain")
    settle(page)
    page.evaluate("window.look()")
    first, *changing, last = page.evaluate("window.seen")
    for (title, parts), other in ((first, "Rain"), (last, "Vibe Ace")):
        for opacity, files in parts:
            assert opacity == 1
            assert title in files
            assert other not in files
    for title, parts in changing:
        for opacity, files in parts:
            assert opacity < 0.5 or title != "Rain" or "Vibe Ace" not in files
