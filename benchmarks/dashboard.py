"""An example chosen, verdicts on the screen of a warm server: ``python benchmarks/dashboard.py``.

Needs Playwright and a Chromium. Every example is chosen once by a click, nothing of it computed
before; then choices are touched for which no model is asked. The clock stands in the browser.
"""

import sys
from pathlib import Path
from statistics import median

from playwright.sync_api import Locator

from timing import keep

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from ccmusic.dashboard.examples import find_examples
from ccmusic.texts import translate
from live_page import browser, dashboard, settle

# Milliseconds from a click until each of several things is there, by name.
SPENT = """async ([button, title, touched]) => {
    const first = (selector) => document.querySelector(selector);
    const picture = () => first("[data-key=spectrogram_cqt]")?.figure;
    const map = () => first("[data-key^=map_]")?.figure;
    const here = () => first("h1.piece")?.innerText.trim() === title;
    const awaited = {
        first: () => here() && first(".models .model .share"),
        all: () => here() && first(".answer .mean"),
        picture: () => picture()?.spec.file.startsWith(title),
    };
    // Of the others: that it is there, and another one than before.
    const replaced = {
        turned: () => picture()?.along, maps: map, genre: map,
        language: () => first(".answer")?.innerText,
    };
    for (const [name, now] of Object.entries(replaced)) {
        const before = now();
        awaited[name] = () => (now() ?? before) !== before;
    }
    const start = performance.now(), times = {};
    button.click();
    while (Object.keys(times).length < touched.length) {
        await new Promise(requestAnimationFrame);
        for (const name of touched)
            if (!(name in times) && awaited[name]()) times[name] = performance.now() - start;
        if (performance.now() - start > 60000) throw new Error(JSON.stringify(times));
    }
    return times;
}"""
CHOSEN = ("first", "all", "picture")


def main() -> None:
    times: list[dict[str, float]] = []
    with dashboard() as address, browser() as opened:
        page = opened.new_page(viewport={"width": 1300, "height": 1000})
        begin, *others = find_examples()
        page.goto(f"{address}/?lang=en&example={begin}")
        page.locator(".answer .mean").wait_for(timeout=60_000)
        settle(page)
        for stem in others:
            title = translate("en", f"example.{stem}")
            times.append({})

            def touch(button: Locator, *awaited: str, title: str = title) -> None:
                place = button.element_handle()
                times[-1].update(page.evaluate(SPENT, [place, title, awaited]))
                settle(page)

            touch(page.locator(".st-key-example button", has_text=title), *CHOSEN)
            touch(page.locator(".st-key-as_networks input"), "turned")
            kind = page.locator(".st-key-activation_maps input")
            touch(kind, "maps")
            touch(kind, "maps")  # what counts was measured before: nor is a model asked for this
            chooser = page.locator(".st-key-map_genre input")
            chooser.scroll_into_view_if_needed()  # its list closes when the page scrolls
            settle(page)
            chooser.click()
            touch(page.get_by_role("option").nth(3), "genre")
            touch(page.locator(".st-key-language button", has_text="中文"), "language")
            page.locator(".st-key-language button", has_text="English").click()
            settle(page)
            print(stem, {name: round(spent) for name, spent in times[-1].items()}, flush=True)
    keep(
        "dashboard",
        {
            name: {
                "median": median(found[name] for found in times),
                "worst": max(found[name] for found in times),
            }
            for name in times[0]
        },
    )


if __name__ == "__main__":
    main()
