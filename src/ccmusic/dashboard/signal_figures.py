"""Plotly figures of signals: waveforms, spectrograms, attention maps.

A figure's ``meta`` names its time axis, along which the page's playhead runs. Figures are kept, for
every touch of the page asks for most of them again, and to build one takes Plotly some 20 ms.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import numpy as np
import plotly.graph_objects as go
import streamlit as st
from plotly.colors import sequential

from ccmusic.attention import Attention
from ccmusic.audio import AudioInfo, Envelope
from ccmusic.axes import RANGE_DB, Orientation, note_name, pitch_ticks, pitch_title
from ccmusic.edits import message
from ccmusic.prepare import Prepared
from ccmusic.spectrogram import TRANSFORM_TITLES, Spectrogram, Transform
from ccmusic.texts import Language, translate

# Streamlit takes some hexadecimal near-blacks, Magma's first colour among them, for placeholders
# of its theme.
_MAGMA = ["rgb(0, 0, 4)", *sequential.Magma[1:]]
# Of a map: more would be hidden by the pixels and cost the network.
_MAP_FRAMES, _LARGE_MAP_FRAMES = 110, 330
_DIM = 0.75  # of what does not support the genre
_CROSSHAIR: dict[str, Any] = {
    "showspikes": True,
    "spikemode": "across",
    "spikethickness": 1,
    "spikedash": "solid",
    "spikecolor": "white",
}
_BLUE, _GREY = "#0072B2", "#9A9A9A"


def buttons(language: Language, *names: str, zoom: bool = False) -> dict[str, Any]:
    """Plotly's buttons, few, and in the language of the page: as a PNG, and to zoom.

    Parameters
    ----------
    names
        After which a PNG is named, the piece and the plot.
    """
    words = {
        "Zoom": translate(language, "figure.zoom"),
        "Pan": translate(language, "figure.pan"),
        "Reset axes": translate(language, "figure.reset"),
        "Download plot as a PNG": translate(language, "figure.download"),
    }
    return {
        "displaylogo": False,
        "modeBarButtons": [[*(["zoom2d", "pan2d", "resetScale2d"] if zoom else []), "toImage"]],
        "toImageButtonOptions": {"filename": file_name(*names)},
        "locale": "page",
        "locales": {"page": {"dictionary": words, "format": {}}},
    }


def file_name(*names: str) -> str:
    """Name of a file without its ending, as all systems allow it.

    >>> file_name("AC/DC: live.mp3", "CQT")
    'AC_DC_ live.mp3 - CQT'
    """
    return re.sub(r'[\x00-\x1f<>:"/\\|?*]', "_", " - ".join(names))


@lru_cache(maxsize=16)
def waveform_figure(
    envelope: Envelope, language: Language, *, window: AudioInfo | None = None
) -> go.Figure:
    """Lowest and highest samples over time.

    Parameters
    ----------
    window
        Window to mark.
    """
    middles = (envelope.edges[1:] + envelope.edges[:-1]) / 2
    inside = np.full(len(middles), True)
    if window:
        inside = (middles >= window.window_start) & (middles <= window.window_end)
    figure = go.Figure(
        go.Bar(
            x=middles.round(2),
            base=envelope.lowest.round(3),
            y=(envelope.highest - envelope.lowest).round(3),
            width=np.diff(envelope.edges),
            marker={"color": np.where(inside, _BLUE, _GREY), "line": {"width": 0}},
            hovertemplate=f"%{{x:.1f}}{translate(language, 'figure.seconds')}<extra></extra>",
        )
    )
    loudest = max(0.05, float(np.abs([envelope.lowest, envelope.highest]).max()))
    figure.update_layout(
        height=84,
        margin={"l": 0, "r": 0, "t": 0, "b": 22},
        dragmode=False,
        meta={"time": "x", "window": window is not None},
    )
    if window:
        edges = {"x0": window.window_start, "x1": window.window_end, "y0": 0, "y1": 1}
        look = {"fillcolor": _BLUE, "opacity": 0.12, "line": {"width": 0}, "layer": "below"}
        figure.add_shape(type="rect", xref="x", yref="paper", **edges, **look)
    ends = (float(envelope.edges[0]), float(envelope.edges[-1]))
    # As wide as the strip below it: a label at its end takes no room.
    figure.update_xaxes(
        range=ends,
        ticksuffix=translate(language, "figure.seconds"),
        automargin=False,
        ticklabeloverflow="hide past div",
    )
    figure.update_yaxes(range=(-loudest, loudest), visible=False)
    return figure


def spectrogram_chart(
    window: Prepared,
    transform: Transform,
    piece: str,
    language: Language,
    *,
    key: str,
    orientation: Orientation,
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
    orientation
        Of a CQT; of others time is along x.
    height, below
        As in :func:`spectrogram_figure`.
    """
    edited = [message(window.edits, language)] if window.edits else []
    st.plotly_chart(
        spectrogram_figure(
            window.spectrograms[transform],
            language,
            start=window.clip.info.window_start,
            orientation=orientation if transform.name == "cqt" else "time_along_x",
            height=height,
            below=below,
        ),
        height="content" if height else "stretch",
        config=buttons(language, piece, TRANSFORM_TITLES[transform.name], *edited, zoom=True),
        key=f"{key}_{transform.name}",
        alt=translate(language, "what_if.alt" if edited else "page.alt_spectrogram", name=piece),
    )


