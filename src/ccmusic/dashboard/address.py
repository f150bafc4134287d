"""The page's state as the query of its address: a link, a reload and Back bring it back."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from urllib.parse import parse_qsl

import streamlit as st

from ccmusic.dashboard.examples import find_examples
from ccmusic.edits import Change, Edit, OneChannel, Without
from ccmusic.errors import CCMusicError
from ccmusic.spectrogram import TransformChoice
from ccmusic.texts import LANGUAGES

VIEWS = ("verdicts", "way", "guide")
TRANSFORMS: tuple[TransformChoice, ...] = ("cqt", "mel", "both", "chroma")


def read_address() -> None:
    """On the first run of a session, take over what the address says.

    Later too if a client has sent that no language is chosen, which the page cannot.
    """
    if st.session_state.get("language") is None:
        _take(st.query_params.to_dict())


def apply_address(query: str) -> None:
    """Take over another address of this page, as Back and Forward bring it."""
    asked = dict(parse_qsl(query.removeprefix("?")))
    _take(asked)
    st.session_state.written = asked


def _take(asked: Mapping[str, str]) -> None:
    """What the address says, and the default wherever it says nothing or nonsense."""
    state, examples = st.session_state, find_examples()
    by_browser = "zh" if (st.context.locale or "zh").startswith("zh") else "en"
    language = asked.get("lang")
    state.language = language if language in LANGUAGES else by_browser
    view = asked.get("view")
    state.view = view if view in VIEWS else VIEWS[0]
    transform = asked.get("transform")
    state.transform = transform if transform in TRANSFORMS else TRANSFORMS[0]
    # The shelf of a visitor's own pieces is one session's: who comes later to the same browser
    # finds it only by an address of that session.
    shelf, _, own = asked.get("own", "").partition("-")
    state.shelf = shelf or state.get("shelf") or secrets.token_hex(4)
    state.own = own or None
    example = asked.get("example")
    first = None if own else next(iter(examples), None)
    state.example = example if example in examples else first
    state.other = asked.get("other")
    state.asked_start = _number(asked.get("start"))
    state.off = set(filter(None, asked.get("off", "").split(",")))
    for key in [
        k for k in state if str(k).startswith(("models_", "example_", "other_", "window_"))
    ]:
        del state[key]
    state.edits, state.edits_of, state.edits_before = _edits(asked), None, []
    state.as_networks = asked.get("networks") == "1"
    state.map_genre = asked.get("map")
    state.vote_first = asked.get("vote") in ("1", "many")
    state.vote_many = asked.get("vote") == "many"
    for kept in ("votes", "hands", "score"):
        state.setdefault(kept, {})
    state.arrived = True


def _edits(asked: Mapping[str, str]) -> tuple[Edit, ...]:
    """What is done to the sound, as the command line has it; several regions stand in a row."""
    edits: list[Edit] = []
    try:
        if channel := asked.get("channel"):
            edits.append(OneChannel(channel=channel))
        regions = filter(None, asked.get("without", "").split(";"))
        edits.extend(Without.parse(region) for region in regions)
        if change := {name: float(asked[name]) for name in Change.names if name in asked}:
            edits.append(Change(**change))
    except (CCMusicError, ValueError):
        return ()
    return tuple(edits)


def _written(edits: Iterable[Edit]) -> dict[str, str]:
    """The same as a part of the link."""
    link: dict[str, str] = {}
    regions: list[str] = []
    for edit in edits:
        if isinstance(edit, Without):
            spans = ((edit.band, "Hz"), (edit.seconds, "s"))
            parts = (f"{span[0]:.7g}-{span[1]:.7g}{unit}" for span, unit in spans if span)
            regions.append(",".join(parts))
        elif isinstance(edit, Change):
            values = ((name, getattr(edit, name)) for name in Change.names)
            link |= {name: f"{value:g}" for name, value in values if value is not None}
        else:
            link["channel"] = edit.channel
    return {**({"without": ";".join(regions)} if regions else {}), **link}


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None


def write_address() -> None:
    """Keep the address such that it leads back to this view; call it once in each run."""
    state = st.session_state
    link = _link()
    shown = st.query_params.to_dict()
    if shown != state.get("written", shown):
        # Back or Forward has moved the address, and apply_address follows: to write now would
        # put the old view over the one that is asked for.
        return
    # Streamlit makes every write a step of the browser's history. One on arrival, just to say the
    # same more fully, would be a step that Back never gets past.
    if state.arrived:
        state.arrived = False
    elif link != state.link:
        st.query_params.from_dict(link)
        shown = link
    state.link, state.written = link, shown


def _link() -> dict[str, str]:
    state = st.session_state
    link = {"lang": state.language, "transform": state.transform}
    if state.view != VIEWS[0]:
        link["view"] = state.view
    if state.example:
        link["example"] = state.example
    if state.own or state.get("shelved"):
        link["own"] = f"{state.shelf}-{state.own or ''}"
    if state.other:
        link["other"] = state.other
    if state.asked_start is not None:
        link["start"] = f"{state.asked_start:g}"
    link |= _written(state.edits)
    if state.off:
        link["off"] = ",".join(sorted(state.off))
    if state.as_networks:
        link["networks"] = "1"
    if state.map_genre:
        link["map"] = state.map_genre
    if state.vote_first:
        link["vote"] = "many" if state.vote_many else "1"
    return link
