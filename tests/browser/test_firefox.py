"""The page in Firefox, driven by WebDriver BiDi, which the browser speaks itself."""

from __future__ import annotations

import itertools
import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("websockets")
pytest.importorskip("streamlit")

from websockets.sync.client import ClientConnection, connect

from ccmusic import analyze
from ccmusic.dashboard.examples import find_examples
from ccmusic.texts import LANGUAGES, Language, translate
from live_page import PATIENCE

FIREFOX = shutil.which("firefox") or shutil.which("firefox-esr")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(FIREFOX is None, reason="no Firefox (Debian: apt install firefox-esr)"),
]
SIZES = ((1440, 900), (1280, 720), (390, 844))
SETTLED = """
    document.querySelector("[data-testid=stApp]")?.dataset.testScriptState === "notRunning"
    && document.querySelector(".answer .mean") !== null
    && document.querySelector("[data-testid=stSkeleton]") === null
"""


class Tab:
    """A tab of Firefox."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._numbers = itertools.count()
        self.errors: list[str] = []
        """What failed in the scripts of the page."""
        self._ask("session.new", capabilities={})
        self._ask("session.subscribe", events=["log.entryAdded"])
        self._tab = self._ask("browsingContext.getTree")["contexts"][0]["context"]

    def _ask(self, method: str, **parameters: object) -> Any:
        number = next(self._numbers)
        self._connection.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            told = json.loads(self._connection.recv(PATIENCE / 1000))
            if told.get("method") == "log.entryAdded" and told["params"]["type"] == "javascript":
                self.errors.append(told["params"]["text"])
            if told.get("id") == number:
                assert told["type"] == "success", told
                return told["result"]

    def open(self, address: str, size: tuple[int, int]) -> None:
        width, height = size
        viewport = {"width": width, "height": height}
        self._ask("browsingContext.setViewport", context=self._tab, viewport=viewport)
        self._ask("browsingContext.navigate", context=self._tab, url=address, wait="complete")

    def value(self, expression: str) -> Any:
        """Value of an expression, which JSON can hold; nothing is None."""
        told = self._ask(
            "script.evaluate",
            expression=f"JSON.stringify(({expression}) ?? null)",
            target={"context": self._tab},
            awaitPromise=False,
        )
        assert told["type"] == "success", told
        return json.loads(told["result"]["value"])

    def wait(self, expression: str) -> None:
        """Wait until an expression is true."""
        end = time.monotonic() + PATIENCE / 1000
        while not self.value(f"Boolean({expression})"):
            assert time.monotonic() < end, f"never came true: {expression}"
            time.sleep(0.1)


@contextmanager
def firefox(profile: Path) -> Iterator[Tab]:
    """Firefox without a window."""
    assert FIREFOX
    command = [FIREFOX, "--headless", "--remote-debugging-port", "0", "--profile", str(profile)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr
    try:
        lines = (re.search(r"BiDi listening on (ws://\S+)", line) for line in process.stderr)
        found = next(filter(None, lines))
        with connect(f"{found[1]}/session", max_size=None) as connection:
            yield Tab(connection)
    finally:
        process.terminate()
        process.communicate()


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    with firefox(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_first_screen_holds_the_verdict(
    tab: Tab, address: str, language: Language, size: tuple[int, int]
) -> None:
    tab.open(f"{address}/?lang={language}&example=rain", size)
    tab.wait(SETTLED)
    expected = analyze(find_examples()["rain"])
    assert expected.agreement is not None
    said = tab.value('document.querySelector(".opinion").innerText')
    assert said.lower() == expected.agreement.message(language).lower()
    bottoms = tab.value(
        '[...document.querySelectorAll("h1.piece, .opinion, .models .model")]'
        ".map((each) => each.getBoundingClientRect().bottom)"
    )
    assert len(bottoms) >= 2 + len(expected.verdicts)
    assert max(bottoms) <= size[1]
    assert not tab.errors


def test_another_example_is_judged(tab: Tab, address: str) -> None:
    tab.open(f"{address}/?lang=en&example=rain", SIZES[0])
    tab.wait(SETTLED)
    title = translate("en", "example.celtica")
    pills = '[...document.querySelectorAll(".st-key-example button")]'
    tab.value(
        f"{pills}.find((pill) => pill.innerText.trim().startsWith({json.dumps(title)})).click()"
    )
    shown = f'document.querySelector("h1.piece")?.innerText.trim() === {json.dumps(title)}'
    tab.wait(f"{shown} && {SETTLED}")
    tab.wait('document.querySelector("[data-key=spectrogram_cqt] > canvas")')
    assert not tab.errors
