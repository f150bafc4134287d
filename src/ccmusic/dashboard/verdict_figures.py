"""Verdicts and cards in, Plotly figures out: tie, timeline, guide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from ccmusic.audio import CLIP_SECONDS
from ccmusic.card import titles
from ccmusic.genres import genre_colour, genre_name
from ccmusic.spectrogram import TRANSFORM_TITLES
from ccmusic.texts import Language, translate
from ccmusic.verdict import Verdict
from ccmusic.zoo import Checkpoint

# M. Okabe, K. Ito, "Color Universal Design", 2008: distinct to colour-blind eyes as well.
_TRANSFORM_COLOURS = ("#0072B2", "#E69F00", "#009E73")
_CURVES = 6


def tie_figure(verdicts: Sequence[Verdict], tie: tuple[str, str], language: Language) -> go.Figure:
    """Two genres across the models that know both, ordered by which they prefer.

    If the panel is split, one curve rises as the other falls; they cross between the two camps.
    """
    one, other = tie
    names = titles(v.card for v in verdicts)
    shares = [
        (names[v.card.name], v.probabilities[one], v.probabilities[other])
        for v in verdicts
        if one in v.card.classes and other in v.card.classes
    ]
    shares.sort(key=lambda row: row[2] - row[1])
    figure = go.Figure()
    for place, genre in enumerate(tie):
        name = genre_name(genre, language)
        figure.add_scatter(
            x=list(range(len(shares))),
            y=[row[1 + place] for row in shares],
            name=name,
            mode="lines+markers",
            line={"color": genre_colour(genre), "width": 3, "dash": ("solid", "dot")[place]},
            marker={"size": 9, "symbol": ("circle", "diamond")[place]},
            hovertemplate=f"{name} %{{y:.0%}}<extra></extra>",
        )
    _lay_out_curves(figure, language)
    figure.update_layout(
        height=200,
        paper_bgcolor="rgba(0, 0, 0, 0)",
        plot_bgcolor="rgba(0, 0, 0, 0)",
    )
    figure.update_xaxes(
        tickvals=list(range(len(shares))),
        ticktext=[row[0] for row in shares],
        range=(-0.4, len(shares) - 0.6),
        automargin=True,
    )
    return figure


def timeline_figure(course: Mapping[float, Mapping[str, float]], language: Language) -> go.Figure:
    """Probabilities over time; a point stands at the middle of its window.

    Parameters
    ----------
    course
        Start of each window, seconds, and the mean of the panel there.
    """
    times = [round(start + CLIP_SECONDS / 2, 2) for start in course]
    figure = go.Figure()
    _add_curves(figure, times, list(course.values()), language)
    _lay_out_curves(figure, language)
    figure.update_layout(height=320, meta={"time": "x", "window": True})
    figure.update_xaxes(title=translate(language, "figure.time"))
    return figure


def slider_figure(
    labels: Sequence[str],
    means: Sequence[Mapping[str, float]],
    now: int,
    axis: str,
    language: Language,
) -> go.Figure:
    """Probabilities along the steps of a slider.

    Parameters
    ----------
    labels, means
        Of each step its name and the mean of the panel, empty where there is no verdict.
    now
        Place of the step at which the slider stands.
    axis
        What changes along it.
    """
    figure = go.Figure()
    _add_curves(figure, range(len(labels)), means, language)
    _lay_out_curves(figure, language)
    figure.update_layout(height=300)
    figure.update_xaxes(tickvals=list(range(len(labels))), ticktext=labels, title=axis)
    figure.add_vline(now, line_dash="dot", line_width=1.5, line_color="#888888")
    return figure


def _add_curves(
    figure: go.Figure,
    places: Sequence[float],
    means: Sequence[Mapping[str, float]],
    language: Language,
) -> None:
    """A curve for each of the genres that are likeliest anywhere."""
    genres = {genre for mean in means for genre in mean}
    peaks = {g: max(mean.get(g, 0.0) for mean in means) for g in genres}
    for genre in sorted(peaks, key=lambda g: -peaks[g])[:_CURVES]:
        name = genre_name(genre, language)
        figure.add_scatter(
            x=list(places),
            y=[mean.get(genre) for mean in means],
            name=name,
            mode="lines+markers",
            line={"color": genre_colour(genre), "width": 2},
            hovertemplate=f"{name} %{{y:.0%}}<extra></extra>",
        )


def _lay_out_curves(figure: go.Figure, language: Language) -> None:
    """Probabilities upwards, the legend above, and one hover for all curves."""
    figure.update_layout(
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        hovermode="x unified",
        dragmode=False,
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom"},
    )
    figure.update_yaxes(
        range=(0, 1), tickformat=".0%", title=translate(language, "way.probability")
    )


def guide_figure(checkpoints: Sequence[Checkpoint], language: Language) -> go.Figure:
    """Accuracy and latency as measured for the cards, a line per network: no names meet."""
    titles = sorted({c.card.title() for c in checkpoints}, reverse=True)
    figure = make_subplots(1, 2, shared_yaxes=True, horizontal_spacing=0.04)
    for place, transform in enumerate(dict.fromkeys(c.card.transform for c in checkpoints)):
        cards = [c.card for c in checkpoints if c.card.transform == transform]
        look = {
            "color": _TRANSFORM_COLOURS[place % 3],
            "symbol": ("circle", "diamond", "square")[place % 3],
            "size": 12,
        }
        accuracy = [card.reliability.accuracy if card.reliability else None for card in cards]
        latency = [card.relative_latency for card in cards]
        for column, (values, form) in enumerate(((accuracy, ".0%"), (latency, ".1f")), 1):
            unit = " x" if column == 2 else ""
            figure.add_scatter(
                x=values,
                y=[card.title() for card in cards],
                name=TRANSFORM_TITLES[transform],
                showlegend=column == 1,
                mode="markers",
                marker=look,
                hovertemplate=f"<b>%{{y}}</b> {TRANSFORM_TITLES[transform]}"
                f"<br>%{{x:{form}}}{unit}<extra></extra>",
                row=1,
                col=column,
            )
    figure.update_layout(
        height=90 + 44 * len(titles),
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        dragmode=False,
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom"},
    )
    figure.update_yaxes(categoryorder="array", categoryarray=titles, showgrid=True)
    figure.update_xaxes(title=translate(language, "guide.accuracy"), tickformat=".0%", col=1)
    figure.update_xaxes(
        title=translate(language, "guide.latency_axis"), rangemode="tozero", ticksuffix=" x", col=2
    )
    return figure
