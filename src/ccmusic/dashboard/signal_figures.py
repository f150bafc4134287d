"""Figures of signals: waveforms, spectrograms, attention maps.

A figure is what figure.js draws, as JSON: two axes, each from left to right or from top to bottom,
and what lies between them. Cells are bytes, row by row from the top.
"""

from __future__ import annotations

import base64
import json
import re
from html import escape
from typing import Any

import numpy as np
import numpy.typing as npt
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from ccmusic.attention import Attention
from ccmusic.audio import AudioInfo, Envelope
from ccmusic.axes import RANGE_DB, note_name, orient, pitch_ticks, pitch_title
from ccmusic.dashboard.component import component
from ccmusic.edits import message
from ccmusic.picture import magma
from ccmusic.prepare import Prepared
from ccmusic.spectrogram import TRANSFORM_TITLES, Spectrogram, Transform
from ccmusic.texts import Language, translate

Figure = dict[str, Any]

# Of a map: more would be hidden by the pixels and cost the network.
_MAP_FRAMES, _LARGE_MAP_FRAMES = 110, 330
_MAP_HEIGHT, _MAP_MARGINS = 260, (40, 4, 4, 36)  # left, top, right, bottom
_WAVE_HEIGHT, _WAVE_MARGINS = 84, (0, 0, 0, 22)  # as wide as the strip below it
_BLUE, _GREY = "#0072B2", "#9A9A9A"
_STEPS = 2  # of levels to a dB

_script = component("figure", "figure.js")


def figure_script(language: Language) -> None:
    """Let the browser draw the figures of the page; before any of them."""
    words = ("zoom", "pan", "reset", "fullscreen", "download", "seconds")
    _script(
        key="figure_script",
        data={
            **{word: translate(language, f"figure.{word}") for word in words},
            "weight": translate(language, "attention.weight"),
            "colours": _base64(magma()),
        },
    )


def show_figure(
    figure: Figure,
    language: Language,
    *names: str,
    key: str,
    alt: str,
    slot: DeltaGenerator | None = None,
) -> None:
    """Draw a figure on the page.

    Parameters
    ----------
    names
        After which a picture is saved: the piece and the plot.
    key
        By which style sheet and tests find it.
    alt
        What it shows, for those who do not see it.
    slot
        Where to draw it; by default after what was drawn last.
    """
    role = 'role="figure"'
    if figure.get("seek") or figure.get("window"):  # keyboard.js moves a cursor over it
        role = 'role="application" tabindex="0"'
        help_of = "picture" if figure.get("seek") else "waveform"
        alt = f"{alt}. {translate(language, f'keyboard.{help_of}')}"
    height = f' style="height: {figure["height"]}px"' if figure.get("height") else ""
    # Streamlit drops attributes in which a tag or a comment might end.
    content = json.dumps({**figure, "file": file_name(*names)}, separators=(",", ":"))
    content = content.replace("<", r"\u003c").replace(">", r"\u003e")
    (slot or st).html(
        f'<div class="figure" data-key="{escape(key)}" {role} aria-label="{escape(alt)}"{height} '
        f'data-figure="{escape(content)}"></div>'
    )


def file_name(*names: str) -> str:
    """Name of a file without its ending, as all systems allow it.

    >>> file_name("AC/DC: live.mp3", "CQT")
    'AC_DC_ live.mp3 - CQT'
    """
    return re.sub(r'[\x00-\x1f<>:"/\\|?*]', "_", " - ".join(names))


def waveform_figure(
    envelope: Envelope, language: Language, *, window: AudioInfo | None = None
) -> Figure:
    """Lowest and highest samples over time.

    Parameters
    ----------
    window
        Window to mark.
    """
    loudest = max(0.05, float(np.abs([envelope.lowest, envelope.highest]).max()))
    lowest, highest = (
        _base64(127.5 * (1 - ends / loudest)) for ends in (envelope.lowest, envelope.highest)
    )
    begin, end = float(envelope.edges[0]), float(envelope.edges[-1])
    return {
        "x": {"from": begin, "to": end, "unit": translate(language, "figure.seconds")},
        "y": {"from": loudest, "to": -loudest, "hidden": True},
        "wave": {
            "lowest": lowest,
            "highest": highest,
            "colours": (_BLUE, _GREY),
            "marked": (window.window_start, window.window_end) if window else None,
        },
        "time": "x",
        "window": window is not None,
        "height": _WAVE_HEIGHT,
        "margins": _WAVE_MARGINS,
    }


def spectrogram_chart(
    window: Prepared,
    transform: Transform,
    piece: str,
    language: Language,
    *,
    key: str,
    height: int | None = None,
    below: float = 0.0,
) -> None:
    """Draw a spectrogram of a window of a piece on the page.

    Parameters
    ----------
    piece
        Title.
    key
        Before the name of the transform, for the style sheet and the scripts.
    height, below
        As in :func:`spectrogram_figure`.
    """
    edited = [message(window.edits, language)] if window.edits else []
    figure = spectrogram_figure(
        window.spectrograms[transform],
        language,
        start=window.clip.info.window_start,
        turned=None if transform.name == "cqt" else False,
        height=height,
        below=below,
    )
    show_figure(
        figure,
        language,
        piece,
        TRANSFORM_TITLES[transform.name],
        *edited,
        key=f"{key}_{transform.name}",
        alt=translate(language, "what_if.alt" if edited else "page.alt_spectrogram", name=piece),
    )


