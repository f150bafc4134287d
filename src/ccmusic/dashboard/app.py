"""The page: the verdict first, what it was made from beside it, and three groups of choices.

What to hear (music), how it is drawn (picture), and what else can be done with it (tools).
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from math import isfinite
from pathlib import Path

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from ccmusic.axes import Orientation
from ccmusic.card import titles
from ccmusic.dashboard import dialog
from ccmusic.dashboard.address import (
    TRANSFORMS,
    VIEWS,
    apply_address,
    read_address,
    write_address,
)
from ccmusic.dashboard.attention import attention
from ccmusic.dashboard.change import change, curve
from ccmusic.dashboard.compare import compare
from ccmusic.dashboard.compute import (
    faulty_checkpoints,
    finished_piece,
    has_models,
    open_panel,
    prepared,
    start_waveform,
)
from ccmusic.dashboard.downloads import downloads
from ccmusic.dashboard.files import files_table
from ccmusic.dashboard.guide import guide
from ccmusic.dashboard.importance import importance, known_analysis
from ccmusic.dashboard.inputs import LARGEST_MB, choose_input, choose_other, show
from ccmusic.dashboard.live import live_window
from ccmusic.dashboard.markdown import plain, told
from ccmusic.dashboard.markup import STATUS, changing, group, headline, makers_genre
from ccmusic.dashboard.piece import Piece
from ccmusic.dashboard.pipeline import pipeline
from ccmusic.dashboard.player import move_to, play_button, player, waveform, window_start
from ccmusic.dashboard.signal_figures import figure_script, spectrogram_chart
from ccmusic.dashboard.timeline import has_course, strip_of, timeline
from ccmusic.dashboard.tour import keyboard, tour
from ccmusic.dashboard.typical import typical
from ccmusic.dashboard.verdicts import details, opinion, panel_answer, verdicts
from ccmusic.dashboard.visitors import largest_upload
from ccmusic.dashboard.voting import against_the_panel, ballot, is_covered, own_vote
from ccmusic.dashboard.weights import weights_window
from ccmusic.dashboard.whatif import Edited, before_and_after, edited, edits_of, pictures, what_if
from ccmusic.errors import CCMusicError, CheckpointError
from ccmusic.panel import Panel
from ccmusic.picture import Preprocessing
from ccmusic.prepare import Prepared
from ccmusic.spectrogram import TRANSFORM_TITLES, TransformChoice, transforms_of
from ccmusic.texts import LANGUAGES, Language, capitalized, translate

_HERE = Path(__file__).parent
_LANGUAGE_NAMES = {"zh": "中文", "en": "English"}

_page_script = st.components.v2.component(
    "ccmusic_page",
    html=STATUS,
    js="".join((_HERE / name).read_text("utf-8") for name in ("region.js", "page.js")),
)


def page() -> None:
    """Draw the page; Streamlit runs this again after every interaction."""
    st.set_page_config("CCMusic", str(_HERE / "icon.svg"), layout="wide")
    st.html(_HERE / "style.css")
    read_address()
    language, view = _header()
    figure_script(language)
    if view == "guide":
        write_address()
        guide(language)
        _script_alone(language)
        return
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
    slot, versus = verdict.empty(), verdict.empty()
    if piece:
        edits_of(piece)
    write_address()
    if piece is None:
        lost = st.session_state.own is not None
        slot.info(translate(language, "page.lost" if lost else "page.begin"))
        _script_alone(language)
        return

    # What is left of another piece is dimmed, part by part, until all of the part is of this one.
    old = {"verdict", "picture", "below"} if st.session_state.get("drawn") != piece.token else set()

    def fresh(*parts: str) -> None:
        nonlocal old
        if old:
            old -= set(parts)
            frame.html(changing(old))
        if not old:
            st.session_state.drawn = piece.token

    fresh()

    def show_nth(place: int) -> None:
        show(pieces[place].token)

    try:
        start = window_start(piece, transform)
        decoded = prepared(piece, transform, start)
    except CCMusicError as error:
        slot.html(headline(piece.title, told(error, language)))
        fresh("verdict", "picture", "below")
        _script_alone(language)
        if pieces and on:
            files_table(pieces, transform, on, language, show_nth)
        return
    st.set_page_config(f"{piece.title} · CCMusic")
    clip = decoded.clip
    # Started before anything is drawn, so that the models run meanwhile.
    pending = known_analysis(piece, transform, start) if isinstance(panel, Panel) else None
    as_networks = st.session_state.as_networks and transform == "cqt"
    orientation: Orientation = "pitch_along_x" if as_networks else "time_along_x"
    after = edited(piece, transform, start, asked=pending is not None)
    shown = _Shown(piece, decoded, transform, start, orientation, language, after)
    covered = is_covered(piece)
    if view == "verdicts":
        with verdict:
            if covered:
                asked = translate(language, "vote.ask")
                slot.html(headline(piece.title, asked))
                ballot(piece, language)
            elif piece.genre:
                st.html(makers_genre(piece.genre, language))
            what_if(piece, transform, clip, start, after, language)
            along = change(piece, clip, language)
        with picture:
            wave, strip = _pictures(shown)
        analysis, whole, changed = None, None, None
        if isinstance(panel, CheckpointError):
            slot.html(headline(piece.title, capitalized(told(panel, language))))
        elif not on:
            all_off = translate(language, "page.all_off")
            slot.html(headline(piece.title, all_off))
        elif pending and after and not covered:
            fresh("verdict")
            analysis, changed = before_and_after(slot, piece.title, pending, after, on, language)
        elif pending and not covered:
            cards = [card for card in panel.cards if card.name in on]
            if has_course(clip) and (known := finished_piece(piece, transform)):
                whole = known.select(on)
            fresh("verdict")
            own = own_vote(piece)
            analysis = verdicts(slot, piece.title, pending, cards, language, own, whole)
        said = opinion(changed or whole or analysis, language) if analysis else ""
        _script(shown, said)
        waveform(wave, start_waveform(piece), piece, clip, language)
        fresh("verdict", "picture")
        below = st.container(key="below")
        with below:
            for problem in faulty_checkpoints():
                st.warning(plain(told(problem, language)))
        if analysis:
            against_the_panel(versus, piece, analysis, language)
            typical(looks, analysis, language)
            with below:
                if other:
                    compare(piece, analysis, start, other, on, language, orientation=orientation)
                enlarged, measuring = attention(
                    piece.title, analysis, language, orientation=orientation, after=changed
                )
                details(changed or whole or analysis, language)
                curves = st.container()
                downloads(piece, changed or analysis, None if changed else whole, language)
                if pieces:
                    files_table(pieces, transform, on, language, show_nth)
            fresh("below")

            def tell(done: int, windows: int) -> None:
                if after:  # the answer is that of the edited sound
                    return
                so_far = panel_answer(
                    analysis, language, title=piece.title, own=own, progress=(done, windows)
                )
                slot.html(so_far)

            # What is done in a window waits for the end of this run: nothing long, then.
            if along and not (enlarged or dialog.is_open()):
                curve(along, piece, transform, clip, start, on, language)
            if has_course(clip) and not dialog.is_open():
                done = timeline(strip, curves, piece, clip, transform, on, language, tell)
                if done and not (whole or after or enlarged):  # the answer is now that of the piece
                    st.rerun()
            if measuring and not (enlarged or dialog.is_open()):
                maps = {(): analysis, **({edits_of(piece): changed} if changed else {})}
                if importance(measuring, piece, transform, start, maps, language):
                    st.rerun()
    elif pending:
        _script(shown, "")
        try:
            with picture:
                pipeline(pending.result(), start_waveform(piece), language, covered=covered)
        except CCMusicError as error:
            picture.error(plain(told(error, language)))
    fresh("verdict", "picture", "below")


@dataclass(frozen=True)
class _Shown:
    """What the page is about."""

    piece: Piece
    window: Prepared
    transform: TransformChoice
    start: float | None
    orientation: Orientation
    """Of a CQT; of others time is along x."""
    language: Language
    after: Edited | CCMusicError | None
    """The sound as it was edited."""


def _script(shown: _Shown, said: str) -> None:
    """Hand the page's script what it needs; a click on the waveform comes back from it."""

    def move() -> None:
        middle = st.session_state.page_script.window
        if isinstance(middle, int | float) and isfinite(middle):  # a browser may send anything
            move_to(shown.window.clip, float(middle))

    keyboard(shown.language)
    info = shown.window.clip.info
    _page_script(
        key="page_script",
        data={
            "language": shown.language,
            "start": info.window_start,
            "end": info.window_end,
            "said": said,
            "region": translate(shown.language, "player.region"),
        },
        on_window_change=move,
        on_address_change=_go,
    )


