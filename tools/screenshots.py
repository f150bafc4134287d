"""Write docs/pictures/dashboard-{zh,en}.png and page-{zh,en}.png: first screen, whole page.

Needs Playwright and a Chromium: the one whose path stands in the environment variable ``CHROMIUM``,
or the system's.

    python tools/screenshots.py [EXAMPLE]
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "tests"))

from playwright.sync_api import Browser  # noqa: E402

from live_page import browser, dashboard, settle, show_all  # noqa: E402
from tables import check_size  # noqa: E402

PICTURES = ROOT / "docs" / "pictures"
WIDTH, HEIGHT = 1440, 900
LIMIT = 400_000  # bytes; pictures stay in the repository's history for ever


def main(example: str = "total_breakdown") -> None:
    """Start a dashboard of our own, photograph it in both languages, end it."""
    PICTURES.mkdir(exist_ok=True)
    with dashboard() as address, browser() as opened:
        for language in ("zh", "en"):
            first, whole = photograph(opened, f"{address}/?lang={language}&example={example}")
            save(first, PICTURES / f"dashboard-{language}.png")
            save(whole, PICTURES / f"page-{language}.png")


def photograph(opened: Browser, url: str) -> tuple[bytes, bytes]:
    """PNGs of the first screen and of the whole page once all is said."""
    page = opened.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
    page.goto(url)
    page.locator(".answer .mean").wait_for(timeout=60_000)
    settle(page)
    first = page.screenshot()
    show_all(page, WIDTH)
    whole = page.screenshot()
    page.close()
    return first, whole


def save(png: bytes, path: Path) -> None:
    """Write as small as it goes: 256 colours, the rare ones among them, are enough."""
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    picture.quantize(256, method=Image.Quantize.MAXCOVERAGE).save(path, optimize=True)
    check_size(path, LIMIT)


if __name__ == "__main__":
    main(*sys.argv[1:])
