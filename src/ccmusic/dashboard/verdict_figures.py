"""Verdicts in, figures of curves out: over time, and along a slider."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ccmusic.audio import CLIP_SECONDS
from ccmusic.dashboard.signal_figures import Figure
from ccmusic.genres import genre_colour, genre_name
from ccmusic.texts import Language, translate

_CURVES = 6


def timeline_figure(means: Mapping[float, Mapping[str, float]], language: Language) -> Figure:
    """Probabilities over time; a point stands at the middle of its window.

    Parameters
    ----------
    means
        Start of each window, seconds, and the mean of the panel there.
    """
    middles = [start + CLIP_SECONDS / 2 for start in means]
    x = {
        "from": 0,
        "to": middles[-1] + CLIP_SECONDS / 2,
        "title": translate(language, "figure.time"),
    }
    figure = _figure(middles, list(means.values()), language)
    return figure | {"x": x, "height": 320, "time": "x", "window": True}


def slider_figure(
    labels: Sequence[str],
    means: Sequence[Mapping[str, float]],
    now: int,
    axis: str,
    language: Language,
) -> Figure:
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
    x = {"from": -0.4, "to": len(labels) - 0.6, "ticks": list(enumerate(labels)), "title": axis}
    figure = _figure(range(len(labels)), means, language)
    return figure | {"x": x, "height": 300, "now": now}


def _figure(
    places: Sequence[float],
    means: Sequence[Mapping[str, float]],
    language: Language,
) -> Figure:
    """A curve for each of the genres that are likeliest anywhere, probabilities upwards."""
    genres = {genre for mean in means for genre in mean}
    peaks = {g: max(mean.get(g, 0.0) for mean in means) for g in genres}
    return {
        "places": list(places),
        "y": {
            "from": 1,
            "to": 0,
            "ticks": [(fifth / 5, f"{fifth / 5:.0%}") for fifth in range(6)],
            "title": translate(language, "way.probability"),
        },
        "curves": [
            {
                "name": genre_name(genre, language),
                "colour": genre_colour(genre),
                "values": [mean.get(genre) for mean in means],
            }
            for genre in sorted(peaks, key=lambda g: -peaks[g])[:_CURVES]
        ],
    }
