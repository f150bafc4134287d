"""Verdicts and cards in, Plotly figures out: bars, table, tie, timeline, guide."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from ccmusic.agreement import mean_probabilities
from ccmusic.analysis import Analysis
from ccmusic.audio import CLIP_SECONDS
from ccmusic.card import titles
from ccmusic.genres import genre_name
from ccmusic.spectrogram import TRANSFORM_TITLES
from ccmusic.texts import Language, translate
from ccmusic.verdict import Verdict
from ccmusic.zoo import Checkpoint

# M. Okabe, K. Ito, "Color Universal Design", 2008: distinct to colour-blind eyes as well.
_FIRST_CHOICES = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00")
_OTHER = "#9A9A9A"
_CURVE_COLOURS = (*_FIRST_CHOICES, "#56B4E9")
_CURVES = len(_CURVE_COLOURS)
_ROW_PIXELS = 46
_BAR = 0.26  # of a row


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


def table_figure(analysis: Analysis, language: Language) -> go.Figure:
    """Models x genres; the likeliest genres of the mean at the left, the mean itself below."""
    given = [v for v in analysis.verdicts.values() if not v.error]
    genres = analysis.genres
    both = analysis.transform == "both"
    rows = {v.card.title(with_transform=both): v.probabilities for v in given}
    rows[translate(language, "page.mean")] = analysis.mean
    shares = [[row.get(genre) for genre in genres] for row in rows.values()]
    names = [genre_name(genre, language) for genre in genres]
    percent = [["" if s is None else f"{s:.0%}" for s in row] for row in shares]
    figure = go.Figure(
        go.Heatmap(
            x=names,
            y=list(rows),
            z=shares,
            text=percent,
            texttemplate="%{text}",
            zmin=0,
            zmax=1,
            colorscale="Cividis",
            showscale=False,
            xgap=2,
            ygap=2,
            hovertemplate="%{y}<br><b>%{x}</b> %{z:.1%}<extra></extra>",
        )
    )
    figure.update_layout(
        height=34 * len(rows) + 70, margin={"l": 4, "r": 4, "t": 4, "b": 4}, dragmode=False
    )
    figure.update_xaxes(side="top", automargin=True, showgrid=False)
    figure.update_yaxes(autorange="reversed", automargin=True, showgrid=False)
    return figure


def tie_figure(verdicts: Sequence[Verdict], tie: tuple[str, str], language: Language) -> go.Figure:
    """Two genres across the models that know both, ordered by which they prefer.

    Where the panel is torn, one curve rises as the other falls, and they cross between those who
    hear the one and those who hear the other.
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
            line={"color": _FIRST_CHOICES[place], "width": 3, "dash": ("solid", "dot")[place]},
            marker={"size": 9, "symbol": ("circle", "diamond")[place]},
            hovertemplate=f"{name} %{{y:.0%}}<extra></extra>",
        )
    _lay_out_curves(figure)
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
    _lay_out_curves(figure)
    figure.update_layout(height=320, meta={"time": "x"})
    figure.update_xaxes(ticksuffix=translate(language, "figure.seconds"))
    return figure


def _lay_out_curves(figure: go.Figure) -> None:
    """Probabilities upwards, the legend above, and one hover for all curves."""
    figure.update_layout(
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        hovermode="x unified",
        dragmode=False,
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom"},
    )
    figure.update_yaxes(range=(0, 1), tickformat=".0%")


def guide_figure(checkpoints: Sequence[Checkpoint], language: Language) -> go.Figure:
    """Accuracy against latency, both as measured for the cards; the area is the size on disk."""
    megabytes = np.array([c.path.stat().st_size / 1e6 for c in checkpoints])
    figure = go.Figure()
    transforms = dict.fromkeys(c.card.transform for c in checkpoints)
    latency = [c.card.relative_latency or 1.0 for c in checkpoints]
    for place, transform in enumerate(transforms):
        chosen = [i for i, c in enumerate(checkpoints) if c.card.transform == transform]
        chosen.sort(key=latency.__getitem__)
        cards = [checkpoints[i].card for i in chosen]
        figure.add_scatter(
            x=[latency[i] for i in chosen],
            y=[card.metrics.accuracy if card.metrics else None for card in cards],
            text=[card.title() for card in cards],
            customdata=megabytes[chosen],
            name=TRANSFORM_TITLES[transform],
            mode="markers+text",
            # Neighbours, as fast as each other, turn their names away from each other.
            textposition=[("middle left", "middle right")[i % 2] for i in range(len(chosen))],
            marker={
                "size": megabytes[chosen],
                "sizemode": "area",
                "sizeref": float(megabytes.max()) / 40**2,
                "sizemin": 5,
                "color": _FIRST_CHOICES[place % len(_FIRST_CHOICES)],
                "symbol": ("circle", "diamond", "square")[place % 3],
            },
            hovertemplate=(
                "<b>%{text}</b><br>%{y:.1%}<br>%{x:.1f} x<br>%{customdata:.1f} MB<extra></extra>"
            ),
        )
    figure.update_layout(
        height=420,
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        dragmode=False,
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom"},
    )
    figure.update_xaxes(
        title=translate(language, "guide.latency_axis"),
        type="log",
        range=np.log10([min(latency) / 2, max(latency) * 1.5]),  # room for the names
        tickvals=[0.5, 1, 2, 5, 10, 20, 50, 100],
        ticksuffix=" x",
    )
    figure.update_yaxes(title=translate(language, "guide.accuracy"), tickformat=".0%")
    return figure
