from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import pytest


@pytest.fixture(scope="session", autouse=True)
def _packages_are_searched_once() -> Iterator[None]:
    """Streamlit's test runs look through all installed packages for components, each time anew."""
    try:
        from streamlit.components.v2 import manifest_scanner
    except ImportError:  # nothing runs a page then
        yield
        return
    with pytest.MonkeyPatch.context() as patch:
        scan = cache(manifest_scanner.scan_component_manifests)
        patch.setattr(manifest_scanner, "scan_component_manifests", scan)
        yield


@pytest.fixture
def measured() -> None:
    """Let the page measure what counts; in other tests it does not, for that takes seconds."""


@pytest.fixture(autouse=True)
def _measure_if_asked(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "measured" not in request.fixturenames:
        pytest.importorskip("streamlit")
        monkeypatch.setattr("ccmusic.dashboard.importance.importance", lambda *_: False)
