"""The page as people have it: a real server, a real browser, real clicks."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("playwright")
pytest.importorskip("streamlit")

from PIL import Image
from playwright.sync_api import Browser, Page, expect

from ccmusic import Panel
from ccmusic.dashboard.inputs import LARGEST_MB
from ccmusic.genres import GENRES, genre_name
from ccmusic.texts import LANGUAGES, Language, translate
from ccmusic.zoo import find
from live_page import PATIENCE, plot, settle
from page_figures import weights

pytestmark = pytest.mark.slow
WriteSound = Callable[..., Path]
SOUND = "document.querySelector('[data-testid=stAudio]')"
HEARD = f"""() => {{
    const {{ range, graphs }} = window.ccmusic, graph = graphs.get({SOUND});
    return {{ ...range, filters: [...graph.low, ...graph.high].map((f) => f.frequency.value) }};
}}"""


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
    expect(page.locator("h1.piece")).to_have_text(path.name)
    settle(page)


def opinion(page: Page) -> str:
    return page.locator(".opinion").inner_text()


def title(page: Page) -> str:
    return page.locator("h1.piece").inner_text()


@pytest.mark.parametrize("language", LANGUAGES)
def test_real_mp3_gets_the_verdicts_of_the_python_api(
    visit: Callable[..., Page], song: Path, language: Language
) -> None:
    page = visit(f"lang={language}")
    upload(page, song)
    assert title(page) == song.name
    with Panel.open("cqt") as panel:
        expected = panel.analyze_whole(song)
    assert expected.agreement is not None
    assert opinion(page).lower() == expected.agreement.message(language).lower()
    lines = page.locator(".models .model")
    expect(lines).to_have_count(len(expected.verdicts))
    for index, verdict in enumerate(expected.verdicts.values()):
        ((genre, probability),) = verdict.top(1)
        words = lines.nth(index).inner_text()
        assert genre_name(genre, language) in words
        assert f"{probability:.0%}" in words
    with page.expect_download() as waiting:
        page.locator(".st-key-report_json button").click()
    downloaded = json.loads(Path(waiting.value.path()).read_text("utf-8"))
    assert downloaded["mean"] == pytest.approx(expected.mean, abs=1e-4)


def test_hovering_tells_pitch_note_time_and_level(visit: Callable[..., Page]) -> None:
    page = visit()
    spectrogram = plot(page, "spectrogram_cqt")
    spectrogram.hover(position={"x": 300, "y": 300})
    expect(spectrogram.locator(".hover")).to_contain_text(re.compile(r"−[\d.]+ dB"))
    text = " ".join(spectrogram.locator(".hover span").all_text_contents())
    assert re.search(r"[\d.]+ Hz · [A-G]♯?\d", text)
    assert re.search(r"\d+\.\d\d s", text)
    over_map = page.locator(".st-key-maps .figure").first
    over_map.hover(position={"x": 120, "y": 120})
    text = " ".join(over_map.locator(".hover span").all_text_contents())
    assert re.search(r"Hz.*dB.*weight −?[\d.]+", text)


def test_language_switch_keeps_the_verdicts(visit: Callable[..., Page]) -> None:
    page = visit("example=rain", locale="zh-CN")
    expect(page.get_by_text(translate("zh", "page.tagline"))).to_be_visible()
    page.wait_for_function("() => document.documentElement.lang == 'zh'")
    shares = page.locator(".models .share").all_inner_texts()
    page.get_by_text("English", exact=True).click()
    expect(page.get_by_text(translate("en", "page.tagline"))).to_be_visible()
    settle(page)
    assert "lang=en" in page.url
    assert page.locator(".models .share").all_inner_texts() == shares
    page.wait_for_function("() => document.documentElement.lang == 'en'")


def test_the_first_load_is_light(chrome: Browser, address: str) -> None:
    """All that comes over the line until the page is whole, the sound with it, and no Plotly."""
    page = chrome.new_context(viewport={"width": 1440, "height": 900}).new_page()
    page.set_default_timeout(PATIENCE)
    line = page.context.new_cdp_session(page)
    weights: Counter[str] = Counter()

    def sent(event: dict[str, Any]) -> None:
        weights["HTTP"] += event["encodedDataLength"]

    def told(event: dict[str, Any]) -> None:
        weights["WebSocket"] += len(event["response"]["payloadData"]) * 3 // 4  # in base64

    line.on("Network.dataReceived", sent)
    line.on("Network.webSocketFrameReceived", told)
    line.send("Network.enable")
    page.goto(f"{address}/?lang=en&example=vibe_ace")
    page.locator(".answer .mean").first.wait_for()
    settle(page)
    page.wait_for_function(f"() => {SOUND}.readyState == 4")
    assert weights["WebSocket"] > 100_000  # it was measured
    assert weights["HTTP"] > 500_000
    assert weights.total() <= 2_500_000, weights
    page.context.close()


SIZES = [(1440, 900), (1280, 720), (390, 844)]


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_first_screen_holds_the_verdict(
    visit: Callable[..., Page], language: Language, size: tuple[int, int]
) -> None:
    width, height = size
    scheme = "dark" if language == "zh" else "light"
    view = {"width": width, "height": height}
    page = visit(f"lang={language}&example=vibe_ace", viewport=view, color_scheme=scheme)
    boxes = {}
    spectrogram = "[data-key=spectrogram_cqt] > .area"
    # On a phone the invitation comes before the picture, of which the upper part is seen.
    phone = width < 800
    invitation = [".st-key-invitation"] if phone else []
    for name in ("h1.piece", ".opinion", ".models", *invitation, ".play-window", spectrogram):
        box = page.locator(name).bounding_box()
        assert box, name
        assert box["x"] >= 0, name
        assert box["y"] >= 0, name
        assert box["x"] + box["width"] <= width, name
        shown = min(box["height"], 100) if phone else box["height"]
        assert box["y"] + shown <= height, name
        boxes[name] = box
    assert boxes[spectrogram]["height"] > 200
    # Nothing covers it, and a line is one line.
    for line in page.locator(".models > li").all():
        box = line.bounding_box()
        assert box
        assert box["height"] < 40
        assert re.search(r"\d+%", line.inner_text())
    examples = page.locator(".st-key-example").bounding_box()
    assert examples
    assert examples["y"] > boxes[".models"]["y"] + boxes[".models"]["height"]
    if phone:
        assert examples["y"] > boxes[spectrogram]["y"] + boxes[spectrogram]["height"]
        main = "document.querySelector('[data-testid=stMainBlockContainer]')"
        assert page.evaluate(f"{main}.getBoundingClientRect().height") < 3500


def test_cqt_turns_with_one_click(visit: Callable[..., Page]) -> None:
    page = visit()
    picture = plot(page, "spectrogram_cqt")
    # What is read at a second and a note, and the axes: from left to right, from top to bottom.
    told = """({ figure }, [second, note]) => {
        const at = [figure.time.pixel(second), figure.pitch.pixel(note)];
        return figure.read(...(figure.along === "x" ? at : at.reverse())).lines;
    }"""
    axes = "({ figure: { x, y } }) => [x.from, x.to, y.from, y.to]"
    places = [[second, note] for second in (11.0, 14.3) for note in (3, 40, 80)]
    values = [picture.evaluate(told, place) for place in places]
    begin, end, high, low = picture.evaluate(axes)
    assert values[1][0].endswith("E4")
    before = picture.evaluate("plot => plot.querySelector('canvas').toDataURL()")
    switch = page.locator(".st-key-as_networks label").first
    switch.click()
    assert picture.evaluate(axes) == [low, high, begin, end]
    assert [picture.evaluate(told, place) for place in places] == values
    expect(page).to_have_url(re.compile("networks=1"))
    # It comes so with the address, and Back turns it back.
    turned = picture.evaluate("plot => plot.querySelector('canvas').toDataURL()")
    page.reload()
    settle(page)
    assert picture.evaluate("plot => plot.querySelector('canvas').toDataURL()") == turned
    page.go_back()
    expect(switch.locator("input")).not_to_be_checked()
    settle(page)
    assert picture.evaluate("plot => plot.querySelector('canvas').toDataURL()") == before


def test_a_picture_zooms_moves_is_saved_and_fills_the_screen(visit: Callable[..., Page]) -> None:
    page = visit()
    picture = plot(page, "spectrogram_cqt")
    shown = "({ figure: { x, y } }) => [x.from, x.to, y.from, y.to]"
    whole = picture.evaluate(shown)
    box = picture.locator(".area").bounding_box()
    assert box

    def press(name: str) -> None:
        picture.get_by_role("button", name=translate("en", f"figure.{name}")).click()

    def drag(*places: tuple[float, float]) -> None:
        for place, (x, y) in enumerate(places):
            page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=4)
            page.mouse.down() if place == 0 else page.mouse.up()

    press("zoom")
    drag((0.25, 0.5), (0.75, 0.75))
    begin, end, top, bottom = picture.evaluate(shown)
    seconds, bins = whole[1] - whole[0], whole[2] - whole[3]
    assert begin == pytest.approx(whole[0] + 0.25 * seconds, abs=0.05)
    assert end == pytest.approx(whole[0] + 0.75 * seconds, abs=0.05)
    assert (top, bottom) == pytest.approx((whole[2] - bins / 2, whole[2] - 0.75 * bins), abs=0.5)
    press("pan")
    drag((0.5, 0.5), (0.25, 0.5))
    moved, *_ = picture.evaluate(shown)
    assert moved == pytest.approx(begin + 0.25 * (end - begin), abs=0.1)
    assert page.evaluate("window.ccmusic.region ?? null") is None  # none was selected
    press("reset")
    assert picture.evaluate(shown) == whole
    with page.expect_download() as waiting:
        press("download")
    assert waiting.value.suggested_filename == "Rain - CQT.png"
    with Image.open(waiting.value.path()) as saved:
        width = picture.evaluate("(plot) => plot.clientWidth")
        assert saved.width == 2 * width
        assert len(saved.convert("RGB").getcolors(saved.width * saved.height) or ()) > 100
    press("fullscreen")
    page.wait_for_function("() => document.fullscreenElement?.dataset.key === 'spectrogram_cqt'")


def test_figures_do_not_grow_while_the_style_sheet_is_missing(visit: Callable[..., Page]) -> None:
    page = visit()
    page.evaluate("""() => [...document.styleSheets]
        .filter(({ ownerNode }) => ownerNode.textContent.includes(".figure"))
        .forEach((sheet) => { sheet.disabled = true; })""")
    page.wait_for_timeout(1000)
    heights = "all => all.map(({ clientHeight }) => clientHeight)"
    assert max(page.locator(".figure").evaluate_all(heights)) < 500


def test_slider_and_player_are_there_for_the_keyboard(visit: Callable[..., Page]) -> None:
    page = visit("lang=en&example=vibe_ace")
    plain = page.locator(".st-key-plain_controls")
    box = plain.bounding_box()
    assert box
    assert box["height"] <= 1
    page.get_by_role("slider").first.focus()
    expect(plain).not_to_have_css("position", "absolute")
    box = plain.bounding_box()
    assert box
    assert box["width"] > 300
    # The button is on the waveform.
    button, wave = (
        page.locator(".play-window").bounding_box(),
        plot(page, "waveform").bounding_box(),
    )
    assert button
    assert wave
    assert button["x"] + button["width"] <= wave["x"]
    assert wave["y"] < button["y"] < wave["y"] + wave["height"]


def test_waveform_and_strip_have_one_axis_after_a_reload(
    visit: Callable[..., Page], song: Path
) -> None:
    page = visit()
    upload(page, song)
    page.reload()
    expect(page.locator(".strip .at")).to_have_count(4)
    settle(page)
    strip = page.locator(".strip").bounding_box()
    wave = plot(page, "waveform").locator(".area").bounding_box()
    assert strip
    assert wave
    assert wave["x"] == pytest.approx(strip["x"], abs=1)
    assert wave["width"] == pytest.approx(strip["width"], abs=2)


def test_the_tab_is_named_after_the_piece_and_its_link_can_be_copied(
    visit: Callable[..., Page],
) -> None:
    page = visit("lang=en&example=vibe_ace", permissions=["clipboard-read", "clipboard-write"])
    expect(page).to_have_title("Vibe Ace · CCMusic")
    button = page.locator(".copy-link")
    button.click()
    expect(button).to_have_text(translate("en", "share.copied"))
    assert page.evaluate("navigator.clipboard.readText()") == page.url


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
    chooser = page.locator(".st-key-map_genre input")
    chooser.click()
    chooser.press_sequentially(genre_name(genre, "en"))
    expect(page.get_by_role("option")).to_have_count(1)
    chooser.press("Enter")
    page.wait_for_url(f"**map={genre}**")
    settle(page)
    captions = page.locator(".st-key-maps .region-line").all_inner_texts()
    models = page.locator(".models .model").count()
    assert len(captions) == models
    assert all(caption.startswith(genre_name(genre, "en")) for caption in captions)


def test_a_choice_of_the_maps_draws_nothing_else(visit: Callable[..., Page]) -> None:
    received: list[str] = []
    page = visit()
    page.on("websocket", lambda s: s.on("framereceived", lambda _: received.append(s.url)))
    page.reload()
    expect(page.locator(".st-key-maps .region-line").first).to_be_visible(timeout=PATIENCE)
    settle(page)

    def messages(act: Callable[[], None]) -> int:
        received.clear()
        act()
        settle(page)
        return len(received)

    def choose_jazz() -> None:
        chooser = page.locator(".st-key-map_genre input")
        chooser.press_sequentially(genre_name("jazz", "en"))
        chooser.press("Enter")

    kind = page.locator(".st-key-activation_maps label").first
    view = page.locator(".st-key-view button")
    whole = messages(view.nth(1).click) and messages(view.nth(0).click)
    for act in (choose_jazz, kind.click, kind.click):
        before = page.locator(".st-key-maps").inner_text()
        assert messages(act) < whole / 2
        assert page.locator(".st-key-maps").inner_text() != before
    page.wait_for_url("**map=jazz**")


def test_the_weights_of_a_map_lie_between_those_of_its_cells(visit: Callable[..., Page]) -> None:
    page = visit("lang=en&example=vibe_ace")
    drawn = page.evaluate("""() => {
        const { figure } = document.querySelector(".st-key-maps .figure");
        const { size: [width, height], weights, columns } = figure.spec;
        return { width, height, weights, columns,
            each: Array.from({ length: width * height }, (_, i) => figure.weight(i)) };
    }""")
    each = np.reshape(drawn["each"], (drawn["height"], drawn["width"]))
    figure = {"size": each.shape[::-1], **{key: drawn[key] for key in ("weights", "columns")}}
    assert each == pytest.approx(weights(figure), abs=1e-4)


def test_the_whole_piece_fills_in_and_moves_the_window(
    visit: Callable[..., Page], song: Path
) -> None:
    page = visit()
    upload(page, song)
    cells = page.locator(".strip .at")
    expect(cells).to_have_count(4)
    expect(page.locator(".strip .pending")).to_have_count(0)
    cells.last.click()
    expect(page.get_by_text("Analysed: 30.0–40.0 s")).to_be_visible()
    settle(page)
    assert "Analysed: 30.0" in page.inner_text("body")
    # The player goes where the window went, and plays just that.
    page.locator(".play-window").click()
    page.wait_for_function(f"() => {SOUND}.currentTime > 30.2 && !{SOUND}.paused")
    # A click on the waveform moves the window as well.
    wave = plot(page, "waveform").bounding_box()
    assert wave
    page.mouse.click(wave["x"] + wave["width"] / 2, wave["y"] + 30)
    expect(page.get_by_text("Analysed: 15.0–25.0 s")).to_be_visible()
    # Without the mouse too.
    cells.first.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("Analysed: 0.0–10.0 s")).to_be_visible()


def test_back_forward_and_reload_bring_everything_back(visit: Callable[..., Page]) -> None:
    page = visit("lang=en&example=rain")
    page.locator(".st-key-example button", has_text="Vibe Ace").click()
    expect(page.locator("h1.piece")).to_have_text(translate("en", "example.vibe_ace"))
    settle(page)
    page.locator(".st-key-transform button", has_text="Mel").click()
    page.wait_for_url("**transform=mel**")
    settle(page)
    page.go_back()
    expect(plot(page, "spectrogram_cqt")).to_be_visible()
    expect(page.locator("h1.piece")).to_have_text(translate("en", "example.vibe_ace"))
    settle(page)
    assert "transform=cqt" in page.url
    page.go_back()
    expect(page.locator("h1.piece")).to_have_text(translate("en", "example.rain"))
    settle(page)
    assert "example=rain" in page.url
    page.go_forward()
    expect(page.locator("h1.piece")).to_have_text(translate("en", "example.vibe_ace"))
    settle(page)
    page.reload()
    settle(page)
    assert title(page) == translate("en", "example.vibe_ace")
    # As many steps back as there were forward, and one more leaves the page.
    page.go_back()
    expect(page.locator("h1.piece")).to_have_text(translate("en", "example.rain"))
    settle(page)
    page.go_back()
    page.wait_for_url("about:blank")


def test_maps_fade_and_take_a_scale_each(visit: Callable[..., Page]) -> None:
    page = visit("lang=en&example=vibe_ace")
    layer = page.locator(".st-key-maps .overlay").first
    expect(layer).to_have_css("opacity", "1")
    page.locator(".map-opacity").fill("40")
    expect(layer).to_have_css("opacity", "0.4")
    # How much is dimmed of the strongest place of each.
    dimmed = """() => [...document.querySelectorAll(".st-key-maps .figure")].map(({ figure }) => {
        const { width, height } = figure.dimming;
        const { data } = figure.dimming.getContext("2d").getImageData(0, 0, width, height);
        return Math.min(...data.filter((_, i) => i % 4 === 3));
    })"""
    assert max(page.evaluate(dimmed)) < 30
    page.locator(".st-key-one_scale label").first.click()
    least, *others = sorted(page.evaluate(dimmed))
    assert least < 30 < max(others)
    settle(page)
    assert sorted(page.evaluate(dimmed)) == [least, *others]
    expect(layer).to_have_css("opacity", "0.4")


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
    drawn = "[...document.querySelectorAll('svg image')]"
    widths = report.evaluate(f"{drawn}.map((image) => image.getBoundingClientRect().width)")
    assert len(widths) >= 3
    assert max(widths) > 100
    assert all(report.evaluate(f"{drawn}.map((image) => image.href.baseVal.startsWith('data:'))"))
    context.close()


@pytest.mark.parametrize("language", LANGUAGES)
def test_broken_file_is_one_line(
    visit: Callable[..., Page], tmp_path: Path, language: Language
) -> None:
    page = visit(f"lang={language}")
    broken = tmp_path / "noise.mp3"
    broken.write_bytes(np.random.default_rng(0).bytes(5000))
    upload(page, broken)
    assert opinion(page) == translate(language, "error.unknown_format", file="noise.mp3")
    assert title(page) == "noise.mp3"
    assert not page.locator(".models li").count()
    # Nothing of the page stays blank: the choices have its width.
    tiles = page.locator(".st-key-example").bounding_box()
    assert tiles
    assert tiles["width"] > 0.9 * 1440


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_file_too_large_is_refused(
    visit: Callable[..., Page], tmp_path: Path, language: Language
) -> None:
    page = visit(f"lang={language}&example=rain")
    uploader = "document.querySelector('[data-testid=stFileUploader]')"
    refusal = f"getComputedStyle({uploader}, '::after').content"
    words = translate(language, "page.upload_refused", mb=LARGEST_MB)
    assert words not in page.evaluate(refusal)
    path = tmp_path / "large.mp3"
    with path.open("wb") as file:
        file.truncate((LARGEST_MB + 1) * 2**20)
    page.locator("[data-testid=stFileUploaderDropzoneInput]").first.set_input_files(path)
    page.wait_for_function(f"() => {refusal}.includes({json.dumps(words, ensure_ascii=False)})")


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_file_of_another_kind_says_so(
    visit: Callable[..., Page], tmp_path: Path, language: Language
) -> None:
    page = visit(f"lang={language}&example=rain")
    path = tmp_path / "essay.txt"
    path.write_text("No music in here.")
    upload(page, path)
    assert opinion(page) == translate(language, "error.unknown_format", file="essay.txt")


def test_two_at_once_do_not_mix(visit: Callable[..., Page], song: Path) -> None:
    one, other = visit("lang=zh&example=rain"), visit("lang=en&example=celtica")
    upload(other, song)
    one.reload()
    settle(one)
    assert title(one) == translate("zh", "example.rain")
    assert title(other) == song.name


def test_the_button_plays_what_is_judged(visit: Callable[..., Page]) -> None:
    page = visit("lang=en&example=total_breakdown")
    button = page.locator(".play-window")
    assert button.inner_text() == translate("en", "player.play")
    button.click()
    expect(button).to_have_text(translate("en", "player.pause"))
    page.wait_for_function(f"() => !{SOUND}.paused && {SOUND}.currentTime > 64.6")
    for key in ("spectrogram_cqt", "waveform"):
        line = plot(page, key).locator(".playhead")
        expect(line).to_be_visible()
        place = f"parseFloat(document.querySelector('[data-key={key}] .playhead').style.left)"
        before = page.evaluate(place)
        page.wait_for_function(f"() => {place} > {before}")
    # It comes to the end of the window and begins again; unless asked not to.
    page.evaluate(f"{SOUND}.playbackRate = 16")
    page.wait_for_function(f"() => {SOUND}.currentTime > 73")
    page.wait_for_function(f"() => {SOUND}.currentTime < 67 && {SOUND}.currentTime >= 64")
    page.locator(".play .loop").uncheck()
    page.wait_for_function(f"() => {SOUND}.paused")
    expect(button).to_have_text(translate("en", "player.play"))


def test_a_region_is_played_alone(visit: Callable[..., Page]) -> None:
    page = visit("lang=en&example=vibe_ace&networks=1")
    box = plot(page, "spectrogram_cqt").locator(".area").bounding_box()
    assert box
    x, y = box["x"], box["y"]
    page.mouse.move(x + box["width"] / 4, y + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(x + box["width"] / 2, y + box["height"] * 0.7, steps=4)
    page.mouse.up()
    page.wait_for_function(f"() => !{SOUND}.paused")
    expect(plot(page, "spectrogram_cqt").locator(".region")).to_be_visible()
    heard = page.evaluate(HEARD)
    # 84 semitones over C1 across, 10 s from 1.0 on downwards.
    assert heard["start"] == pytest.approx(6, abs=0.2)
    assert heard["end"] == pytest.approx(8, abs=0.2)
    assert heard["low"] == pytest.approx(32.7 * 2 ** (21 / 12), rel=0.07)
    assert heard["high"] == pytest.approx(32.7 * 2 ** (42 / 12), rel=0.07)
    assert heard["filters"] == pytest.approx([heard["low"]] * 2 + [heard["high"]] * 2, rel=1e-3)
    page.keyboard.press("Escape")
    page.wait_for_function(f"() => {SOUND}.paused")
    # The region that a model looked at, by the keyboard; then the window again, unfiltered.
    page.locator(".play-region").first.focus()
    page.keyboard.press("Enter")
    page.wait_for_function(f"() => !{SOUND}.paused")
    button = page.locator(".play-region").first
    heard = page.evaluate(HEARD)
    assert heard["low"] == pytest.approx(float(button.get_attribute("data-low") or 0))
    assert heard["start"] == pytest.approx(float(button.get_attribute("data-start") or 0))
    page.keyboard.press("Escape")
    page.locator(".play-window").click()
    filters = page.evaluate(HEARD)["filters"]
    assert max(filters[:2]) <= 20
    assert min(filters[2:]) > 20_000


def test_an_mp3_is_served_as_one(visit: Callable[..., Page], song: Path) -> None:
    page = visit()
    upload(page, song)
    source = page.evaluate(f"{SOUND}.src")
    kind, _, parameter = page.request.head(source).headers["content-type"].partition("; ")
    assert kind == "audio/mpeg"
    assert parameter == f"sha256={hashlib.sha256(song.read_bytes()).hexdigest()}"
    page.wait_for_function(f"() => {SOUND}.readyState > 0")
    assert page.evaluate(f"{SOUND}.duration") == pytest.approx(40, abs=0.2)


def test_microphone_is_judged(visit: Callable[..., Page]) -> None:
    page = visit(permissions=["microphone"])
    page.get_by_role("button", name=translate("en", "page.microphone")).first.click()
    button = page.locator("[data-testid=stAudioInputActionButton]").first
    button.click()
    expect(page.locator("[data-testid=stAudioInputWaveformTimeCode]")).to_have_text("00:03")
    button.click()
    expect(page.locator("h1.piece")).to_have_text(translate("en", "page.recording"))
    settle(page)
    assert opinion(page)
    assert translate("en", "page.looped").replace(" 10 s", "") in page.inner_text("body")


def test_a_model_can_be_switched_off(visit: Callable[..., Page]) -> None:
    page = visit()
    lines = page.locator(".models .model")
    models = len(find("cqt"))
    expect(lines).to_have_count(models)
    page.get_by_text(translate("en", "page.models"), exact=True).click()
    page.locator("[class*=st-key-models_] button").first.click()
    expect(lines).to_have_count(models - 1)
    settle(page)
    page.reload()
    expect(lines).to_have_count(models - 1)


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
    missing = {
        "language",
        "view",
        "transform",
        "as_networks",
        "example",
        "folded",
        "map_genre",
    }
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
    page.get_by_text(translate("zh", "page.details")).click()
    names = page.locator("table.all thead .genre")
    expect(names).to_have_count(len(GENRES))
    assert set(names.all_inner_texts()) == {genre_name(genre, "zh") for genre in GENRES}


def test_sureness_explains_itself_and_is_no_stop_of_its_own(visit: Callable[..., Page]) -> None:
    page = visit("lang=en&example=vibe_ace")
    word = page.locator(".sureness.tip").first
    bubble = word.locator(".bubble")
    assert word.evaluate("word => word.tabIndex") == -1
    assert re.search(r"\d+%", bubble.text_content() or "")  # in words for who does not see it
    expect(bubble).to_have_css("width", "1px")
    word.hover()
    expect(bubble).not_to_have_css("width", "1px")
    page.mouse.move(0, 0)
    expect(bubble).to_have_css("width", "1px")


STATES = {
    "two pieces": "other=rain",
    "vote": "view=verdicts&vote=1",
    "hands": "view=verdicts&vote=many",
    "what if": "without=64-127Hz&pitch=2",
    "step by step": "view=way",
    "guide": "view=guide",
}


@pytest.mark.parametrize("shown", STATES.values(), ids=STATES)
@pytest.mark.parametrize(("language", "scheme"), [("zh", "light"), ("en", "dark")])
def test_axe_finds_nothing_serious(
    visit: Callable[..., Page],
    serious: Callable[[Page], list[tuple[str, str]]],
    language: Language,
    scheme: str,
    shown: str,
) -> None:
    for colours in (scheme, {"light": "dark", "dark": "light"}[scheme]):
        page = visit(f"lang={language}&example=vibe_ace&{shown}", color_scheme=colours)
        for closed in page.locator("[data-testid=stExpander] summary").all():
            closed.click()
        settle(page)
        assert serious(page) == []
