"""An example chosen, verdicts on the screen of a warm server: ``python benchmarks/dashboard.py``.

Needs Playwright and a Chromium. Every example is chosen once by a click, nothing of it computed
before; the clock stands in the browser.
"""

import sys
from pathlib import Path
from statistics import median

from timing import keep

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from ccmusic.dashboard.examples import find_examples
from ccmusic.texts import translate
from live_page import browser, dashboard, settle

WATCH = """async ([title]) => {
    const pills = [...document.querySelectorAll(".st-key-example button")];
    const frame = () => new Promise(requestAnimationFrame);
    const times = {};
    const start = performance.now();
    pills.find((pill) => pill.innerText.trim() === title).click();
    while (times.all === undefined && performance.now() - start < 60000) {
        await frame();
        if (document.querySelector("h1.piece")?.innerText.trim() !== title) continue;
        const decided = document.querySelectorAll(".models .model .share").length;
        if (times.first === undefined && decided) times.first = performance.now() - start;
        if (document.querySelector(".answer .mean")) times.all = performance.now() - start;
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
            times.append(page.evaluate(WATCH, [translate("en", f"example.{stem}")]))
            settle(page)
            print(f"{stem}: {times[-1]['first']:.0f} ms, {times[-1]['all']:.0f} ms", flush=True)
    keep(
        "dashboard",
        {
            f"{what}_ms": {
                "median": median(t[key] for t in times),
                "worst": max(t[key] for t in times),
            }
            for what, key in (("first_verdict", "first"), ("all_verdicts", "all"))
        },
    )


if __name__ == "__main__":
    main()