@lru_cache(maxsize=32)
def spectrogram_figure(
    spectrogram: Spectrogram,
    language: Language,
    *,
    start: float = 0.0,
    orientation: Orientation = "time_along_x",
    height: int | None = None,
    below: float = 0.0,
) -> go.Figure:
    """Heatmap of levels; hovering tells time, frequency, nearest note and level.

    Parameters
    ----------
    start
        Seconds of the piece at which the spectrogram begins.
    orientation
        ``pitch_along_x``: time downwards.
    height
        Pixels; by default as high as its place on the page.
    below
        dB by which the loudest cell lies below the top of the scale, so that several figures share
        a scale.
    """
    # Bins are categories named in full: the hover shows the name, the axis only chosen ticks.
    names = [f"{f:.1f} Hz · {note_name(f)}" for f in spectrogram.frequencies]
    times = np.round(spectrogram.times + start, 3)
    levels = (spectrogram.decibels() - below).round(1)
    ticks = pitch_ticks(spectrogram)
    pitch_first = orientation == "pitch_along_x"
    lines = "<br>" if pitch_first else " "  # beside the picture, two lines of neighbours may touch
    pitch_axis: dict[str, Any] = {
        "type": "category",
        "tickmode": "array",
        "tickvals": [tick.place for tick in ticks],
        "ticktext": [tick.label.replace("\n", lines) for tick in ticks],
    }
    seconds = translate(language, "figure.seconds")
    time_axis = {"title": {"text": translate(language, "figure.time"), "standoff": 14}}
    pitch_axis["title"] = {"text": _pitch_title(spectrogram, language), "standoff": 14}
    time, pitch = ("y", "x") if pitch_first else ("x", "y")
    figure = go.Figure(
        go.Heatmap(
            **{time: times, pitch: names},
            z=levels.T if pitch_first else levels,
            zmin=-RANGE_DB,
            zmax=0,
            colorscale=_MAGMA,
            hovertemplate=f"<b>%{{{pitch}}}</b><br>%{{{time}:.2f}}{seconds}<br>%{{z:.1f}} dB"
            "<extra></extra>",
            colorbar={
                "orientation": "h",
                "x": 1,
                "xanchor": "right",
                "y": 1.01,
                "yanchor": "bottom",
                "len": 0.6,
                "thickness": 8,
                "ticksuffix": " dB",
                "dtick": 80,
                "tickangle": 0,
                "ticklabelposition": "outside top",
            },
        )
    )
    figure.update_layout(
        height=height,
        margin={"l": 8, "r": 24, "t": 0, "b": 8},
        # A finger that scrolls past must not zoom; the buttons above the plot still do.
        dragmode=False,
        hoverlabel={"align": "left", "font_size": 14},
        meta={"time": time, "seek": True, "start": start},
    )
    time_axis |= _CROSSHAIR
    pitch_axis |= _CROSSHAIR
    _name_axes(figure, time_axis, pitch_axis, pitch_first=pitch_first)
    return figure


