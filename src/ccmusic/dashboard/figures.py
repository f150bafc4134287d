"""Spectrograms and verdicts in, Plotly figures out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.colors import sequential

from ccmusic.agreement import mean_probabilities
from ccmusic.attention import Attention
from ccmusic.audio import SECONDS
from ccmusic.genres import genre_name
from ccmusic.panel import Verdict
from ccmusic.spectrogram import Spectrogram, note_name
from ccmusic.texts import Language, say

_RANGE_DB = 80.0
# Streamlit takes some hexadecimal near-blacks, Magma's first colour among them, for placeholders
# of its theme.
_MAGMA = ["rgb(0, 0, 4)", *sequential.Magma[1:]]
_MEL_TICKS = (100, 200, 500, 1000, 2000, 5000, 10000)
# M. Okabe, K. Ito, "Color Universal Design", 2008: distinct to colour-blind eyes as well.
_FIRST_CHOICES = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00")
_OTHER = "#9A9A9A"
_CURVE_COLOURS = (*_FIRST_CHOICES, "#56B4E9")
_CURVES = len(_CURVE_COLOURS)
_ROW_PIXELS = 46
_MAP_FRAMES = 110  # of a small figure: more would be hidden by the pixels and cost the network
_BAR = 0.26  # of a row


def spectrogram_figure(
    spectrogram: Spectrogram, language: Language, *, start: float = 0.0
) -> go.Figure:
    """Heatmap of levels; hovering tells time, frequency, nearest note and level.

    A CQT has pitch along x and time downwards, a Mel spectrogram time along x.

    Parameters
    ----------
    start
        Seconds of the piece at which the spectrogram begins.
    """
    # Bins are categories named in full: the hover shows the name, the axis only chosen ticks.
    names = [f"{f:.1f} Hz · {note_name(f)}" for f in spectrogram.frequencies]
    times = np.round(spectrogram.times + start, 3)
    levels = spectrogram.decibels().round(1)
    positions, labels = _pitch_ticks(spectrogram)
    pitch_axis = {
        "type": "category",
        "tickmode": "array",
        "tickvals": positions,
        "ticktext": labels,
    }
    seconds = say(language, "figure.seconds")
    time_axis = {"ticksuffix": seconds}
    sideways = spectrogram.transform == "cqt"
    time, pitch = ("y", "x") if sideways else ("x", "y")
    figure = go.Figure(
        go.Heatmap(
            **{time: times, pitch: names},
            z=levels.T if sideways else levels,
            zmin=-_RANGE_DB,
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
                "dtick": 40,
                "tickangle": 0,
                "ticklabelposition": "outside top",
            },
        )
    )
    figure.update_layout(
        height=560,
        margin={"l": 8, "r": 24, "t": 0, "b": 8},
        # A finger that scrolls past must not zoom; the buttons above the plot still do.
        dragmode=False,
        hoverlabel={"align": "left", "font_size": 14},
    )
    figure.update_xaxes(pitch_axis if sideways else time_axis, automargin=True)
    figure.update_yaxes(
        {**time_axis, "autorange": "reversed"} if sideways else pitch_axis, automargin=True
    )
    return figure


def attention_figure(
    attention: Attention, language: Language, *, strongest: float, start: float = 0.0
) -> go.Figure:
    """The spectrogram in grey, and in orange what speaks for the genre.

    Parameters
    ----------
    strongest
        Weight of the fullest orange, so that several figures share a scale.
    start
        Seconds of the piece at which the spectrogram begins.
    """
    spectrogram = attention.picture.spectrogram
    step = -(-len(spectrogram.times) // _MAP_FRAMES)
    count = len(spectrogram.times) // step
    columns = slice(step // 2, count * step, step)
    names = [f"{f:.1f} Hz · {note_name(f)}" for f in spectrogram.frequencies]
    times = np.round(spectrogram.times[columns] + start, 2)
    levels = spectrogram.decibels()[:, : count * step]
    levels = levels.reshape(len(levels), count, step).mean(axis=2).round()
    weights = attention.values[:, columns].round(2)
    positions, labels = _pitch_ticks(spectrogram)
    pitch_axis = {
        "type": "category",
        "tickmode": "array",
        "tickvals": positions,
        "ticktext": [label.partition("<br>")[0].removesuffix(" Hz") for label in labels],
    }
    seconds = say(language, "figure.seconds")
    sideways = attention.picture.recipe.orientation == "pitch_along_x"
    if sideways:
        levels, weights = levels.T, weights.T
    time, pitch = ("y", "x") if sideways else ("x", "y")
    axes = {time: times, pitch: names}
    hover = (
        f"<b>%{{{pitch}}}</b><br>%{{{time}:.2f}}{seconds}<br>%{{z:.0f}} dB<br>"
        f"{say(language, 'attention.weight')} %{{customdata:.2f}}<extra></extra>"
    )
    grey = {"zmin": -_RANGE_DB, "zmax": 0, "colorscale": ["rgb(8, 8, 10)", "rgb(235, 235, 235)"]}
    orange = {
        "zmin": 0,
        "zmax": max(strongest, 1e-6),
        "colorscale": ["rgba(230, 130, 0, 0)", "rgba(255, 140, 0, 0.8)"],
    }
    figure = go.Figure(
        [
            go.Heatmap(
                **axes, z=levels, customdata=weights, hovertemplate=hover, showscale=False, **grey
            ),
            go.Heatmap(**axes, z=weights, hoverinfo="skip", showscale=False, **orange),
        ]
    )
    figure.update_layout(
        height=260,
        margin={"l": 4, "r": 4, "t": 4, "b": 4},
        dragmode=False,
        hoverlabel={"align": "left"},
    )
    time_axis = {"ticksuffix": seconds, "nticks": 4}
    figure.update_xaxes(pitch_axis if sideways else time_axis, automargin=True, tickangle=0)
    figure.update_yaxes(
        {**time_axis, "autorange": "reversed"} if sideways else pitch_axis, automargin=True
    )
    return figure


def timeline_figure(course: Mapping[float, Mapping[str, float]], language: Language) -> go.Figure:
    """Probabilities over time; a point stands at the middle of its window.

    Parameters
    ----------
    course
        Start of each window, seconds, and the mean of the panel there.
    """
    times = [round(start + SECONDS / 2, 2) for start in course]
    genres = {genre for mean in course.values() for genre in mean}
    peaks = {g: max(mean.get(g, 0.0) for mean in course.values()) for g in genres}
    figure = go.Figure()
    for place, genre in enumerate(sorted(peaks, key=lambda g: -peaks[g])[:_CURVES]):
        name = genre_name(genre, language)
        figure.add_scatter(
            x=times,
            y=[mean.get(genre, 0.0) for mean in course.values()],
            name=name,
            mode="lines+markers",
            line={"color": _CURVE_COLOURS[place], "width": 2},
            hovertemplate=f"{name} %{{y:.0%}}<extra></extra>",
        )
    figure.update_layout(
        height=320,
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        hovermode="x unified",
        dragmode=False,
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom"},
    )
    figure.update_yaxes(range=(0, 1), tickformat=".0%")
    figure.update_xaxes(ticksuffix=say(language, "figure.seconds"))
    return figure


def _pitch_ticks(spectrogram: Spectrogram) -> tuple[list[float], list[str]]:
    """Positions in bins and their labels: every C of a CQT, round frequencies of a Mel."""
    if spectrogram.transform == "cqt":
        notes = spectrogram.notes()
        chosen = [i for i, note in enumerate(notes) if note.rstrip("0123456789") == "C"]
        return [float(i) for i in chosen], [
            f"{notes[i]}<br>{spectrogram.frequencies[i]:.0f} Hz" for i in chosen
        ]
    bins = np.arange(len(spectrogram.frequencies))
    positions = np.interp(_MEL_TICKS, spectrogram.frequencies, bins)
    return positions.tolist(), [f"{tick} Hz" for tick in _MEL_TICKS]


def genre_colours(verdicts: Sequence[Verdict]) -> dict[str, str]:
    """Colour for each genre that is some model's first choice, the commonest choice first."""
    votes = Counter(v.top(1)[0][0] for v in verdicts if v.error is None)
    mean = mean_probabilities(verdicts)
    ranking = sorted(votes, key=lambda genre: (-votes[genre], -mean.get(genre, 0.0)))
    return dict(zip(ranking, _FIRST_CHOICES, strict=False))


