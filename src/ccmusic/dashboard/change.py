"""Change it: sliders for pitch, tempo, band, noise and loudness, and the verdict along a slider."""

from __future__ import annotations

from collections.abc import Collection
from math import inf
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from ccmusic.dashboard.compute import start_variants
from ccmusic.dashboard.markdown import plain, told
from ccmusic.dashboard.shown import Shown
from ccmusic.dashboard.signal_figures import show_figure
from ccmusic.dashboard.state import bound, state
from ccmusic.dashboard.verdict_figures import slider_figure
from ccmusic.edits import Change, Edit, OneChannel, Without, arrange
from ccmusic.errors import CCMusicError
from ccmusic.texts import Language, number, translate

# Steps of each slider; the first named is the sound as it is.
_AS_IS: dict[str, float | str] = {
    "pitch": 0.0,
    "tempo": 1.0,
    "highpass": 0.0,
    "lowpass": inf,
    "noise": inf,
    "gain": 0.0,
    "channel": "mix",
}
_STEPS: dict[str, tuple[Any, ...]] = {
    "pitch": tuple(map(float, range(-12, 13))),
    "tempo": (0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.35, 1.5, 1.75, 2.0),
    "highpass": (0.0, 50.0, 100.0, 200.0, 350.0, 500.0, 700.0, 1e3, 1.4e3, 2e3, 2.8e3, 4e3),
    "lowpass": (200.0, 300.0, 500.0, 700.0, 1e3, 1.4e3, 2e3, 2.8e3, 4e3, 5.6e3, 8e3, inf),
    "noise": (inf, 60.0, 50.0, 40.0, 30.0, 25.0, 20.0, 15.0, 10.0, 5.0, 0.0, -5.0),
    "gain": (-40.0, -32.0, -24.0, -18.0, -12.0, -6.0, 0.0, 6.0, 12.0, 18.0, 24.0, 30.0),
    "channel": ("mix", "left", "right"),
}
_MOST = 16  # points of a curve: of more steps, every second one


def value_of(edits: Collection[Edit], name: str) -> float | str:
    """What a slider stands at.

    >>> value_of([Change(pitch=2)], "pitch"), value_of([Change(pitch=2)], "tempo")
    (2.0, 1.0)
    """
    for edit in edits:
        if isinstance(edit, OneChannel) and name == "channel":
            return edit.channel
        if isinstance(edit, Change) and getattr(edit, name, None) is not None:
            value: float = getattr(edit, name)
            return value
    return _AS_IS[name]


def with_value(edits: Collection[Edit], name: str, value: float | str) -> tuple[Edit, ...]:
    """The edits when a slider is moved: the channel first, then regions, then the changes.

    >>> with_value([Change(pitch=2), Without(band=(64, 127))], "pitch", 0.0)
    (Without(edit='without', band=(64.0, 127.0), seconds=None),)
    """
    values = {other: value_of(edits, other) for other in _AS_IS} | {name: value}
    moved: dict[str, Any] = {n: v for n, v in values.items() if v != _AS_IS[n]}
    regions = [edit for edit in edits if isinstance(edit, Without)]
    return arrange(moved.pop("channel", None), regions, moved)


def steps_of(edits: Collection[Edit], name: str, sample_rate: int) -> list[Any]:
    """Where a slider may stand: filters below half the sample rate, and not past each other."""
    low, high = value_of(edits, "highpass"), value_of(edits, "lowpass")

    def allowed(step: Any) -> bool:
        if step == _AS_IS[name] or name not in ("highpass", "lowpass"):
            return True
        return bool(step < sample_rate / 2 and (step < high if name == "highpass" else step > low))

    steps = {step for step in _STEPS[name] if allowed(step)} | {value_of(edits, name)}
    if name == "channel":
        return sorted(steps, key=_STEPS[name].index)
    return sorted(steps, reverse=name == "noise")  # which grows to the right as all else does


def change(shown: Shown) -> DeltaGenerator | None:
    """Draw a slider; room for its curve, where that was asked for."""
    page, language, info = state(), shown.language, shown.clip.info
    edits = page.edits
    names = [name for name in _AS_IS if name != "channel" or info.channels == 2]

    def label(step: Any) -> str:
        if step == _AS_IS[name]:
            return translate(language, f"change.{name}_as_is")
        if name == "channel":
            return translate(language, f"change.{step}")
        return translate(language, f"change.{name}_value", value=step)

    with st.expander(
        translate(language, "change.title"), icon=":material/tune:", key="change_sound"
    ):
        chosen = st.pills(
            translate(language, "change.what"),
            names,
            format_func=lambda name: translate(language, f"change.{name}"),
            default=names[0],
            key="change_what",
            required=True,
            label_visibility="collapsed",
            wrap=True,
        )
        name = chosen or names[0]  # a browser can send that nothing is
        st.select_slider(
            translate(language, f"change.{name}"),
            steps_of(edits, name, info.sample_rate),
            format_func=label,
            **bound(
                f"change_{name}",
                value_of(edits, name),
                lambda value: page.edit(with_value(edits, name, value)),
                anew=True,
            ),
        )

        def ask() -> None:
            page.curve = None if page.curve == name else name

        st.button(
            translate(language, "change.curve"),
            icon=":material/show_chart:",
            key="ask_curve",
            on_click=ask,
        )
        return st.empty() if page.curve == name else None


def curve(slot: DeltaGenerator, shown: Shown) -> None:
    """Draw how the verdict changes along the slider."""
    language, edits, name = shown.language, state().edits, state().curve
    assert name is not None
    steps = steps_of(edits, name, shown.clip.info.sample_rate)
    if len(steps) > _MOST:
        steps = [step for step in steps if step in {*_STEPS[name][::2], value_of(edits, name)}]
    variants = tuple(with_value(edits, name, step) for step in steps)
    try:
        asked = start_variants(shown.sound, shown.transform, variants)
        done = 0
        for done, _ in enumerate(asked.follow(), 1):
            slot.caption(translate(language, "change.progress", done=done, all=len(steps)))
        means = [analysis.select(shown.on).mean for analysis in asked.result()]
    except CCMusicError as error:
        slot.caption(plain(told(error, language)))
        return
    figure = slider_figure(
        [_short(step, language) for step in steps],
        means,
        steps.index(value_of(edits, name)),
        translate(language, f"change.{name}_axis"),
        language,
    )
    words = translate(language, "change.curve_of", name=translate(language, f"change.{name}"))
    title = shown.piece.title
    show_figure(figure, language, title, words, key="curve", alt=words, slot=slot)


def _short(step: float | str, language: Language) -> str:
    if isinstance(step, str):
        return translate(language, f"change.{step}")
    return "–" if step == inf else number(step, "g")