@lru_cache(maxsize=64)
def attention_figure(
    attention: Attention,
    language: Language,
    *,
    strongest: float,
    orientation: Orientation = "time_along_x",
    large: bool = False,
    labelled: bool = True,
) -> go.Figure:
    """The spectrogram in its colours where it supports the genre, dimmed elsewhere.

    A frame encloses the strongest region, unless that is the whole picture.

    Parameters
    ----------
    strongest
        Weight at the top of the scale, which is not dimmed at all.
    orientation
        ``pitch_along_x``: time downwards.
    large
        As high as its place on the page, and with more to read; otherwise one of several.
    labelled
        Of several: whether this one has the labels of the axis that all share.
    """
    spectrogram = attention.picture.spectrogram
    step = -(-len(spectrogram.times) // (_LARGE_MAP_FRAMES if large else _MAP_FRAMES))
    count = len(spectrogram.times) // step
    columns = slice(step // 2, count * step, step)
    names = [f"{f:.1f} Hz · {note_name(f)}" for f in spectrogram.frequencies]
    times = np.round(spectrogram.times[columns] + attention.start, 2)
    levels = spectrogram.decibels()[:, : count * step]
    levels = levels.reshape(len(levels), count, step).mean(axis=2).round()
    weights = attention.values[:, columns].round(2)
    ticks = pitch_ticks(spectrogram)
    pitch_axis: dict[str, Any] = {
        "type": "category",
        "tickmode": "array",
        "tickvals": [tick.place for tick in ticks],
        "ticktext": [tick.label.partition("\n")[0] for tick in ticks],
    }
    seconds = translate(language, "figure.seconds")
    pitch_first = orientation == "pitch_along_x"
    if pitch_first:
        levels, weights = levels.T, weights.T
    time, pitch = ("y", "x") if pitch_first else ("x", "y")
    axes = {time: times, pitch: names}
    hover = (
        f"<b>%{{{pitch}}}</b><br>%{{{time}:.2f}}{seconds}<br>%{{z:.0f}} dB<br>"
        f"{translate(language, 'attention.weight')} %{{customdata:.2f}}<extra></extra>"
    )
    top = max(strongest, 1e-6)
    figure = go.Figure(
        [
            go.Heatmap(
                **axes,
                z=levels,
                customdata=weights,
                hovertemplate=hover,
                showscale=False,
                zmin=-RANGE_DB,
                zmax=0,
                colorscale=_MAGMA,
            ),
            go.Heatmap(
                **axes,
                z=weights,
                hoverinfo="skip",
                showscale=False,
                zmin=0,
                zmax=top,
                colorscale=[f"rgba(0, 0, 0, {_DIM})", "rgba(0, 0, 0, 0)"],
            ),
        ]
    )
    figure.update_layout(
        height=None if large else 260,
        margin={"l": 40, "r": 4, "t": 4, "b": 36},
        dragmode=False,
        hoverlabel={"align": "left"},
        meta={"time": time, "seek": True},
    )
    region = None if attention.everywhere else attention.region
    if region:
        octaves = np.log2(spectrogram.frequencies)
        bins = np.arange(len(octaves))
        low, high = (np.interp(np.log2(f), octaves, bins) for f in (region.lowest, region.highest))
        edges = {time: (region.start, region.end), pitch: (low - 0.5, high + 0.5)}
        corners = {f"{axis}{i}": edges[axis][i] for axis in "xy" for i in (0, 1)}
        figure.add_shape(type="rect", **corners, line={"color": "white", "width": 2})
    time_axis: dict[str, Any] = {"nticks": 10 if large else 4}
    if large:
        time_axis["title"] = {"text": translate(language, "figure.time"), "standoff": 14}
        pitch_axis["title"] = {"text": _pitch_title(spectrogram, language), "standoff": 14}
        _name_axes(figure, time_axis, pitch_axis, pitch_first=pitch_first)
        return figure
    below, beside = (pitch_axis, time_axis) if pitch_first else (time_axis, pitch_axis)
    # Room for labels beside each, so that all pictures are of one size.
    labels = {"showticklabels": labelled, "automargin": False}
    figure.update_layout(
        xaxis={**below, "automargin": False, "tickangle": 0},
        yaxis={**beside, **labels, "autorange": "reversed" if pitch_first else None},
    )
    return figure


def _name_axes(
    figure: go.Figure, time_axis: dict[str, Any], pitch_axis: dict[str, Any], *, pitch_first: bool
) -> None:
    """Time downwards or to the right, the other axis for pitch, each with its title.

    Plotly sets the lower title upon the labels when a figure is resized; ours keeps its distance.
    """
    below, beside = (pitch_axis, time_axis) if pitch_first else (time_axis, pitch_axis)
    two_lines = any("<br>" in label for label in below.get("ticktext", ()))
    depth = 46 if two_lines else 30
    title = {
        "text": below.pop("title")["text"],
        "xref": "paper",
        "yref": "paper",
        "x": 0.5,
        "y": 0,
        "yanchor": "top",
        "yshift": -depth,
        "showarrow": False,
    }
    # All at once: Plotly takes some milliseconds for each update.
    figure.update_layout(
        margin_b=depth + 22,
        annotations=[title],
        xaxis={**below, "automargin": False, "tickangle": 0},
        yaxis={**beside, "automargin": True, "autorange": "reversed" if pitch_first else None},
    )


def _pitch_title(spectrogram: Spectrogram, language: Language) -> str:
    name = TRANSFORM_TITLES.get(spectrogram.transform, spectrogram.transform)
    return f"{name} · {translate(language, pitch_title(spectrogram))}"
