"""One server for all, a browser for each module, and visits to the page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a dashboard; it leaves no uploaded file behind."""
    from live_page import dashboard

    home, uploads = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("temporary")
    with dashboard(CCMUSIC_HOME=str(home), TMPDIR=str(uploads)) as served:
        yield served
    assert not list(uploads.rglob("*.mp3"))


@pytest.fixture(scope="module")  # while it runs, no other test of this thread can use asyncio
def chrome() -> Iterator[Browser]:
    from live_page import browser, chromium

    if chromium() is None:
        pytest.skip("no Chromium (Debian: apt install chromium)")
    with browser() as opened:
        yield opened


@pytest.fixture
def visit(chrome: Browser, address: str) -> Iterator[Callable[..., Page]]:
    """Open the page as somebody new, with options of a browser context.

    What fails in its scripts or its policy fails the test.
    """
    from live_page import PATIENCE, settle

    opened: list[Page] = []
    failures: list[str] = []

    def open_page(link: str = "lang=en&example=rain", **options: object) -> Page:
        defaults = {"viewport": {"width": 1440, "height": 900}}
        page = chrome.new_context(**{**defaults, **options}).new_page()  # type: ignore[arg-type]
        page.set_default_timeout(PATIENCE)
        page.on("pageerror", lambda error: failures.append(str(error)))
        page.on("console", lambda said: failures.extend(_violations(said.text)))
        page.goto(f"{address}/?{link}")
        if "view=" not in link:
            page.locator(".answer .mean").first.wait_for()
        settle(page)
        opened.append(page)
        return page

    yield open_page
    for page in opened:
        assert not page.locator("[data-testid=stException]").count()
        page.context.close()
    assert not failures


@pytest.fixture
def serious() -> Callable[[Page], list[tuple[str, str]]]:
    """What axe finds on a page that keeps somebody from using it: rule and element of each."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()

    def find(page: Page) -> list[tuple[str, str]]:
        found = axe.run(page).response["violations"]
        worst = [v for v in found if v["impact"] in ("serious", "critical")]
        return [(v["id"], v["nodes"][0]["html"][:200]) for v in worst]

    return find


def _violations(said: str) -> list[str]:
    """What a browser writes when the content security policy stops something."""
    return [said] if "Content Security Policy" in said or "Content-Security-Policy" in said else []
