"""Write docs/pictures/dashboard-zh.png and dashboard-en.png from the dashboard as it is.

Needs Playwright (``pip install playwright``) and a Chromium: the one whose path stands in the
environment variable ``CHROMIUM``, ``chromium`` on the path, or Playwright's own.

    python docs/screenshots.py [EXAMPLE]
"""

from __future__ import annotations

import io
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

from PIL import Image

try:
    from playwright.sync_api import Browser, sync_playwright
except ImportError:
    sys.exit("docs/screenshots.py needs Playwright: pip install playwright")

PICTURES = Path(__file__).parent / "pictures"
WIDTH = 1400
LIMIT = 400_000  # bytes; pictures stay in the repository's history for ever


def main(example: str = "vibe_ace") -> None:
    """Start a dashboard of our own, photograph it in both languages, end it."""
    PICTURES.mkdir(exist_ok=True)
    with socket.create_server(("localhost", 0)) as free:
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "ccmusic", "dashboard", "--port", str(port)],
        env={**os.environ, "STREAMLIT_SERVER_HEADLESS": "true"},
    )
    try:
        wait_for(port)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=os.environ.get("CHROMIUM") or shutil.which("chromium"),
                args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
            )
            for language in ("zh", "en"):
                url = f"http://localhost:{port}/?lang={language}&example={example}"
                save(photograph(browser, url), PICTURES / f"dashboard-{language}.png")
    finally:
        server.terminate()
        server.wait()


def wait_for(port: int, seconds: float = 60) -> None:
    """Until the server listens."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            socket.create_connection(("localhost", port)).close()
        except OSError:
            time.sleep(0.2)
        else:
            return
    sys.exit("the dashboard did not start")


def photograph(browser: Browser, url: str) -> bytes:
    """PNG of the whole page once the panel has spoken."""
    page = browser.new_page(viewport={"width": WIDTH, "height": 1000}, color_scheme="light")
    page.goto(url)
    page.locator(".st-key-headline h3").wait_for(timeout=60_000)
    page.wait_for_timeout(3000)  # Plotly draws what has arrived
    # Streamlit scrolls inside the page: it must be as high as what it holds.
    height = page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")
    page.set_viewport_size({"width": WIDTH, "height": height})
    page.wait_for_timeout(1500)
    png = page.screenshot()
    page.close()
    return png


def save(png: bytes, path: Path) -> None:
    """Write as small as it goes without loss."""
    Image.open(io.BytesIO(png)).convert("RGB").save(path, optimize=True)
    size = path.stat().st_size
    if size > LIMIT:
        sys.exit(f"{path}: {size} bytes are too many for the repository")
    print(f"{path}: {size} bytes")


if __name__ == "__main__":
    main(*sys.argv[1:])
