"""Write docs/pictures/judge-without.webp: a region is dragged, left out, and the panel asked again.

Frames are taken one by one, and the bars' animation is stepped by hand: the picture does not depend
on how fast the machine is. Needs what ``tools/screenshots.py`` needs.

    python tools/moving_picture.py [EXAMPLE]
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "tests"))

from playwright.sync_api import Page  # noqa: E402

from ccmusic.texts import translate  # noqa: E402
from live_page import browser, dashboard, plot, settle  # noqa: E402
from tables import check_size  # noqa: E402

PICTURE = ROOT / "docs" / "pictures" / "judge-without.webp"
WIDTH, HEIGHT = 1280, 720
SHOWN = 960, 540
LIMIT = 1_000_000  # bytes; pictures stay in the repository's history for ever
# The region, as shares of the spectrogram's width and height.
FROM, TO = (0.02, 0.55), (0.98, 0.97)
STEPS, STEP = 8, 90  # frames of a movement, and milliseconds of each
# A screenshot has no mouse pointer, and the animation waits to be stepped.
EXTRAS = """
#pointer {
  position: fixed; z-index: 9999; width: 18px; height: 18px; margin: -9px; border-radius: 50%;
  background: rgb(255 255 255 / 0.85); border: 3px solid #000; pointer-events: none; }
.what-if .bar i { animation-play-state: paused !important; animation-fill-mode: both !important; }
"""
MOVE = "([x, y]) => Object.assign(pointer.style, { left: `${x}px`, top: `${y}px` })"
STEP_BARS = """share => document.getAnimations().filter((a) => a.animationName === "what-if")
  .forEach((a) => { a.currentTime = share * a.effect.getComputedTiming().duration; })"""


def main(example: str = "vibe_ace") -> None:
    """Start a dashboard of our own, take the frames, end it."""
    frames: list[tuple[Image.Image, int]] = []
    with dashboard() as address, browser() as opened:
        page = opened.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
        page.goto(f"{address}/?lang=en&example={example}")
        page.locator(".answer .mean").first.wait_for(timeout=300_000)
        settle(page)
        page.add_style_tag(content=EXTRAS)
        page.evaluate("document.body.insertAdjacentHTML('beforeend', '<div id=pointer></div>')")
        take(page, frames, 1200)
        at = drag(page, frames)
        button = page.get_by_role("button", name=translate("en", "what_if.remove"), exact=True)
        box = button.bounding_box()
        assert box
        glide(page, frames, at, (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2))
        take(page, frames, 600)
        button.click()
        page.locator(".what-if").wait_for(timeout=300_000)
        settle(page)
        for step in range(STEPS + 1):
            page.evaluate(STEP_BARS, step / STEPS)
            take(page, frames, STEP)
        take(page, frames, 3000)
    save(frames)


def drag(page: Page, frames: list[tuple[Image.Image, int]]) -> tuple[float, float]:
    """Drag the region and let go of it; where the pointer is then."""
    box = plot(page, "spectrogram_cqt").locator(".area").bounding_box()
    assert box
    begin, end = (
        (box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in (FROM, TO)
    )
    page.mouse.move(*begin)
    page.mouse.down()
    glide(page, frames, begin, end)
    page.mouse.up()
    page.locator(".region-actions").wait_for()
    take(page, frames, 900)
    return end


def glide(
    page: Page,
    frames: list[tuple[Image.Image, int]],
    begin: tuple[float, float],
    end: tuple[float, float],
) -> None:
    """Move the mouse, and the pointer with it."""
    for step in range(1, STEPS + 1):
        x, y = (a + (b - a) * step / STEPS for a, b in zip(begin, end, strict=True))
        page.mouse.move(x, y)
        page.evaluate(MOVE, [x, y])
        take(page, frames, STEP)


def take(page: Page, frames: list[tuple[Image.Image, int]], milliseconds: int) -> None:
    """Keep what is seen, for so long."""
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    frames.append((picture.resize(SHOWN, Image.Resampling.LANCZOS), milliseconds))


def save(frames: list[tuple[Image.Image, int]]) -> None:
    """Write all frames as one WebP."""
    pictures = [picture for picture, _ in frames]
    pictures[0].save(
        PICTURE,
        save_all=True,
        append_images=pictures[1:],
        duration=[milliseconds for _, milliseconds in frames],
        loop=0,
        quality=70,
        method=6,
    )
    check_size(PICTURE, LIMIT)


if __name__ == "__main__":
    main(*sys.argv[1:])
