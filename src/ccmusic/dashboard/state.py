"""The state of the page, and the address as its serialisation.

All of the state that is not inside a widget of Streamlit lies in one :class:`State`, and only this
module touches Streamlit's own.
"""

from __future__ import annotations

import math
import secrets
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, fields
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, Self
from urllib.parse import parse_qsl

import numpy as np
import streamlit as st

from ccmusic.dashboard.examples import find_examples
from ccmusic.edits import Change, Edit, Without, arrange
from ccmusic.errors import CCMusicError
from ccmusic.spectrogram import TransformChoice
from ccmusic.texts import LANGUAGES, Language

if TYPE_CHECKING:
    from ccmusic.workshop.importer import ImportReport

VIEWS = ("verdicts", "way", "guide")
TRANSFORMS: tuple[TransformChoice, ...] = ("cqt", "mel", "both", "chroma")


def _language_of_browser() -> Language:
    return "zh" if (st.context.locale or "zh").startswith("zh") else "en"


@dataclass
class Address:
    """What the address says of the page.

    >>> Address.from_query({"lang": "en", "start": "7.5", "view": "nonsense"}).start
    7.5
    """

    language: Language = field(default_factory=_language_of_browser)
    transform: TransformChoice = "cqt"
    view: str = VIEWS[0]
    example: str | None = None
    """Stem of the example's file."""
    own: str | None = None
    """Token of a piece that the visitor brought."""
    shelf: str = field(default_factory=partial(secrets.token_hex, 4))
    """Where the visitor's pieces lie. It is one session's: who comes later to the same browser
    finds it only by an address of that session."""
    shelved: bool = False
    """Whether any piece lies there."""
    other: str | None = None
    """Example or token of the piece to compare with."""
    start: float | None = None
    """First second of the window; None while it lies in the middle."""
    edits: tuple[Edit, ...] = ()
    off: frozenset[str] = frozenset()
    """Names of the models that are switched off."""
    as_networks: bool = False
    map_genre: str = ""
    vote_first: bool = False
    vote_many: bool = False

    @classmethod
    def from_query(cls, query: Mapping[str, str], **known: Any) -> Self:
        """State that a query asks for, and the default wherever it says nothing or nonsense.

        Parameters
        ----------
        query
            Anything: it comes from a browser.
        known
            Fields that the query may leave as they are.
        """
        said = {key: value for key, value in query.items() if value.isprintable()}
        for part in _PARTS:
            with suppress(KeyError, ValueError, CCMusicError):
                known |= part.read(said)
        asked = cls(**known)
        if not (asked.example or asked.own):
            asked.example = next(iter(find_examples()), None)
        return asked

    def to_query(self) -> dict[str, str]:
        """Query that leads back to this state."""
        return {key: text for part in _PARTS for key, text in part.write(self).items()}


class _Part(NamedTuple):
    """Some of the fields of an :class:`Address`, and their place in its query."""

    read: Callable[[Mapping[str, str]], dict[str, Any]]
    """Raises KeyError where the query says nothing, ValueError or CCMusicError of nonsense."""
    write: Callable[[Address], dict[str, str]]


_DEFAULTS = {one.name: one.default for one in fields(Address)}


def _field(
    key: str,
    name: str,
    parse: Callable[[str], Any] = str,
    text: Callable[[Any], str] = str,
    *,
    always: bool = False,
) -> _Part:
    """One field under one key; its default is left out unless it is always written."""

    def write(address: Address) -> dict[str, str]:
        value = getattr(address, name)
        return {key: text(value)} if always or value != _DEFAULTS[name] else {}

    return _Part(lambda query: {name: parse(query[key])}, write)


def _one_of(known: Collection[str], text: str) -> str:
    if text not in known:
        raise ValueError(text)
    return text


def _seconds(text: str) -> float:
    if not math.isfinite(seconds := float(text)):
        raise ValueError(text)
    return seconds


def _number(value: float) -> str:
    """The shortest text that is read as the same number; without an exponent, which has a dash."""
    return np.format_float_positional(value, trim="-")


def _read_shelf(query: Mapping[str, str]) -> dict[str, Any]:
    shelf, _, own = query["own"].partition("-")
    return {"own": own or None, "shelved": True, **({"shelf": shelf} if shelf else {})}


