"""The dashboard and its server."""

from __future__ import annotations

from pathlib import Path

import plotly  # noqa: F401  (fail now if the extra is missing, not when the first page is drawn)
from streamlit.web import bootstrap

from ccmusic.sockets import bind

_OPTIONS = {
    "server_maxUploadSize": 200,
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
        "'Source Sans', 'PingFang SC', 'Microsoft YaHei', 'Noto Sans CJK SC', 'Noto Sans SC', "
        "sans-serif"
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

    Raises
    ------
    CCMusicError
        If the address cannot be listened on.
    """
    bind(host, port).close()
    print(f"CCMusic is at http://{host}:{port} (Ctrl-C ends it)", flush=True)
    options = {**_OPTIONS, "server_address": host, "server_port": port}
    bootstrap.load_config_options(options)
    bootstrap.run(str(Path(__file__).with_name("app.py")), False, [], options)
