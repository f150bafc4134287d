"""Figures of the page, read back as figure.js reads them."""

from __future__ import annotations

import base64
import json
import re
from html import unescape
from typing import Any

import numpy as np
import numpy.typing as npt
from streamlit.testing.v1 import AppTest

_FIGURE = re.compile(r'<div class="figure" data-key="([^"]*)".*? data-figure="([^"]*)"')


def figures(app: AppTest) -> dict[str, dict[str, Any]]:
    """What is drawn, by key: no two have the same."""
    bodies = [element.proto.body for element in app.get("html")]
    found = [match.groups() for body in bodies for match in _FIGURE.finditer(body)]
    assert len({key for key, _ in found}) == len(found)
    return {key: json.loads(unescape(content)) for key, content in found}


def levels(figure: dict[str, Any]) -> npt.NDArray[np.float64]:
    """Levels in dB, [height, width] from the top left."""
    return float(figure["loudest"]) - _cells(figure, "levels") / 2


def weights(figure: dict[str, Any]) -> npt.NDArray[np.float64]:
    """Weights of a map, [height, width], between the middles of its coarse cells."""
    (width, height), coarse = figure["size"], np.array(figure["weights"])
    rows, columns = coarse.shape
    down = (np.arange(height) + 0.5) / height * rows - 0.5
    along = (np.arange(width) + 0.5) / figure["columns"] * columns - 0.5
    lines = np.array([np.interp(down, range(rows), column) for column in coarse.T])
    return np.array([np.interp(along, range(columns), line) for line in lines.T])


def _cells(figure: dict[str, Any], name: str) -> npt.NDArray[np.float64]:
    width, height = figure["size"]
    codes = np.frombuffer(base64.b64decode(figure[name]), np.uint8)
    return codes.reshape(height, width).astype(float)