def _write_shelf(address: Address) -> dict[str, str]:
    told = address.own or address.shelved
    return {"own": f"{address.shelf}-{address.own or ''}"} if told else {}


def _read_edits(query: Mapping[str, str]) -> dict[str, Any]:
    """What is done to the sound, as the command line has it; several regions stand in a row."""
    channel: Any = query.get("channel")  # refused if there is no such
    regions = map(Without.parse, filter(None, query.get("without", "").split(";")))
    change = {name: float(query[name]) for name in Change.names if name in query}
    return {"edits": arrange(channel, regions, change)}


def _write_edits(address: Address) -> dict[str, str]:
    link: dict[str, str] = {}
    regions: list[str] = []
    for edit in address.edits:
        if isinstance(edit, Without):
            spans = ((edit.band, "Hz"), (edit.seconds, "s"))
            parts = (f"{_number(span[0])}-{_number(span[1])}{unit}" for span, unit in spans if span)
            regions.append(",".join(parts))
        elif isinstance(edit, Change):
            values = ((name, getattr(edit, name)) for name in Change.names)
            link |= {name: _number(value) for name, value in values if value is not None}
        else:
            link["channel"] = edit.channel
    return {**({"without": ";".join(regions)} if regions else {}), **link}


def _read_vote(query: Mapping[str, str]) -> dict[str, Any]:
    return {"vote_first": query["vote"] in ("1", "many"), "vote_many": query["vote"] == "many"}


def _write_vote(address: Address) -> dict[str, str]:
    return {"vote": "many" if address.vote_many else "1"} if address.vote_first else {}


_PARTS = (
    _field("lang", "language", partial(_one_of, LANGUAGES)),
    _field("transform", "transform", partial(_one_of, TRANSFORMS), always=True),
    _field("view", "view", partial(_one_of, VIEWS)),
    _field("example", "example", lambda text: _one_of(find_examples(), text)),
    _Part(_read_shelf, _write_shelf),
    _field("other", "other"),
    _field("start", "start", _seconds, _number),
    _Part(_read_edits, _write_edits),
    _field(
        "off",
        "off",
        lambda text: frozenset(filter(None, text.split(","))),
        lambda names: ",".join(sorted(names)),
    ),
    _field("networks", "as_networks", "1".__eq__, lambda _: "1"),
    _field("map", "map_genre"),
    _Part(_read_vote, _write_vote),
)


@dataclass
class State(Address):
    """All that a session of the page knows: the address tells the first part of it."""

    visitor: str | None = None
    """Secret that tells whose the pieces are; None while there are none."""
    uploaded: dict[str, str] = field(default_factory=dict)
    """Token of each file in the uploader, by Streamlit's name for it."""
    recorded: str | None = None
    """Token of the recording in the microphone's widget."""
    drawn: str | None = None
    """Token of the piece that the whole page is about."""
    edits_of: str | None = None
    """Token of the piece that was edited; None if the address alone says what was done."""
    edits_before: list[tuple[Edit, ...]] = field(default_factory=list)
    """What undo brings back, the last one first."""
    rest: tuple[int, object, Without | None] = (0, None, None)
    """Region whose rest is heard: how many were asked for, of what sound, and the region."""
    curve: str | None = None
    """Slider along which the verdict is drawn."""
    votes: dict[tuple[str, str], str] = field(default_factory=dict)
    """Genre that the visitor chose, by the key of the piece; so the next two."""
    hands: dict[tuple[str, str], Counter[str]] = field(default_factory=dict)
    score: dict[tuple[str, str], tuple[bool, bool]] = field(default_factory=dict)
    """Whether the class was right, and the panel."""
    activation_maps: bool = False
    one_scale: bool = False
    typical_first: str = ""
    """First genre of the panel when the typical pictures were drawn last."""
    typical_genre: str = ""
    told: dict[str, tuple[object, int]] = field(default_factory=dict)
    """What each widget that is drawn late was told, and how often that was something new."""
    dialog: str | None = None
    """Window that is open."""
    live_answer: tuple[int, str, Sequence[tuple[str, float]]] = (0, "", ())
    """Number of the sound that was answered, the answer, and the genres that lead."""
    imported: ImportReport | None = None
    leaving: str | None = None
    """Model about whose removal the visitor is asked."""
    weights_held: Sequence[str] = ()
    """Streamlit's names for the files in the uploader for weights."""
    written: tuple[object, str, bytes | None] = (None, "", None)
    """What the report and the card to share are about, and both, which take long to write."""
    link: Mapping[str, str] | None = None
    """Query of the run before; None if the address was taken over since."""
    seen: Mapping[str, str] | None = None
    """Query that the browser shows as far as the page knows."""

    def show(self, *, example: str | None = None, own: str | None = None) -> None:
        """Show another piece, at its middle; that none is asked for changes nothing."""
        if example or own:
            self.example, self.own, self.start = example, own, None

    def turn_to(self, token: str) -> None:
        """Forget what was done to the sound of another piece than this one."""
        if self.edits_of not in (None, token):
            self.edits, self.edits_before = (), []
        self.edits_of = token

    def edit(self, edits: Iterable[Edit]) -> None:
        """Edit the sound like this from the next run of the page on; it can be undone."""
        self.edits_before.append(self.edits)
        self.edits = tuple(edits)

    def undo(self) -> None:
        """Take the last edit back, or all that came with the address."""
        self.edits = self.edits_before.pop() if self.edits_before else ()

    def go(self, query: str) -> None:
        """Take over another address of this page, as Back and Forward bring it."""
        self.seen = dict(parse_qsl(query.removeprefix("?")))
        asked = Address.from_query(self.seen, shelf=self.shelf)
        for one in fields(Address):
            setattr(self, one.name, getattr(asked, one.name))
        self.edits_of, self.edits_before, self.link = None, [], None

    def write_address(self) -> None:
        """Keep the address such that it leads back to this view; call it once in each run."""
        link, shown = self.to_query(), st.query_params.to_dict()
        if self.seen not in (None, shown):
            # Back or Forward has moved the address, and go() follows: to write now would put the
            # old view over the one that is asked for.
            return
        # Streamlit makes every write a step of the browser's history. One on arrival, just to say
        # the same more fully, would be a step that Back never gets past.
        if self.link not in (None, link):
            st.query_params.from_dict(link)
            shown = link
        self.link, self.seen = link, shown