def _script_alone(language: Language) -> None:
    """The page's script where there is no sound: Back and forward work there too."""
    _page_script(
        key="page_script",
        data={"language": language},
        on_address_change=_go,
    )


def _go() -> None:
    """Back or forward was pressed: the state is that of the address."""
    address = st.session_state.page_script.address
    if isinstance(address, str):
        apply_address(address)


def _header() -> tuple[Language, str]:
    """Name, views and languages."""
    state = st.session_state
    language: Language = state.language
    with st.container(key="header", horizontal=True, vertical_alignment="center"):
        tagline = escape(translate(language, "page.tagline"))
        st.html(f'<p class="brand"><b>CCMusic</b> <span>{tagline}</span></p>', width="stretch")
        view = st.segmented_control(
            translate(language, "page.view"),
            VIEWS,
            format_func=lambda view: translate(language, f"page.view_{view}"),
            key="view",
            required=True,
            label_visibility="collapsed",
        )
        st.segmented_control(
            translate(language, "page.language"),
            LANGUAGES,
            format_func=_LANGUAGE_NAMES.__getitem__,
            key="language",
            required=True,
            label_visibility="collapsed",
        )
        tour(language)
    # Streamlit's uploader is in English only; the style sheet replaces its words.
    mb = largest_upload(LARGEST_MB)
    words = "".join(
        f'--upload-{part}: "{translate(language, f"page.upload_{part}", mb=mb)}"; '
        for part in ("hint", "button", "refused")
    )
    words += f'--upload-try: "{translate(language, "page.upload")}"; '
    st.html(f"<style>:root {{ {words} }}</style>")
    return language, view or VIEWS[0]