def bars_figure(
    shares: Sequence[tuple[str, float]], colours: Mapping[str, str], language: Language
) -> go.Figure:
    """Bars of probabilities, likeliest on top, each under its genre's name.

    Parameters
    ----------
    shares
        Genres with probabilities, likeliest first.
    colours
        As :func:`genre_colours` gives them; other genres are grey.
    """
    names = [genre_name(genre, language) for genre, _ in shares]
    labels, tracks = [], []
    for row, (_, probability) in enumerate(shares):
        label = {"y": row - 0.2, "yanchor": "bottom", "xref": "paper", "showarrow": False}
        labels += [
            {"text": names[row], "x": 0, "xanchor": "left", **label},
            {"text": f"{probability:.0%}", "x": 1, "xanchor": "right", **label},
        ]
        # The track on which the bar runs shows what 100 % would be.
        edges = {"x0": 0, "x1": 1, "y0": row - _BAR / 2, "y1": row + _BAR / 2}
        look = {"fillcolor": _OTHER, "opacity": 0.18, "line": {"width": 0}, "layer": "below"}
        tracks.append({"type": "rect", **edges, **look})
    hidden = {"visible": False, "fixedrange": True}
    return go.Figure(
        go.Bar(
            x=[probability for _, probability in shares],
            y=names,
            orientation="h",
            width=_BAR,
            marker={
                "color": [colours.get(genre, _OTHER) for genre, _ in shares],
                "cornerradius": 3,
            },
            hoverinfo="skip",
        ),
        # At once, because Plotly takes long over every single change.
        layout={
            "height": _ROW_PIXELS * len(shares),
            "margin": {"l": 0, "r": 0, "t": 0, "b": 0},
            "paper_bgcolor": "rgba(0, 0, 0, 0)",
            "plot_bgcolor": "rgba(0, 0, 0, 0)",
            "showlegend": False,
            "font": {"size": 14},
            "annotations": labels,
            "shapes": tracks,
            "xaxis": {"range": (0, 1), **hidden},
            "yaxis": {"range": (len(shares) - 0.7, -0.75), **hidden},
        },
    )