def spectrogram_figure(
    spectrogram: Spectrogram,
    language: Language,
    *,
    start: float = 0.0,
    turned: bool | None = False,
    height: int | None = None,
    below: float = 0.0,
) -> Figure:
    """Levels over time and pitch; pointing tells time, frequency, nearest note and level.

    Parameters
    ----------
    start
        Seconds of the piece at which the spectrogram begins.
    turned
        Whether time is drawn downwards and pitch to the right; None: as the page's switch says.
    height
        Pixels; by default as high as its place on the page.
    below
        dB by which the loudest cell lies below the top of the scale, so that several figures share
        a scale.
    """
    levels = spectrogram.decibels() - below
    return {**_picture(spectrogram, levels, language, start, turned), "height": height}


def attention_figure(
    attention: Attention,
    language: Language,
    *,
    strongest: float,
    large: bool = False,
    labelled: bool = True,
) -> Figure:
    """The spectrogram in its colours where it supports the genre, dimmed elsewhere.

    A frame encloses the strongest region, unless that is the whole picture.

    Parameters
    ----------
    strongest
        Weight at the top of the scale that all maps share, which is not dimmed at all; on its own
        scale that is the strongest of this one.
    large
        As high as its place on the page, and with more to read; otherwise one of several.
    labelled
        Of several: whether this one has the labels of the axis that all share.
    """
    spectrogram = attention.picture.spectrogram
    step = -(-len(spectrogram.times) // (_LARGE_MAP_FRAMES if large else _MAP_FRAMES))
    count = len(spectrogram.times) // step * step
    levels = spectrogram.decibels()[:, :count].reshape(len(spectrogram.frequencies), -1, step)
    turned = None if attention.picture.preprocessing.orientation == "pitch_along_x" else False
    figure = _picture(spectrogram, levels.mean(axis=2), language, attention.start, turned)
    own = float(attention.coarse.max())
    figure |= {
        "weights": orient(attention.coarse, "time_along_x").tolist(),
        "columns": len(spectrogram.times) / step,  # of all frames, those left out included
        "strongest": [max(top, 1e-6) for top in (own, strongest)],
    }
    region = None if attention.everywhere else attention.region
    if region:
        octaves = np.log2(spectrogram.frequencies)
        bins = np.arange(len(octaves))
        low, high = (
            float(np.interp(np.log2(f), octaves, bins)) for f in (region.lowest, region.highest)
        )
        figure["frame"] = {"time": (region.start, region.end), "pitch": (low - 0.5, high + 0.5)}
    if large:
        return figure
    for axis in (figure["x"], figure["y"]):
        del axis["title"]
    figure["y"]["ticks"] = [
        (place, label.partition("\n")[0]) for place, label in figure["y"]["ticks"]
    ]
    figure["y"]["hidden"] = not labelled
    # Room for labels beside each, so that all pictures are of one size.
    return figure | {"height": _MAP_HEIGHT, "margins": _MAP_MARGINS, "zoom": False}


def _picture(
    spectrogram: Spectrogram,
    levels: npt.NDArray[np.float32],
    language: Language,
    start: float,
    turned: bool | None,
) -> Figure:
    """Levels in dB, [n_bins, n_columns], over the axes of a spectrogram.

    There may be fewer columns than frames: each is several frames, and a rest is left out.
    """
    times, n_bins = spectrogram.times, len(spectrogram.frequencies)
    frame = float(times[-1] - times[0]) / max(1, len(times) - 1) or 1.0
    begin = start + float(times[0]) - frame / 2
    step = len(times) // levels.shape[1]
    loudest = round(float(levels.max()), 1)
    name = TRANSFORM_TITLES.get(spectrogram.transform, spectrogram.transform)
    return {
        "x": {
            "from": begin,
            "to": begin + frame * step * levels.shape[1],
            "title": translate(language, "figure.time"),
        },
        "y": {  # low notes at the bottom
            "from": n_bins - 0.5,
            "to": -0.5,
            "ticks": [(tick.place, tick.label) for tick in pitch_ticks(spectrogram)],
            "names": [f"{f:.1f} Hz · {note_name(f)}" for f in spectrogram.frequencies],
            "title": f"{name} · {translate(language, pitch_title(spectrogram))}",
        },
        "levels": _base64(_STEPS * (loudest - orient(levels, "time_along_x"))),
        "loudest": loudest,
        "size": levels.shape[::-1],
        "range": RANGE_DB,
        "time": "x",
        "turned": turned,
        "start": start,
        "seek": True,
        "zoom": True,
    }


def _base64(values: npt.NDArray[Any]) -> str:
    """Numbers as bytes, rounded, and those beyond 0..255 the nearest of these."""
    return base64.b64encode(np.clip(np.rint(values), 0, 255).astype(np.uint8).tobytes()).decode()
