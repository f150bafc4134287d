"""The dashboard and its server."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Any

import click
import streamlit as st
from starlette.middleware import Middleware
from streamlit import cli_util, net_util
from streamlit.web import bootstrap, cli

from ccmusic.dashboard.compression import Compressed
from ccmusic.dashboard.gate import HEADER, Gate, frame_ancestors, pass_over_bad_values
from ccmusic.errors import CCMusicError
from ccmusic.sockets import address, bind
from ccmusic.texts import localized

# Unless a variable of Streamlit says otherwise, such as STREAMLIT_SERVER_MAX_UPLOAD_SIZE.
_OPTIONS = {
    "server_maxUploadSize": 1024,
    "server_fileWatcherType": "none",
    "server_showEmailPrompt": False,
    "browser_gatherUsageStats": False,
    "client_toolbarMode": "minimal",
    "client_showErrorDetails": "none",
    "logger_hideWelcomeMessage": True,
    "logger_level": "warning",
    # No base: light or dark follows the browser. With the page in Chinese but the document marked
    # as English, the fonts' names keep browsers from Japanese glyphs.
    "theme_font": (
        "Sharp, 'Source Sans', 'PingFang SC', 'Microsoft YaHei', 'Noto Sans CJK SC', "
        "'Noto Sans SC', sans-serif"
    ),
    "theme_light_primaryColor": "#005E93",
    "theme_light_backgroundColor": "#FBFAF7",
    "theme_light_secondaryBackgroundColor": "#F0EEE8",
    "theme_light_textColor": "#22252B",
    "theme_light_borderColor": "#DEDBD2",
    "theme_dark_primaryColor": "#56B4E9",
    "theme_dark_backgroundColor": "#14161B",
    "theme_dark_secondaryBackgroundColor": "#1E2128",
    "theme_dark_textColor": "#E8E6E1",
    "theme_dark_borderColor": "#343842",
}


def launch(*, host: str, port: int) -> None:
    """Serve the dashboard until interrupted; opens the browser where there is one.

    ``CCMUSIC_FRAME_ANCESTORS`` names the sites that may show it in a frame.

    Raises
    ------
    CCMusicError
        If the address cannot be listened on, or a variable of Streamlit or ours is not valid.
    """
    bind(host, port).close()
    ask_nobody_for_our_address()
    pass_over_bad_values()
    ancestors = frame_ancestors(os.environ.get("CCMUSIC_FRAME_ANCESTORS", ""))
    options = {**_OPTIONS, **_from_environment(), "server_address": host, "server_port": port}
    options["server_trustedUserHeaders"] = {HEADER: "visitor"}
    if ancestors != "'none'":
        options.setdefault("server_xsrfCookieSameSite", "none")
    bootstrap.load_config_options(options)
    scheme = "https" if st.get_option("server.sslCertFile") else "http"
    path = st.get_option("server.baseUrlPath")
    url = address(host, port, scheme, path)
    print(localized(f"CCMusic is at {url} (Ctrl-C ends it)"), flush=True)
    Thread(target=_warm_up, daemon=True).start()
    if not st.get_option("server.headless"):
        here = st.get_option("browser.serverAddress") if host in ("0.0.0.0", "::") else host
        url = address(here, port, scheme, path)
        Thread(target=_open_browser, args=(host, port, url), daemon=True).start()
    script = str(Path(__file__).with_name("app.py"))
    sys.argv = [script]  # Streamlit looks for settings and modules beside what was called
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # once the server has ended
    app = st.App(script, middleware=[Middleware(Gate, ancestors), Middleware(Compressed)])
    with suppress(KeyboardInterrupt):
        app.run(config={name.replace("_", "."): value for name, value in options.items()})


def _open_browser(host: str, port: int, url: str) -> None:
    """Open it when the server listens."""
    while True:
        try:
            socket.create_connection((host, port)).close()
            break
        except OSError:
            time.sleep(0.1)
    cli_util.open_browser(url)


def _warm_up() -> None:
    """Start a decoder and load the models before the first visitor comes."""
    from ccmusic.dashboard.compute import warm_up

    with suppress(CCMusicError):  # said where it is needed
        warm_up()


def ask_nobody_for_our_address() -> None:
    """Keep Streamlit from asking a server outside what this machine's address is.

    It asks when a page of another origin opens a connection, and has no option against it. What it
    remembers as the answer here is no host name, so that nobody is let in by it.
    """
    net_util._external_ip = "not asked for"


def _from_environment() -> dict[str, Any]:
    """Streamlit's options in the environment, which its command line reads, and not its server."""
    try:
        context = cli.main_run.make_context("ccmusic dashboard", ["app.py"])
    except click.ClickException as error:
        raise CCMusicError(error.format_message()) from None
    given = {name: value for name, value in context.params.items() if value not in (None, ())}
    return {name: value for name, value in given.items() if name not in ("target", "args")}
