"""Scripts leave compressed, once; downloads when they are clicked; all else leaves as it is."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import MutableMapping
from typing import Any

import pytest

pytest.importorskip("streamlit")

from ccmusic.dashboard.compression import Compressed

SCRIPT = b"const five = 'critics';\n" * 1000
asked: list[str] = []


async def served(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
    asked.append(scope["path"])
    status = 404 if "missing" in scope["path"] else 200
    headers = [(b"content-type", b"text/javascript"), (b"content-length", b"24000")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": SCRIPT[:1000], "more_body": True})
    await send({"type": "http.response.body", "body": SCRIPT[1000:]})


def get(app: Compressed, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request"}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    given = [(k.replace("_", "-").encode(), v.encode()) for k, v in headers.items()]
    scope = {"type": "http", "method": "GET", "path": path, "headers": given}
    asyncio.run(app(scope, receive, send))
    start, *bodies = sent
    start["headers"].append((b"set-cookie", b"of this visitor alone"))
    assert [name for name, _ in start["headers"]].count(b"set-cookie") == 1
    told = {k.decode(): v.decode() for k, v in start["headers"]}
    return start["status"], told, b"".join(m.get("body", b"") for m in bodies)


def test_a_script_is_compressed_once() -> None:
    app = Compressed(served)
    asked.clear()
    for _ in range(3):
        status, headers, body = get(app, "/static/js/page.js", accept_encoding="gzip, br")
        assert status == 200
        assert headers["content-encoding"] == "gzip"
        assert headers["content-length"] == str(len(body))
        assert headers["content-type"] == "text/javascript"
        assert headers["vary"] == "Accept-Encoding"
        assert len(body) < len(SCRIPT) / 10
        assert gzip.decompress(body) == SCRIPT
    assert asked == ["/static/js/page.js"]


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/static/js/page.js", {}),
        ("/static/js/page.js", {"accept_encoding": "br"}),
        ("/static/js/page.js", {"accept_encoding": "gzip", "range": "bytes=0-9"}),
        ("/static/media/font.woff2", {"accept_encoding": "gzip"}),
        ("/media/song.js", {"accept_encoding": "gzip"}),
        ("/static/js/missing.js", {"accept_encoding": "gzip"}),
        ("/media/report.html", {"sec_fetch_mode": "navigate", "sec_fetch_dest": "document"}),
        ("/media/report.html", {"sec_fetch_mode": "no-cors", "sec_fetch_dest": "empty"}),
        ("/media/song.ogg", {"sec_fetch_mode": "no-cors", "sec_fetch_dest": "audio"}),
        ("/media/song.ogg", {"sec_fetch_mode": "cors", "sec_fetch_dest": "audio"}),
    ],
)
def test_everything_else_leaves_as_it_is(path: str, headers: dict[str, str]) -> None:
    app = Compressed(served)
    for _ in range(2):
        status, told, body = get(app, path, **headers)
        assert status == (404 if "missing" in path else 200)
        assert "content-encoding" not in told
        assert body == SCRIPT


@pytest.mark.parametrize(("path", "status"), [("/media/report.html", 200), ("/media/missing", 404)])
def test_who_only_asks_whether_a_download_is_there_gets_no_content(path: str, status: int) -> None:
    given = {"sec_fetch_mode": "cors", "sec_fetch_dest": "empty"}
    told, headers, body = get(Compressed(served), path, **given)
    assert (told, body) == (status, b"")
    assert headers["content-length"] == "0"
    assert headers["cache-control"] == "no-store"  # or the click would save nothing
