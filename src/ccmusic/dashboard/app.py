"""The page: choose a recording, hear it, see it, and watch the models make up their minds."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import streamlit as st

from ccmusic.audio import Clip
from ccmusic.card import titles
from ccmusic.dashboard.attention import attention
from ccmusic.dashboard.compute import (
    PendingAnalysis,
    Piece,
    cached_spectrogram,
    decode_window,
    faulty_checkpoints,
    has_models,
    open_panel,
    start_analysis,
    waveform_envelope,
)
from ccmusic.dashboard.downloads import downloads
from ccmusic.dashboard.guide import guide
from ccmusic.dashboard.inputs import choose_input
from ccmusic.dashboard.markdown import plain, sentence
from ccmusic.dashboard.pipeline import pipeline
from ccmusic.dashboard.player import player, waveform, window
from ccmusic.dashboard.signal_figures import buttons, spectrogram_figure
from ccmusic.dashboard.timeline import timeline
from ccmusic.dashboard.verdicts import verdicts
from ccmusic.dashboard.weights import weights_window
from ccmusic.errors import CCMusicError, CheckpointError
from ccmusic.panel import Panel
from ccmusic.spectrogram import TRANSFORM_TITLES, TransformChoice, transforms_of
from ccmusic.texts import LANGUAGES, Language, translate

_HERE = Path(__file__).parent
_LANGUAGE_NAMES = {"zh": "中文", "en": "English"}
_VIEWS = ("verdicts", "way", "guide")
_CHOICES: tuple[TransformChoice, ...] = ("cqt", "mel", "both", "chroma")

_page_script = st.components.v2.component("ccmusic_page", js=(_HERE / "page.js").read_text("utf-8"))


def page() -> None:
    """Draw everything, from the top; Streamlit calls this anew after every touch."""
    st.set_page_config("CCMusic", str(_HERE / "icon.svg"), layout="wide")
    st.html(_HERE / "style.css")
    language = _header()
    left, right = st.columns([1, 2], gap="large")
    with left:
        piece = choose_input(language)
        transform = _choose_transform(language)
        panel: Panel | CheckpointError
        try:
            # Models load while the rest is drawn.
            panel = open_panel(transform)
        except CheckpointError as error:
            panel = error
        on = _choose_models(panel, language) if isinstance(panel, Panel) else []
        weights_window(language)
    with right:
        view = st.segmented_control(
            translate(language, "page.view"),
            _VIEWS,
            format_func=lambda view: translate(language, f"page.view_{view}"),
            key="view",
            required=True,
            label_visibility="collapsed",
        )
        _write_link(language, transform, view)
        if view == "guide":
            guide(language)
    if piece is None:
        if view != "guide":
            right.info(translate(language, "page.begin"))
        return
    try:
        start = window(piece)
        clip = decode_window(piece, start)
    except CCMusicError as error:
        right.error(plain(error.message(language)))
        return
    # Begun before anything is drawn, so that the models think meanwhile.
    pending = start_analysis(piece, transform, start) if isinstance(panel, Panel) else None
    with left:
        player(piece, clip, language)
    if view == "verdicts":
        with right:
            _spectrograms(piece, clip, transform, start, language)
        if isinstance(panel, CheckpointError):
            st.info(sentence(panel.message(language)))
        for problem in faulty_checkpoints():
            st.warning(plain(problem.message(language)))
        if isinstance(panel, Panel) and pending:
            _opinions(piece, clip, transform, panel, pending, on, language)
    elif view == "way" and pending:
        try:
            with right:
                pipeline(pending.result(), waveform_envelope(piece), language)
        except CCMusicError as error:
            right.error(plain(error.message(language)))
    _page_script(key="page_script", data={"language": language})


def _opinions(
    piece: Piece,
    clip: Clip,
    transform: TransformChoice,
    panel: Panel,
    pending: PendingAnalysis,
    on: Collection[str],
    language: Language,
) -> None:
    if not on:
        st.info(translate(language, "page.all_off"))
        return
    analysis = verdicts(pending, on, language)
    if analysis:
        attention(analysis, language)
    timeline(piece, clip, transform, panel, on, language)
    if analysis:
        downloads(analysis, language)


def _header() -> Language:
    """Title and language switch."""
    state = st.session_state
    if "language" not in state:
        asked, browser = st.query_params.get("lang"), st.context.locale or "zh"
        by_browser = "zh" if browser.startswith("zh") else "en"
        state.language = asked if asked in LANGUAGES else by_browser
        view = st.query_params.get("view")
        state.view = view if view in _VIEWS else _VIEWS[0]
    language: Language = state.language
    with st.container(
        key="header",
        horizontal=True,
        horizontal_alignment="distribute",
        vertical_alignment="center",
    ):
        with st.container(width="content", gap=None):
            st.title("CCMusic", anchor=False)
            st.markdown(translate(language, "page.tagline"))
        st.segmented_control(
            translate(language, "page.language"),
            LANGUAGES,
            format_func=_LANGUAGE_NAMES.__getitem__,
            key="language",
            required=True,
            label_visibility="collapsed",
        )
    # Streamlit's uploader speaks English only; the style sheet shows these words in its stead.
    words = "".join(
        f'--upload-{part}: "{translate(language, f"page.upload_{part}")}"; '
        for part in ("hint", "button", "refused")
    )
    st.html(f"<style>:root {{ {words} }}</style>")
    return language


def _choose_transform(language: Language) -> TransformChoice:
    state = st.session_state
    # Nothing of ours looks at chroma: it is offered to those who brought a model that does.
    offered = [t for t in _CHOICES if t != "chroma" or has_models(t)]
    if state.get("transform") not in offered:
        asked = st.query_params.get("transform")
        state.transform = asked if asked in offered else "cqt"
    st.segmented_control(
        translate(language, "page.transform"),
        offered,
        format_func=lambda t: (
            translate(language, "page.both") if t == "both" else TRANSFORM_TITLES[t]
        ),
        key="transform",
        required=True,
        help=translate(language, "page.transform_help"),
    )
    transform: TransformChoice = state.transform
    return transform


def _choose_models(panel: Panel, language: Language) -> list[str]:
    """Names of the models that are switched on: all, until the user says otherwise."""
    names = titles(panel.cards)
    return st.pills(
        translate(language, "page.models"),
        list(names),
        selection_mode="multi",
        default=list(names),
        format_func=names.__getitem__,
        key=f"models_{'_'.join(names)}",
        wrap=True,
    )


def _write_link(language: Language, transform: TransformChoice, view: str | None) -> None:
    """Keep the address such that it leads back to this view."""
    link: dict[str, str] = {"lang": language, "transform": transform}
    if view and view != _VIEWS[0]:
        link["view"] = view
    if st.session_state.example:
        link["example"] = st.session_state.example
    st.query_params.from_dict(link)


def _spectrograms(
    piece: Piece,
    clip: Clip,
    transform: TransformChoice,
    start: float | None,
    language: Language,
) -> None:
    """Waveform above, and below it one spectrogram, or CQT and Mel side by side."""
    title, turn = st.columns([3, 1], vertical_alignment="bottom")
    title.markdown(f"##### {plain(piece.title)}")
    turned = False
    if transform in ("cqt", "both"):
        turned = turn.toggle(translate(language, "page.turn"), key="turned")
    decoded = waveform_envelope(piece)
    slot = st.empty()
    shown = transforms_of(transform)
    for column, name in zip(st.columns(len(shown)), shown, strict=True):
        column.plotly_chart(
            spectrogram_figure(
                cached_spectrogram(piece, name, start),
                language,
                start=clip.info.window_start,
                sideways=name == "cqt" and not turned,
            ),
            config=buttons(language, zoom=True),
            key=f"spectrogram_{name}",
            alt=translate(language, "page.alt_spectrogram", name=piece.title),
        )
    st.caption(translate(language, "page.listen"))
    waveform(slot, decoded, piece, clip, language)


page()
