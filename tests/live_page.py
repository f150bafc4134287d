"""A dashboard that really runs, and a browser that really looks at it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

PATIENCE = 60_000  # milliseconds, for machines that do other things as well
expect.set_options(timeout=PATIENCE)


def chromium() -> str | None:
    """Path of a Chromium: that of the environment variable, or the system's."""
    return os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")


@contextmanager
def dashboard(**environment: str) -> Iterator[str]:
    """Serve one on a free port; gives its address."""
    with socket.create_server(("localhost", 0)) as free:
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "ccmusic", "dashboard", "--port", str(port)],
        env={**os.environ, "STREAMLIT_SERVER_HEADLESS": "true", **environment},
    )
    try:
        end = time.monotonic() + PATIENCE / 1000
        while True:
            try:
                socket.create_connection(("localhost", port)).close()
                break
            except OSError:
                if server.poll() is not None or time.monotonic() > end:
                    raise RuntimeError("the dashboard did not start") from None
                time.sleep(0.2)
        yield f"http://localhost:{port}"
    finally:
        server.terminate()
        server.wait()


@contextmanager
def browser() -> Iterator[Browser]:
    """Chromium without a window, with a microphone that beeps."""
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(
            executable_path=chromium(),
            args=[
                "--no-sandbox",
                "--disable-gpu",
                "--disable-background-networking",
                "--autoplay-policy=no-user-gesture-required",
                "--use-fake-device-for-media-stream",
                "--use-fake-ui-for-media-stream",
            ],
        )
        yield opened
        opened.close()


def settle(page: Page) -> None:
    """Wait until the page has drawn all it has to draw, and has rested for a while.

    The script may be done before the browser has fetched the code of a slider or a chart;
    Streamlit holds its place with a skeleton until then.
    """
    page.evaluate("window.idleSince = undefined")
    page.wait_for_function(
        """() => {
            const state = document.querySelector("[data-testid=stApp]")?.dataset.testScriptState;
            const whole = document.querySelector(".st-key-header")
                && !document.querySelector("[data-testid=stSkeleton]");
            const idle = state === "notRunning" && whole;
            window.idleSince = idle ? (window.idleSince ?? performance.now()) : undefined;
            return idle && performance.now() - window.idleSince > 1000;
        }""",
        timeout=PATIENCE,
    )


def plot(page: Page, key: str) -> Locator:
    """Figure of this key."""
    return page.locator(f".figure[data-key={key}]")


def show_all(page: Page, width: int) -> None:
    """Make the window as high as the page, which Streamlit scrolls inside."""
    main = "document.querySelector('[data-testid=stMainBlockContainer]')"
    height = page.evaluate(f"Math.ceil({main}.getBoundingClientRect().height)")
    page.set_viewport_size({"width": width, "height": height})
    page.wait_for_timeout(1500)
