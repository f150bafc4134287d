"""The page: the verdict first, what it was made from beside it, and three groups of choices.

What to hear (music), how it is drawn (picture), and what else can be done with it (tools).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from html import escape
from math import isfinite
from pathlib import Path
from typing import NamedTuple

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from ccmusic.analysis import Analysis
from ccmusic.card import titles
from ccmusic.dashboard import dialog
from ccmusic.dashboard.attention import attention
from ccmusic.dashboard.change import change, curve
from ccmusic.dashboard.compare import compare
from ccmusic.dashboard.component import component
from ccmusic.dashboard.compute import (
    faulty_checkpoints,
    finished_piece,
    has_models,
    open_panel,
    start_waveform,
)
from ccmusic.dashboard.downloads import downloads
from ccmusic.dashboard.files import files_table
from ccmusic.dashboard.guide import guide
from ccmusic.dashboard.importance import importance
from ccmusic.dashboard.inputs import LARGEST_MB, choose_input, choose_other
from ccmusic.dashboard.live import live_window
from ccmusic.dashboard.markdown import plain, told
from ccmusic.dashboard.markup import (
    STATUS,
    changing,
    group,
    headline,
    makers_genre,
    style_words,
)
from ccmusic.dashboard.piece import Piece
from ccmusic.dashboard.pipeline import pipeline
from ccmusic.dashboard.player import move_to, play_button, player, waveform
from ccmusic.dashboard.shown import Shown, show
from ccmusic.dashboard.signal_figures import figure_script, spectrogram_chart
from ccmusic.dashboard.state import (
    TRANSFORMS,
    VIEWS,
    bound,
    browser_switch,
    field_of_state,
    sent,
    state,
)
from ccmusic.dashboard.timeline import has_timeline, strip_of, timeline
from ccmusic.dashboard.tour import keyboard, tour
from ccmusic.dashboard.typical import typical
from ccmusic.dashboard.verdicts import details, opinion, panel_answer, verdicts
from ccmusic.dashboard.visitors import largest_upload
from ccmusic.dashboard.voting import against_the_panel, ballot, is_covered, own_vote
from ccmusic.dashboard.weights import weights_window
from ccmusic.dashboard.whatif import before_and_after, pictures, what_if
from ccmusic.errors import CCMusicError, CheckpointError
from ccmusic.panel import Panel
from ccmusic.picture import Preprocessing
from ccmusic.result import PanelResult
from ccmusic.spectrogram import TRANSFORM_TITLES, TransformChoice, transforms_of
from ccmusic.texts import LANGUAGES, Language, capitalized, translate
from ccmusic.whole import WholePiece

_HERE = Path(__file__).parent
_LANGUAGE_NAMES = {"zh": "中文", "en": "English"}

_page_script = component("page", "region.js", "page.js", html=STATUS)


def page() -> None:
    """Draw the page; Streamlit runs this again after every interaction."""
    st.set_page_config("CCMusic", str(_HERE / "icon.svg"), layout="wide")
    st.html(_HERE / "style.css")
    language = _header()
    figure_script(language)
    if state().view == "guide":
        state().write_address()
        guide(language)
        _script(language)
        return
    stage, piece = _choose(language)
    if piece:
        state().turn_to(piece.token)
    state().write_address()
    if piece is None:
        lost = state().own is not None
        stage.answer.info(translate(language, "page.lost" if lost else "page.begin"))
        _script(language)
        return
    dimmed, judged = _Dimmed(stage.frame, piece.token), isinstance(stage.panel, Panel)
    try:
        shown = show(piece, stage.transform, stage.on, language, judged=judged)
    except CCMusicError as error:
        stage.answer.html(headline(piece.title, told(error, language)))
        dimmed.lift(*_Dimmed.PARTS)
        _script(language)
        if stage.pieces and stage.on:
            files_table(stage.pieces, stage.transform, stage.on, language)
        return
    st.set_page_config(f"{piece.title} · CCMusic")
    if state().view == "verdicts":
        _show_verdicts(shown, stage, dimmed)
    else:
        _show_way(shown, stage)
    dimmed.lift(*_Dimmed.PARTS)


@dataclass(frozen=True)
class _Stage:
    """Where the parts of the page stand, and what was chosen there."""

    frame: DeltaGenerator
    """Names the parts that are dimmed."""
    verdict: DeltaGenerator
    answer: DeltaGenerator
    versus: DeltaGenerator
    """The class against the panel."""
    picture: DeltaGenerator
    looks: DeltaGenerator
    """Typical pictures."""
    transform: TransformChoice
    pieces: list[Piece]
    """All files, if the piece is one of several."""
    other: Piece | None
    """To compare with."""
    on: list[str]
    """Names of the models that are switched on."""
    panel: Panel | CheckpointError


def _choose(language: Language) -> tuple[_Stage, Piece | None]:
    """Draw the stage with all choices; the piece that was chosen as well."""
    frame = st.empty()
    stage = st.container(key="stage", gap=None)
    verdict, invitation = stage.container(key="verdict"), stage.container(key="invitation")
    picture = stage.container(key="picture")
    with picture.container(key="view_of_sound", horizontal=True, vertical_alignment="bottom"):
        transform = _choose_transform(language)
        looks = st.empty()
    with stage.container(key="music"):
        piece, pieces = choose_input(invitation, transform, language)
        live_window(transform, language)
    with stage.container(key="tools"):
        other, on, panel = _tools(piece, transform, language)
    answer, versus = verdict.empty(), verdict.empty()
    places = (frame, verdict, answer, versus, picture, looks)
    return _Stage(*places, transform, pieces, other, on, panel), piece


class _Dimmed:
    """What is left of another piece: dimmed, part by part, until all of the part is of this one."""

    PARTS = ("verdict", "picture", "below")

    def __init__(self, frame: DeltaGenerator, token: str) -> None:
        self._frame, self._token = frame, token
        self._old = set() if state().drawn == token else set(self.PARTS)
        self.lift()

    def lift(self, *parts: str) -> None:
        """These parts are of the new piece now."""
        if self._old:
            self._old -= set(parts)
            self._frame.html(changing(self._old))
        if not self._old:
            state().drawn = self._token


class _Answer(NamedTuple):
    """What the panel says, so far as it stands."""

    analysis: Analysis | None = None
    """Of the window, before any edit."""
    whole: WholePiece | None = None
    changed: Analysis | None = None
    """Of the window as it was edited."""

    @property
    def leading(self) -> PanelResult | None:
        """Whose answer the page shows."""
        return self.analysis and (self.changed or self.whole or self.analysis)


def _show_verdicts(shown: Shown, stage: _Stage, dimmed: _Dimmed) -> None:
    """Draw the answer, the pictures, and what is below; at last what takes long."""
    piece, language = shown.piece, shown.language
    with stage.verdict:
        along = _ask(shown, stage)
    with stage.picture:
        wave, strip = _pictures(shown)
    answer = _answer(shown, stage, dimmed)
    said = opinion(answer.leading, language) if answer.leading else ""
    _script(language, shown, said)
    waveform(wave, start_waveform(piece), piece, shown.clip, language)
    dimmed.lift("verdict", "picture")
    with st.container(key="below"):
        for problem in faulty_checkpoints():
            st.warning(plain(told(problem, language)))
        if not (analysis := answer.analysis):
            return
        against_the_panel(stage.versus, piece, analysis, language)
        typical(stage.looks, analysis, language)
        enlarged, measuring, curves = _below(shown, stage, answer, analysis)
    dimmed.lift("below")
    # What is done in a window waits for the end of this run: nothing long, then.
    if dialog.is_open():
        return
    if along and not enlarged:
        curve(along, shown)
    if has_timeline(shown.clip):
        done = timeline(strip, curves, shown, partial(_tell, shown, stage, analysis))
        if done and not (answer.whole or shown.after or enlarged):
            st.rerun()  # the answer is now that of the piece
    if measuring and not enlarged:
        maps = {shown.sound: analysis}
        if answer.changed and isinstance(shown.after, Shown):
            maps[shown.after.sound] = answer.changed
        if importance(measuring, shown.transform, maps, language):
            st.rerun()


def _ask(shown: Shown, stage: _Stage) -> DeltaGenerator | None:
    """Draw the vote, and what can be done to the sound; room for a curve if one was asked for."""
    piece, language = shown.piece, shown.language
    if is_covered(piece):
        stage.answer.html(headline(piece.title, translate(language, "vote.ask")))
        ballot(piece, language)
    elif piece.genre:
        st.html(makers_genre(piece.genre, language))
    what_if(shown)
    return change(shown)


def _answer(shown: Shown, stage: _Stage, dimmed: _Dimmed) -> _Answer:
    """Draw the answer as the models decide, or why there is none."""
    piece, language, slot = shown.piece, shown.language, stage.answer
    if isinstance(stage.panel, CheckpointError):
        slot.html(headline(piece.title, capitalized(told(stage.panel, language))))
    elif not shown.on:
        slot.html(headline(piece.title, translate(language, "page.all_off")))
    elif shown.pending and not is_covered(piece):
        dimmed.lift("verdict")
        if shown.after:
            before, changed = before_and_after(slot, shown)
            return _Answer(before, changed=changed)
        cards = [card for card in stage.panel.cards if card.name in shown.on]
        known = finished_piece(piece, shown.transform) if has_timeline(shown.clip) else None
        whole = known and known.select(shown.on)
        return _Answer(verdicts(slot, shown, shown.pending, cards, whole), whole)
    return _Answer()


def _below(
    shown: Shown, stage: _Stage, answer: _Answer, analysis: Analysis
) -> tuple[bool, DeltaGenerator | None, DeltaGenerator]:
    """Draw what is below the first screen.

    Returns
    -------
    Whether a map is opened large; room to tell how far what counts is measured, if it is to be;
    and room for curves over time.
    """
    piece, language, changed = shown.piece, shown.language, answer.changed
    if stage.other:
        compare(shown, analysis, stage.other)
    judged = not has_timeline(shown.clip) or finished_piece(piece, shown.transform) is not None
    settled = judged and not state().curve
    enlarged, measuring = attention(piece.title, analysis, language, after=changed, settled=settled)
    details(answer.leading or analysis, language)
    curves = st.container()
    downloads(piece, changed or analysis, None if changed else answer.whole, language)
    if stage.pieces:
        files_table(stage.pieces, shown.transform, shown.on, language)
    return enlarged, measuring, curves


def _tell(shown: Shown, stage: _Stage, analysis: Analysis, done: int, windows: int) -> None:
    """Draw the answer of the window, and how much of the piece is judged."""
    if shown.after:  # the answer is that of the edited sound
        return
    title, own, progress = shown.piece.title, own_vote(shown.piece), (done, windows)
    stage.answer.html(
        panel_answer(analysis, shown.language, title=title, own=own, progress=progress)
    )


def _show_way(shown: Shown, stage: _Stage) -> None:
    """Draw the way of the data from the file to the probabilities."""
    _script(shown.language, shown)
    if shown.pending:
        covered, whole = is_covered(shown.piece), start_waveform(shown.piece)
        with stage.picture:
            try:
                pipeline(shown.pending.result(), whole, shown.language, covered=covered)
            except CCMusicError as error:
                st.error(plain(told(error, shown.language)))


def _script(language: Language, shown: Shown | None = None, said: str = "") -> None:
    """Hand the page's script what it needs; a click on the waveform comes back from it.

    Where there is no sound, Back and forward work all the same.

    Parameters
    ----------
    said
        Is read out.
    """
    data: dict[str, object] = {"language": language}
    if shown:
        keyboard(language)
        info = shown.clip.info
        region = translate(language, "player.region")
        data |= {"start": info.window_start, "end": info.window_end, "said": said, "region": region}

    def move() -> None:
        middle = sent("page_script").window
        # A browser may send anything.
        if shown and isinstance(middle, int | float) and isfinite(middle):
            move_to(shown.clip, float(middle))

    def go() -> None:
        if isinstance(address := sent("page_script").address, str):
            state().go(address)

    _page_script(key="page_script", data=data, on_window_change=move, on_address_change=go)


def _header() -> Language:
    """Draw name, views and languages; the language that the page is in."""
    language = state().language
    with st.container(key="header", horizontal=True, vertical_alignment="center"):
        tagline = escape(translate(language, "page.tagline"))
        st.html(f'<p class="brand"><b>CCMusic</b> <span>{tagline}</span></p>', width="stretch")
        st.segmented_control(
            translate(language, "page.view"),
            VIEWS,
            format_func=lambda view: translate(language, f"page.view_{view}"),
            required=True,
            label_visibility="collapsed",
            **field_of_state("view"),
        )
        st.segmented_control(
            translate(language, "page.language"),
            LANGUAGES,
            format_func=_LANGUAGE_NAMES.__getitem__,
            required=True,
            label_visibility="collapsed",
            **field_of_state("language"),
        )
        tour(language)
    # Streamlit's uploader is in English only; the style sheet replaces its words.
    mb = largest_upload(LARGEST_MB)
    parts = ("hint", "button", "refused")
    words = {f"upload-{part}": translate(language, f"page.upload_{part}", mb=mb) for part in parts}
    words["upload-try"] = translate(language, "page.upload")
    st.html(style_words(":root", words))
    return language


def _choose_transform(language: Language) -> TransformChoice:
    # No shipped model uses chroma: it is offered if the user has one that does.
    offered = [t for t in TRANSFORMS if t != "chroma" or has_models(t)]
    if state().transform not in offered:
        state().transform = "cqt"
    st.segmented_control(
        translate(language, "page.picture"),
        offered,
        format_func=lambda t: (
            translate(language, "page.both") if t == "both" else TRANSFORM_TITLES[t]
        ),
        required=True,
        help=translate(language, "page.transform_help"),
        **field_of_state("transform"),
    )
    if state().transform == "cqt":
        browser_switch("as_networks", translate(language, "page.as_networks"))
    return state().transform


def _tools(
    piece: Piece | None, transform: TransformChoice, language: Language
) -> tuple[Piece | None, list[str], Panel | CheckpointError]:
    """Piece to compare with, names of the models that are on, and the panel."""
    panel: Panel | CheckpointError
    try:
        # Models load while the rest is drawn.
        panel = open_panel(transform)
    except CheckpointError as error:
        panel = error
    st.html(group(translate(language, "page.tools")))
    with st.container(horizontal=True, key="folded", vertical_alignment="center"):
        other = choose_other(piece, language) if piece else None
        on = _choose_models(panel, language) if isinstance(panel, Panel) else []
        weights_window(language)
        st.toggle(
            translate(language, "vote.first"),
            help=translate(language, "vote.help"),
            **field_of_state("vote_first"),
        )
        if state().vote_first:
            st.toggle(
                translate(language, "vote.many"),
                help=translate(language, "vote.many_help"),
                **field_of_state("vote_many"),
            )
    return other, on, panel


def _choose_models(panel: Panel, language: Language) -> list[str]:
    """Names of the models that are switched on: all, until the user says otherwise."""
    page, names = state(), titles(panel.cards)
    on = [name for name in names if name not in page.off]

    def remember(chosen: list[str]) -> None:
        page.off = (page.off - set(names)) | (set(names) - set(chosen))

    with st.popover(translate(language, "page.models"), icon=":material/tune:"):
        return st.pills(
            translate(language, "page.models"),
            list(names),
            selection_mode="multi",
            format_func=lambda name: plain(names[name]),
            wrap=True,
            **bound("models", on, remember, late=True),
        )


def _pictures(shown: Shown) -> tuple[DeltaGenerator, DeltaGenerator]:
    """One spectrogram, or CQT and Mel side by side; below, room for waveform and genres.

    Of silence there is no spectrogram: it would be black.
    """
    language = shown.language
    if shown.window.judged != "silent":
        _spectrograms(shown)
    with st.container(key="sound"):
        play_button(language)
        with st.container(key="piece"):
            wave, strip = st.empty(), st.empty()
            if has_timeline(shown.clip):  # its room is kept from the start
                strip.html(strip_of((), shown))
    player(shown)
    hints = f"{translate(language, 'term.decibel')}\n\n{translate(language, 'keyboard.help')}"
    st.caption(translate(language, "page.listen"), help=hints)
    return wave, strip


def _spectrograms(shown: Shown) -> None:
    language = shown.language
    with st.container(key="spectrograms", horizontal=True, gap="small"):
        for name in transforms_of(shown.transform):
            spectrogram_chart(
                shown.window,
                Preprocessing.default(name).transform,
                shown.piece.title,
                language,
                key="spectrogram",
            )
        if isinstance(shown.after, Shown) and shown.after.window.judged != "silent":
            pictures(shown, shown.after)


page()
