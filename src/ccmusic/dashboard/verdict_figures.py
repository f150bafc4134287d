"""Verdicts in, figures of curves out: tie, timeline, slider."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ccmusic.audio import CLIP_SECONDS
from ccmusic.card import titles
from ccmusic.dashboard.signal_figures import Figure
from ccmusic.genres import genre_colour, genre_name
from ccmusic.texts import Language, translate
from ccmusic.verdict import Verdict

_CURVES = 6


def tie_figure(verdicts: Sequence[Verdict], tie: tuple[str, str], language: Language) -> Figure:
    """Two genres across the models that know both, ordered by which they prefer.

    If the panel is split, one curve rises as the other falls; they cross between the two camps.
    """
    one, other = tie
    names = titles(v.card for v in verdicts)
    both = [v for v in verdicts if one in v.card.classes and other in v.card.classes]
    both.sort(key=lambda v: v.probabilities[other] - v.probabilities[one])
    figure = _figure(range(len(both)), [v.probabilities for v in both], tie, language)
    figure["curves"][1]["dotted"] = True
    x = {"from": -0.4, "to": len(both) - 0.6, "ticks": _ticks([names[v.card.name] for v in both])}
    return figure | {"x": x, "height": 240}


def timeline_figure(course: Mapping[float, Mapping[str, float]], language: Language) -> Figure:
    """Probabilities over time; a point stands at the middle of its window.

    Parameters
    ----------
    course
        Start of each window, seconds, and the mean of the panel there.
    """
    middles = [start + CLIP_SECONDS / 2 for start in course]
    means = list(course.values())
    x = {
        "from": 0,
        "to": middles[-1] + CLIP_SECONDS / 2,
        "title": translate(language, "figure.time"),
    }
    figure = _figure(middles, means, _likeliest(means), language)
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
    x = {"from": -0.4, "to": len(labels) - 0.6, "ticks": _ticks(labels), "title": axis}
    figure = _figure(range(len(labels)), means, _likeliest(means), language)
    return figure | {"x": x, "height": 300, "now": now}


def _ticks(labels: Sequence[str]) -> list[tuple[int, str]]:
    return list(enumerate(labels))


def _likeliest(means: Sequence[Mapping[str, float]]) -> list[str]:
    """The genres that are likeliest anywhere, few enough to be told apart."""
    genres = {genre for mean in means for genre in mean}
    peaks = {g: max(mean.get(g, 0.0) for mean in means) for g in genres}
    return sorted(peaks, key=lambda g: -peaks[g])[:_CURVES]


def _figure(
    places: Sequence[float],
    means: Sequence[Mapping[str, float]],
    genres: Sequence[str],
    language: Language,
) -> Figure:
    """A curve for each genre, probabilities upwards."""
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
            for genre in genres
        ],
    }