def _choose_transform(language: Language) -> TransformChoice:
    state = st.session_state
    # No shipped model uses chroma: it is offered if the user has one that does.
    offered = [t for t in TRANSFORMS if t != "chroma" or has_models(t)]
    if state.transform not in offered:
        state.transform = "cqt"
    st.segmented_control(
        translate(language, "page.picture"),
        offered,
        format_func=lambda t: (
            translate(language, "page.both") if t == "both" else TRANSFORM_TITLES[t]
        ),
        key="transform",
        required=True,
        persist_state="session",
        help=translate(language, "page.transform_help"),
    )
    transform: TransformChoice = state.transform
    if transform == "cqt":
        st.toggle(
            translate(language, "page.as_networks"), key="as_networks", persist_state="session"
        )
    return transform


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
            key="vote_first",
            persist_state="session",
            help=translate(language, "vote.help"),
        )
        if st.session_state.vote_first:
            st.toggle(
                translate(language, "vote.many"),
                key="vote_many",
                persist_state="session",
                help=translate(language, "vote.many_help"),
            )
    return other, on, panel


def _choose_models(panel: Panel, language: Language) -> list[str]:
    """Names of the models that are switched on: all, until the user says otherwise."""
    names, state = titles(panel.cards), st.session_state
    key = f"models_{'_'.join(names)}"
    # In every run: the browser draws the pills only when they are looked at, and knows nothing of
    # what an earlier run has told it.
    state[key] = [name for name in names if name not in state.off]

    def remember() -> None:
        state.off = (state.off - set(names)) | (set(names) - set(state[key]))

    with st.popover(translate(language, "page.models"), icon=":material/tune:"):
        return st.pills(
            translate(language, "page.models"),
            list(names),
            selection_mode="multi",
            format_func=lambda name: plain(names[name]),
            key=key,
            on_change=remember,
            wrap=True,
        )


def _pictures(shown: _Shown) -> tuple[DeltaGenerator, DeltaGenerator]:
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
            if has_course(shown.window.clip):  # its room is kept from the start
                strip.html(strip_of((), shown.window.clip.info, language))
    player(shown.piece, shown.window, language)
    hints = f"{translate(language, 'term.decibel')}\n\n{translate(language, 'keyboard.help')}"
    st.caption(translate(language, "page.listen"), help=hints)
    return wave, strip


def _spectrograms(shown: _Shown) -> None:
    language = shown.language
    with st.container(key="spectrograms", horizontal=True, gap="small"):
        for name in transforms_of(shown.transform):
            spectrogram_chart(
                shown.window,
                Preprocessing.default(name).transform,
                shown.piece.title,
                language,
                key="spectrogram",
                orientation=shown.orientation,
            )
        if isinstance(shown.after, Edited) and shown.after.window.judged != "silent":
            pictures(
                shown.piece,
                shown.window,
                shown.after,
                shown.transform,
                language,
                orientation=shown.orientation,
            )


page()
