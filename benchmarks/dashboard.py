"""An example chosen, verdicts on the screen of a warm server: ``python benchmarks/dashboard.py``.

Needs Playwright and a Chromium. Every example is chosen once by a click, nothing of it computed
before; then its picture is turned, for which no model is asked. The clock stands in the browser.
"""

import sys
from pathlib import Path
from statistics import median

from timing import keep

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from ccmusic.dashboard.examples import find_examples
from ccmusic.texts import translate
from live_page import browser, dashboard, settle

# Milliseconds from a click until each of several things is there, by name.
SPENT = """async ([button, title]) => {
    const figure = () => document.querySelector("[data-key=spectrogram_cqt]")?.figure;
    const here = () => document.querySelector("h1.piece")?.innerText.trim() === title;
    const before = figure()?.along;
    const awaited = button.matches("input") ? { turned: () => figure()?.along !== before } : {
        first: () => here() && document.querySelector(".models .model .share"),
        all: () => here() && document.querySelector(".answer .mean"),
        picture: () => figure()?.spec.file.startsWith(title),
    };
    const start = performance.now(), times = {};
    button.click();
    while (Object.keys(times).length < Object.keys(awaited).length) {
        await new Promise(requestAnimationFrame);
        for (const [name, there] of Object.entries(awaited))
            if (!(name in times) && there()) times[name] = performance.now() - start;
        if (performance.now() - start > 60000) throw new Error(JSON.stringify(times));
    }
    return times;
}"""


def main() -> None:
    with dashboard() as address, browser() as opened:
        page = opened.new_page(viewport={"width": 1300, "height": 1000})
        first, *others = find_examples()
        page.goto(f"{address}/?lang=en&example={first}")
        page.locator(".answer .mean").wait_for(timeout=60_000)
        settle(page)
        times = []
        for stem in others:
            title = translate("en", f"example.{stem}")
            tile = page.locator(".st-key-example button", has_text=title).element_handle()
            found = page.evaluate(SPENT, [tile, title])
            settle(page)
            turn = page.locator(".st-key-as_networks input").element_handle()
            found |= page.evaluate(SPENT, [turn, title])
            settle(page)
            times.append(found)
            print(stem, {name: round(spent) for name, spent in found.items()}, flush=True)
    names = {
        "first": "first_verdict",
        "all": "all_verdicts",
        "picture": "picture",
        "turned": "turned",
    }
    keep(
        "dashboard",
        {
            f"{said}_ms": {
                "median": median(t[name] for t in times),
                "worst": max(t[name] for t in times),
            }
            for name, said in names.items()
        },
    )


if __name__ == "__main__":
    main()