def state() -> State:
    """State of this session's page; at first it is what the address says."""
    if "page" not in st.session_state:
        st.session_state.page = State.from_query(st.query_params.to_dict())
    page: State = st.session_state.page
    return page


def sent(key: str) -> Any:
    """What a browser last sent of the widget with this key, for its callbacks."""
    return st.session_state[key]


def bound(
    key: str,
    value: object,
    take: Callable[[Any], None],
    *,
    anew: bool = False,
    late: bool = False,
    options: Collection[object] | None = None,
) -> dict[str, Any]:
    """Parameters of a widget that shows a value, and hands on what it is changed to.

    Parameters
    ----------
    key
        Of the widget.
    take
        Called with the new value before the page runs again.
    anew
        Tell the browser in every run, for a choice may have another name in another language.
    late
        The browser draws the widget only when it is looked at. Until then it knows nothing of what
        an earlier run has told it, and sends again what it knew when it was last looked at: once
        the value is another one, so is the widget.
    options
        Of a selectbox: what else comes is passed over. A browser sends the name of a choice, and it
        may be that of the language before.
    """
    name, version = key, 0
    if late:
        before, version = state().told.get(name, (None, -1))
        told = _comparable(value), state().language
        version += told != before
        state().told[name] = told, version
        key = f"{name}_{version}"

    def changed() -> None:
        chosen = st.session_state[key]
        if options is None or chosen in options:
            if late:
                state().told[name] = (_comparable(chosen), state().language), version
            take(chosen)

    if anew or late or key not in st.session_state or st.session_state[key] != value:
        st.session_state[key] = value
    return {"key": key, "on_change": changed}


def _comparable(value: object) -> object:
    return frozenset(value) if isinstance(value, list) else value


def browser_switch(name: str, label: str) -> None:
    """Draw a switch of ``figure.js``, which does all of it: the page does not run again."""
    switch = field_of_state(name)

    def changed() -> None:
        switch["on_change"]()
        state().write_address()

    st.fragment(st.toggle)(label, key=switch["key"], on_change=changed)


def field_of_state(name: str, **options: Any) -> dict[str, Any]:
    """The same, with the same options, for a field of the state; its name is the key."""

    def take(value: object) -> None:
        if value is not None:  # a browser can send that nothing is chosen
            setattr(state(), name, value)

    return bound(name, getattr(state(), name), take, **options)
