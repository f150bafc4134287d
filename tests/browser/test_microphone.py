"""What visitors bring, in a real browser: their microphone, their files, their weights."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("playwright")
pytest.importorskip("streamlit")

from playwright.sync_api import Page, expect

from ccmusic.dashboard.examples import find_examples
from ccmusic.texts import LANGUAGES, Language, translate
from ccmusic.zoo import find
from live_page import settle
from small_models import make_checkpoint

pytestmark = pytest.mark.slow
EXAMPLES = find_examples()
LIVE = "document.querySelector('.st-key-live [data-testid=stBidiComponentIsolated]').shadowRoot"
CANVAS = f"{LIVE}.querySelector('canvas')"
# Another picture at each call, or black: what is seen of a moving spectrogram.
PICTURE = f"""() => {{
    const {{ data }} = {CANVAS}.getContext("2d").getImageData(590, 0, 10, 240);
    return data.reduce((sum, value, at) => (sum + value * (1 + at % 1009)) % 2147483647, 0);
}}"""


def open_live(page: Page, language: Language) -> None:
    page.get_by_role("button", name=translate(language, "live.open")).click()
    expect(page.get_by_role("dialog")).to_be_visible()


@pytest.mark.parametrize("language", LANGUAGES)
def test_live_shows_what_it_hears_and_judges_it(
    visit: Callable[..., Page], language: Language
) -> None:
    page = visit(f"lang={language}&example=rain")
    open_live(page, language)
    window = page.get_by_role("dialog")
    window.get_by_role("button", name=translate(language, "live.start")).click()
    expect(window.get_by_role("status")).to_have_text(translate(language, "live.listening"))
    before = page.evaluate(PICTURE)
    page.wait_for_function(f"(before) => ({PICTURE})() !== before", arg=before)
    # Of Chromium's microphone, which beeps.
    expect(window.locator(".race li")).to_have_count(5)
    expect(window.locator(".models .model")).to_have_count(len(find("cqt")))
    window.get_by_role("button", name=translate(language, "live.stop")).click()
    expect(window).to_have_count(0)
    expect(page.locator("h1.piece")).to_have_text(translate(language, "page.recording"))
    expect(page.locator(".answer .mean")).to_be_visible()
    settle(page)
    assert re.search(r"own=[0-9a-f]{8}-[0-9a-f]{12}", page.url)


def test_a_closed_window_lets_go_of_the_microphone(visit: Callable[..., Page]) -> None:
    page = visit()
    page.evaluate("""() => {
        const devices = navigator.mediaDevices, open = devices.getUserMedia.bind(devices);
        devices.getUserMedia = async (options) => (window.heard = await open(options));
    }""")
    open_live(page, "en")
    page.get_by_role("button", name=translate("en", "live.start")).click()
    page.wait_for_function(
        "() => window.heard?.getTracks().every((track) => track.readyState == 'live')"
    )
    expect(
        page.get_by_role("dialog").locator(".models .model").first
    ).to_be_visible()  # answers end nothing
    assert page.evaluate("window.heard.getTracks()[0].readyState") == "live"
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.wait_for_function(
        "() => window.heard.getTracks().every((track) => track.readyState == 'ended')"
    )
    assert page.locator("h1.piece").inner_text() == translate("en", "example.rain")


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_keeps_the_microphone_away_is_said(
    visit: Callable[..., Page], language: Language
) -> None:
    page = visit(f"lang={language}&example=rain")
    open_live(page, language)
    window = page.get_by_role("dialog")

    def said(by: str) -> str:
        page.evaluate(by)
        window.get_by_role("button", name=translate(language, "live.start")).click()
        status = window.get_by_role("status")
        expect(status).not_to_have_text(translate(language, "live.waiting"))
        return status.inner_text()

    for name, key in (
        ("NotAllowedError", "refused"),
        ("NotFoundError", "missing"),
        ("NotReadableError", "busy"),
    ):
        fail = f"async () => {{ throw new DOMException('', '{name}'); }}"
        instead = f"() => {{ navigator.mediaDevices.getUserMedia = {fail}; }}"
        assert said(instead) == translate(language, f"live.{key}")
    insecure = """() => {
        Object.defineProperty(window, "isSecureContext", { value: false });
        Object.defineProperty(navigator, "mediaDevices", { value: undefined });
    }"""
    assert said(insecure) == translate(language, "live.insecure")


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_upload_survives_a_reload_or_its_loss_is_said(
    visit: Callable[..., Page], language: Language
) -> None:
    page = visit(f"lang={language}&example=rain")
    chosen = page.locator("[data-testid=stFileUploaderDropzoneInput]").first
    chosen.set_input_files(EXAMPLES["celtica"])
    expect(page.locator("h1.piece")).to_have_text("celtica.ogg")
    settle(page)
    page.reload()
    expect(page.locator("h1.piece")).to_have_text("celtica.ogg")
    settle(page)
    page.go_back()
    expect(page.locator("h1.piece")).to_have_text(translate(language, "example.rain"))
    settle(page)
    page.go_forward()
    expect(page.locator("h1.piece")).to_have_text("celtica.ogg")
    settle(page)
    page.context.clear_cookies()
    page.reload()
    expect(page.get_by_text(translate(language, "page.lost"))).to_be_visible()
    settle(page)
    page.locator(".st-key-example button").first.click()
    expect(page.locator("h1.piece")).to_be_visible()


@pytest.mark.parametrize("language", LANGUAGES)
def test_weights_join_and_leave_where_one_sees_it(
    visit: Callable[..., Page], language: Language, tmp_path: Path
) -> None:
    pytest.importorskip("torch")
    name = f"samba_{language}"
    make_checkpoint(tmp_path, name, transform="mel")
    page = visit(f"lang={language}&example=rain&transform=mel")
    models = page.locator(".models .model")
    before = models.count()
    page.get_by_role("button", name=translate(language, "weights.open")).click()
    window = page.get_by_role("dialog")
    files = window.locator("[data-testid=stFileUploaderDropzoneInput]")

    def press(key: str) -> None:
        window.get_by_role("button", name=translate(language, key), exact=True).last.click()

    files.set_input_files(tmp_path / f"{name}.onnx")
    press("weights.import")
    refused = window.get_by_role("alert").filter(has_text=f"{name}.onnx")
    expect(refused).to_be_in_viewport()
    files.set_input_files([tmp_path / f"{name}.json", tmp_path / f"{name}.onnx"])
    expect(window.get_by_text(f"{name}.json")).to_be_visible()
    press("weights.import")
    done = translate(language, "weights.done", name=name, transform="Mel")
    expect(window.get_by_text(done)).to_be_in_viewport()
    expect(models).to_have_count(before + 1)  # behind the window, at once
    press("weights.remove")
    expect(window.get_by_text(translate(language, "weights.ask_remove", name=name))).to_be_visible()
    press("weights.keep")
    expect(window.locator("[class*=st-key-remove_]")).to_have_count(1)
    press("weights.remove")
    expect(window.locator(".st-key-keep")).to_be_visible()
    press("weights.remove")
    expect(models).to_have_count(before)
