"""What counts, measured: how much the genre loses without each place, beside the map of a model."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from ccmusic.axes import ORANGE, Orientation
from ccmusic.dashboard.background import Background
from ccmusic.dashboard.markdown import plain, told
from ccmusic.dashboard.signal_figures import attention_figure, show_figure
from ccmusic.errors import CCMusicError
from ccmusic.genres import genre_name
from ccmusic.importance import Importance
from ccmusic.report import place_line
from ccmusic.texts import Language, translate


def wanted(language: Language) -> bool:
    """Draw the switch: to measure takes seconds of all cores."""
    return st.toggle(
        translate(language, "importance.measure"),
        key="measure",
        persist_state="session",
        help=translate(language, "importance.help"),
    )


def importance(
    piece: str,
    slots: Mapping[str, DeltaGenerator],
    measuring: Background[Importance, None],
    language: Language,
    *,
    orientation: Orientation,
) -> None:
    """Fill in the places as they are measured; at last draw a map like that of the model.

    Any touch of the page ends the script, this loop with it; the places are measured all the same,
    and the next run draws them.

    Parameters
    ----------
    piece
        Title.
    slots
        Room for each model, by name.
    orientation
        Of models that have pitch along x; of others time is along x.
    """
    fresh: dict[str, Importance] = {}
    try:
        for seen, part in enumerate(measuring.follow(), 1):
            fresh[part.model] = part
            if seen < len(measuring.results):  # more has come meanwhile: all at once
                continue
            for name in fresh.keys() & slots.keys():
                _draw(slots[name], piece, fresh[name], language, orientation)
            fresh.clear()
        measuring.result()
    except CCMusicError as error:
        for slot in slots.values():
            slot.caption(plain(told(error, language)))


def _draw(
    slot: DeltaGenerator,
    piece: str,
    part: Importance,
    language: Language,
    orientation: Orientation,
) -> None:
    time_first = part.picture.preprocessing.orientation == "time_along_x"
    where: Orientation = "time_along_x" if time_first else orientation
    genre = genre_name(part.genre, language)
    if part.done < 1:
        done = translate(language, "importance.progress", genre=genre, done=part.done)
        slot.html(f'<p class="region-line">{escape(done)}</p>{_cells(part, where)}')
        return
    with slot.container():
        st.html(f'<p class="region-line">{escape(_said(part, language))}</p>')
        show_figure(
            attention_figure(part, language, strongest=float(part.coarse.max()), orientation=where),
            language,
            piece,
            part.model,
            genre,
            key=f"importance_{part.model}",
            alt=translate(language, "importance.alt", genre=genre),
        )


def _said(part: Importance, language: Language) -> str:
    """What was measured, and how far it agrees with the map."""
    said = place_line(part, language, "importance")
    agreement = part.rank_correlation
    if agreement is None:
        return said
    figure = f"{agreement:.2f}".replace("-", "−")
    return said + translate(language, "importance.agreement", figure=figure)


def _cells(part: Importance, orientation: Orientation) -> str:
    """The places, as bright as they count; those to come are 0."""
    # Low frequencies first, time to the right: as on the page, low at the bottom or left.
    places = part.coarse[::-1] if orientation == "time_along_x" else part.coarse.T
    strongest = max(float(part.coarse.max()), 1e-6)
    red, green, blue = ORANGE
    cells = "".join(
        f'<i style="background:rgba({red},{green},{blue},{max(0.0, value / strongest):.2f})"></i>'
        if value
        else '<i class="pending"></i>'
        for value in places.ravel().tolist()
    )
    columns = f"grid-template-columns:repeat({places.shape[1]},1fr)"
    return f'<div class="places" aria-hidden="true" style="{columns}">{cells}</div>'
