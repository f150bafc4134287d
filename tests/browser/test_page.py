"""The page as people have it: a real server, a real browser, real clicks."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("playwright")
pytest.importorskip("streamlit")

from playwright.sync_api import Browser, Locator, Page, expect

from ccmusic import analyze
from ccmusic.genres import GENRES, genre_name
from ccmusic.texts import LANGUAGES, Language, translate
from ccmusic.zoo import find
from live_page import PATIENCE, browser, chromium, dashboard, settle

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(chromium() is None, reason="no Chromium (Debian: apt install chromium)"),
]
WriteSound = Callable[..., Path]
VIEWPORT = {"width": 1300, "height": 1000}
expect.set_options(timeout=PATIENCE)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    home = tmp_path_factory.mktemp("home")
    uploads = tmp_path_factory.mktemp("temporary")
    with dashboard(CCMUSIC_HOME=str(home), TMPDIR=str(uploads)) as served:
        yield served
    assert not list(uploads.rglob("*.mp3"))


@pytest.fixture(scope="module")
def chrome() -> Iterator[Browser]:
    with browser() as opened:
        yield opened


@pytest.fixture
def visit(chrome: Browser, address: str) -> Iterator[Callable[..., Page]]:
    """Open the page as somebody new; what fails in its scripts fails the test."""
    opened: list[Page] = []
    failures: list[str] = []

    def open_page(link: str = "lang=en&example=rain", **options: object) -> Page:
        context = chrome.new_context(**{"viewport": VIEWPORT, **options})  # type: ignore[arg-type]
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("pageerror", lambda error: failures.append(str(error)))
        page.goto(f"{address}/?{link}")
        if "view=" not in link:
            page.locator(".st-key-headline h3").wait_for()
        settle(page)
        opened.append(page)
        return page

    yield open_page
    for page in opened:
        assert not page.locator("[data-testid=stException]").count()
        page.context.close()
    assert not failures


@pytest.fixture(scope="module")
def song(write_sound: WriteSound) -> Path:
    """Forty seconds of chords, as an MP3 that knows nothing of us."""
    rate = 44_100
    time = np.arange(40 * rate) / rate
    samples = np.zeros_like(time)
    for root, begin in ((220.0, 0), (174.6, 10), (261.6, 20), (196.0, 30)):
        here = (time >= begin) & (time < begin + 10)
        for ratio in (1, 1.25, 1.5, 2):
            samples += here * np.sin(2 * np.pi * root * ratio * time) * np.exp(-(time % 0.5) * 4)
    noise = np.random.default_rng(1).normal(0, 0.02, len(time)) * (time % 0.5 < 0.05)
    return write_sound("my [song] *1*.mp3", (0.15 * samples + noise).astype(np.float32))


def upload(page: Page, path: Path) -> None:
    page.locator("[data-testid=stFileUploaderDropzoneInput]").first.set_input_files(path)
    page.wait_for_timeout(1000)
    settle(page)


def opinion(page: Page) -> str:
    return page.locator(".st-key-headline h3").inner_text()


def plot(page: Page, key: str) -> Locator:
    return page.locator(f".st-key-{key} .js-plotly-plot")


@pytest.mark.parametrize("language", LANGUAGES)
def test_real_mp3_gets_the_verdicts_of_the_python_api(
    visit: Callable[..., Page], song: Path, language: Language
) -> None:
    page = visit(f"lang={language}")
    upload(page, song)
    assert page.locator("h5", has_text=song.name).count() == 1
    expected = analyze(song)
    assert expected.agreement is not None
    assert opinion(page).lower() == expected.agreement.message(language).lower()
    cards = page.locator(".st-key-cards .js-plotly-plot")
    expect(cards).to_have_count(len(expected.verdicts))
    for index, verdict in enumerate(expected.verdicts.values()):
        ((genre, probability),) = verdict.top(1)
        words = cards.nth(index).locator(".annotation-text").all_text_contents()
        assert words[:2] == [genre_name(genre, language), f"{probability:.0%}"]
    with page.expect_download() as waiting:
        page.locator(".st-key-report_json button").click()
    downloaded = json.loads(Path(waiting.value.path()).read_text("utf-8"))
    assert downloaded["mean"] == pytest.approx(expected.mean, abs=1e-4)


def test_hovering_tells_pitch_note_time_and_level(visit: Callable[..., Page]) -> None:
    page = visit()
    spectrogram = plot(page, "spectrogram_cqt")
    spectrogram.hover(position={"x": 300, "y": 300})
    text = " ".join(spectrogram.locator(".hoverlayer text").all_text_contents())
    assert re.search(r"[\d.]+ Hz · [A-G]♯?\d", text)
    assert re.search(r"-[\d.]+ dB", text)
    assert re.search(r"\d+\.\d\d s", text)
    over_map = page.locator(".st-key-maps .js-plotly-plot").first
    over_map.hover(position={"x": 120, "y": 120})
    text = " ".join(over_map.locator(".hoverlayer text").all_text_contents())
    assert re.search(r"Hz.*dB.*weight -?[\d.]+", text)


def test_language_switch_keeps_the_verdicts(visit: Callable[..., Page]) -> None:
    page = visit("example=rain", locale="zh-CN")
    assert translate("zh", "page.tagline") in page.inner_text("body")
    page.wait_for_function("document.documentElement.lang == 'zh'")
    shown = page.locator(".st-key-headline").inner_text()
    seconds = re.search(r"[\d.]+ 秒", shown)
    page.get_by_text("English", exact=True).click()
    expect(page.get_by_text(translate("en", "page.tagline"))).to_be_visible()
    settle(page)
    assert "lang=en" in page.url
    # The very same analysis: it took the same time to the hundredth.
    assert seconds
    assert seconds[0].split()[0] in page.locator(".st-key-headline").inner_text()
    page.wait_for_function("document.documentElement.lang == 'en'")


def test_cqt_turns_with_one_click(visit: Callable[..., Page]) -> None:
    page = visit()
    figure = "document.querySelector('.st-key-spectrogram_cqt .js-plotly-plot')"
    time_axis = f"{figure}?.layout.meta.time"
    page.wait_for_function(f"{time_axis} == 'y'")
    page.locator(".st-key-turned label").first.click()
    page.wait_for_function(f"{time_axis} == 'x'")


def test_both_spectrograms_stand_side_by_side(visit: Callable[..., Page]) -> None:
    page = visit("lang=en&example=rain&transform=both")
    left = plot(page, "spectrogram_cqt").bounding_box()
    right = plot(page, "spectrogram_mel").bounding_box()
    assert left
    assert right
    assert left["x"] + left["width"] <= right["x"]
    assert left["y"] == pytest.approx(right["y"], abs=2)


@pytest.mark.parametrize("genre", ["jazz", "environment"])
def test_maps_follow_the_genre_chosen(visit: Callable[..., Page], genre: str) -> None:
    page = visit("lang=en&example=vibe_ace")
    chooser = page.locator(".st-key-map_genre_en input")
    chooser.click()
    chooser.press_sequentially(genre_name(genre, "en"))
    expect(page.get_by_role("option")).to_have_count(1)
    chooser.press("Enter")
    page.wait_for_timeout(500)
    settle(page)
    captions = page.locator(".st-key-maps [data-testid=stCaptionContainer]").all_inner_texts()
    models = page.locator(".st-key-cards .js-plotly-plot").count()
    assert len(captions) == models
    assert all(caption.startswith(genre_name(genre, "en")) for caption in captions)


def test_timeline_stops_goes_on_and_moves_the_window(
    visit: Callable[..., Page], song: Path
) -> None:
    page = visit()
    upload(page, song)
    page.locator(".st-key-begin_timeline button").click()
    bar = page.get_by_text(translate("en", "timeline.working"))
    expect(bar).to_be_visible()
    page.locator(".st-key-cancel_timeline button").click()
    expect(bar).to_be_hidden()
    page.locator(".st-key-begin_timeline button").click()
    expect(plot(page, "timeline")).to_be_visible()
    expect(bar).to_be_hidden()
    settle(page)
    count = "document.querySelector('.st-key-timeline .js-plotly-plot').data[0].x.length"
    assert page.evaluate(count) == 7
    points = plot(page, "timeline").locator(".scatterlayer .trace").first.locator(".point")
    points.last.click(force=True)
    expect(page.get_by_text("The networks see 30.0 to 40.0 s")).to_be_visible()


def test_report_opens_offline(visit: Callable[..., Page], chrome: Browser, tmp_path: Path) -> None:
    page = visit("lang=zh&example=vibe_ace")
    with page.expect_download() as waiting:
        page.locator(".st-key-report_html button").click()
    saved = tmp_path / waiting.value.suggested_filename
    waiting.value.save_as(saved)
    context = chrome.new_context(offline=True)
    report = context.new_page()
    report.goto(saved.as_uri())
    assert report.locator("h2").first.inner_text().lower() == opinion(page).lower()
    widths = report.evaluate("[...document.images].map(i => i.naturalWidth)")
    assert len(widths) >= 3
    assert min(widths) > 100
    context.close()


@pytest.mark.parametrize("language", LANGUAGES)
def test_broken_file_is_one_line(
    visit: Callable[..., Page], tmp_path: Path, language: Language
) -> None:
    page = visit(f"lang={language}")
    broken = tmp_path / "noise.mp3"
    broken.write_bytes(np.random.default_rng(0).bytes(5000))
    upload(page, broken)
    (alert,) = page.locator("[data-testid=stAlert]").all_inner_texts()
    assert alert.strip() == translate(language, "error.unknown_format", file="noise.mp3")


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_file_too_large_or_of_another_kind_is_refused(
    visit: Callable[..., Page], tmp_path: Path, language: Language
) -> None:
    page = visit(f"lang={language}&example=rain")
    uploader = "document.querySelector('[data-testid=stFileUploader]')"
    refusal = f"getComputedStyle({uploader}, '::after').content"
    for name, size in (("large.mp3", 201 * 2**20), ("essay.txt", 10)):
        assert translate(language, "page.upload_refused") not in page.evaluate(refusal)
        path = tmp_path / name
        with path.open("wb") as file:
            file.truncate(size)
        page.locator("[data-testid=stFileUploaderDropzoneInput]").first.set_input_files(path)
        words = json.dumps(translate(language, "page.upload_refused"), ensure_ascii=False)
        page.wait_for_function(f"{refusal}.includes({words})")
        page.locator("[data-testid=stFileChipDeleteBtn] button").click()
        settle(page)


def test_two_at_once_do_not_mix(visit: Callable[..., Page], song: Path) -> None:
    one, other = visit("lang=zh&example=rain"), visit("lang=en&example=celtica")
    upload(other, song)
    one.reload()
    settle(one)
    assert one.locator("h5", has_text=translate("zh", "example.rain")).count() == 1
    assert other.locator("h5", has_text=song.name).count() == 1
    for page, language in ((one, "zh"), (other, "en")):
        assert translate(language, "page.verdicts") in page.inner_text("body")


def test_playhead_follows_the_sound_and_a_click_seeks(visit: Callable[..., Page]) -> None:
    page = visit("lang=en&example=vibe_ace")
    spectrogram = plot(page, "spectrogram_cqt")
    box = spectrogram.bounding_box()
    assert box
    spectrogram.click(position={"x": box["width"] / 2, "y": box["height"] / 2})
    now = "document.querySelector('[data-testid=stAudio]').currentTime"
    page.wait_for_function(f"{now} > 4")
    for key in ("spectrogram_cqt", "waveform"):
        line = plot(page, key).locator(".playhead")
        expect(line).to_be_visible()
        before = line.bounding_box()
        page.wait_for_timeout(1000)
        after = line.bounding_box()
        assert before
        assert after
        across = "y" if key == "spectrogram_cqt" else "x"
        assert after[across] > before[across]  # type: ignore[literal-required]


def test_microphone_is_judged(visit: Callable[..., Page]) -> None:
    page = visit(permissions=["microphone"])
    button = page.locator("[data-testid=stAudioInputActionButton]").first
    button.click()
    page.wait_for_timeout(3000)
    button.click()
    expect(page.locator("h5", has_text=translate("en", "page.recording"))).to_be_visible()
    settle(page)
    assert opinion(page)
    assert translate("en", "page.looped").replace(" 10 s", "") in page.inner_text("body")


def test_a_model_can_be_switched_off(visit: Callable[..., Page]) -> None:
    page = visit()
    cards = page.locator(".st-key-cards .js-plotly-plot")
    models = len(find("cqt"))
    expect(cards).to_have_count(models)
    page.locator("[class*=st-key-models_] button").first.click()
    expect(cards).to_have_count(models - 1)


@pytest.mark.parametrize("view", ["way", "guide"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_other_views_are_whole(visit: Callable[..., Page], language: Language, view: str) -> None:
    page = visit(f"lang={language}&example=celtica&view={view}")
    body = page.inner_text("body")
    assert translate(language, f"{view}.title") in body
    if view == "way":
        with page.expect_download() as waiting:
            page.locator(".st-key-way_input-npy button").click()
        picture = np.load(waiting.value.path())
        assert picture.shape == (3, 224, 224)
        assert picture.dtype == np.float32


def test_keyboard_alone_reaches_language_and_models(visit: Callable[..., Page]) -> None:
    page = visit()
    missing = {"language", "transform", "turned", "top_k", "models"}
    for _ in range(300):  # how many stops there are is the browser's and the pictures' affair
        page.keyboard.press("Tab")
        reached = page.evaluate(
            "document.activeElement.closest('[class*=st-key-]')?.className"
            ".match(/st-key-(\\w+)/)?.[1] ?? ''"
        )
        missing -= {wanted for wanted in missing if reached.startswith(wanted)}
        if not missing:
            break
    assert not missing


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_phone_shows_everything_without_scrolling_sideways(
    visit: Callable[..., Page], scheme: str
) -> None:
    page = visit(viewport={"width": 390, "height": 844}, color_scheme=scheme)
    main = "document.querySelector('[data-testid=stMain]')"
    assert page.evaluate(f"{main}.scrollWidth <= {main}.clientWidth")
    background = page.evaluate(
        "getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor"
    )
    brightness = sum(map(int, re.findall(r"\d+", background)[:3]))
    assert (brightness > 600) == (scheme == "light")


def test_genres_are_all_in_the_table(visit: Callable[..., Page]) -> None:
    page = visit("lang=zh&example=rain")
    names = plot(page, "table").locator(".xtick text")
    expect(names).to_have_count(len(GENRES))
    assert set(names.all_text_contents()) == {genre_name(genre, "zh") for genre in GENRES}
