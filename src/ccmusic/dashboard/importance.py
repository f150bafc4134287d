"""What counts, measured while the visitor looks at the verdict: the maps are then of that."""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from ccmusic.analysis import Analysis
from ccmusic.dashboard.compute import start_importance
from ccmusic.dashboard.markdown import plain, told
from ccmusic.dashboard.piece import Sound
from ccmusic.dashboard.state import field_of_state
from ccmusic.errors import CCMusicError
from ccmusic.spectrogram import TransformChoice
from ccmusic.texts import Language, translate


def wanted(language: Language) -> bool:
    """Draw the switch to the activation maps; whether what counts is to be measured instead."""
    return not st.toggle(
        translate(language, "occlusion.switch"),
        help=translate(language, "occlusion.switch_help"),
        **field_of_state("activation_maps"),
    )


def importance(
    slot: DeltaGenerator,
    transform: TransformChoice,
    shown: dict[Sound, Analysis],
    language: Language,
) -> bool:
    """Measure what counts, telling how far it is; whether the page now knows more than it shows.

    Any touch of the page ends the script, this loop with it; who comes back in time finds what was
    measured meanwhile.

    Parameters
    ----------
    shown
        The analyses that are shown.
    """
    news = False
    for sound, analysis in shown.items():
        if analysis.measured:
            continue
        try:
            measuring = start_importance(sound, transform)
            for part in measuring.follow():
                slot.caption(translate(language, "occlusion.progress", done=part.done))
            measuring.result()
            news = True
        except CCMusicError as error:
            slot.caption(plain(told(error, language)))
    return news
