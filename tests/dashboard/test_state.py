"""The address is the state of the page, written down."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("streamlit")

import streamlit
from hypothesis import given
from hypothesis import strategies as st

from ccmusic import dashboard
from ccmusic.dashboard import state as module
from ccmusic.dashboard.examples import find_examples
from ccmusic.dashboard.state import TRANSFORMS, VIEWS, Address, State, bound
from ccmusic.edits import Change, Edit, OneChannel, Without
from ccmusic.texts import LANGUAGES

EXAMPLES = sorted(find_examples())
KEYS = (
    *("lang", "transform", "view", "example", "own", "other", "start", "without", "channel"),
    *(*Change.names, "off", "networks", "map", "vote"),
)
names = st.from_regex(r"[a-z][a-z0-9_]{0,11}", fullmatch=True)


def numbers(lowest: float, highest: float) -> st.SearchStrategy[float]:
    return st.floats(lowest, highest, allow_subnormal=False)


def spans(highest: float) -> st.SearchStrategy[tuple[float, float]]:
    pairs = st.tuples(numbers(0, highest), numbers(0, highest))
    return pairs.map(lambda pair: (min(pair), max(pair))).filter(lambda span: span[0] < span[1])


regions = st.builds(Without, band=spans(20_000), seconds=st.none() | spans(1800))
changes = st.builds(
    Change,
    pitch=numbers(-12, 12),
    tempo=st.none() | numbers(0.5, 2),
    highpass=st.none() | numbers(1, 500),
    lowpass=st.none() | numbers(501, 20_000),
    noise=st.none() | numbers(-20, 80),
    gain=st.none() | numbers(-60, 40),
)
channels = st.builds(OneChannel, channel=st.sampled_from(["left", "right"]))


@st.composite
def edits(draw: st.DrawFn) -> tuple[Edit, ...]:
    """The channel first, then regions, then what is changed, as the page has them."""
    return (
        *draw(st.lists(channels, max_size=1)),
        *draw(st.lists(regions, max_size=3)),
        *draw(st.lists(changes, max_size=1)),
    )


@st.composite
def addresses(draw: st.DrawFn) -> Address:
    own = draw(st.none() | names)
    vote = draw(st.booleans())
    return Address(
        language=draw(st.sampled_from(LANGUAGES)),
        transform=draw(st.sampled_from(TRANSFORMS)),
        view=draw(st.sampled_from(VIEWS)),
        example=None if own else draw(st.sampled_from(EXAMPLES)),
        own=own,
        shelf=draw(names),
        shelved=True,  # an address names no empty shelf
        other=draw(st.none() | names),
        start=draw(st.none() | numbers(0, 1e5)),
        edits=draw(edits()),
        off=draw(st.frozensets(names)),
        as_networks=draw(st.booleans()),
        map_genre=draw(st.just("") | names),
        vote_first=vote,
        vote_many=vote and draw(st.booleans()),
    )


@given(addresses())
def test_an_address_brings_back_what_was_written_into_it(address: Address) -> None:
    query = address.to_query()
    assert Address.from_query(query) == address
    assert set(query) <= set(KEYS)


@given(st.dictionaries(st.sampled_from(KEYS) | st.text(), st.text() | names))
def test_an_address_may_be_anything(query: dict[str, str]) -> None:
    address = Address.from_query(query)
    assert address.language in LANGUAGES
    assert address.transform in TRANSFORMS
    assert address.view in VIEWS
    assert address.own or address.example in EXAMPLES
    written = address.to_query()
    assert all(text.isprintable() for text in written.values())
    known = {"shelf": address.shelf}  # told only where something lies there
    assert Address.from_query(written, **known) == address


@pytest.mark.parametrize(
    ("key", "nonsense"),
    [
        ("lang", "xx"),
        ("lang", ""),
        ("transform", "dct"),
        ("view", "../verdicts"),
        ("example", "../../etc/passwd"),
        ("start", "nan"),
        ("start", "1e999"),
        ("start", "first"),
        ("other", "a\x00b"),
        ("map", "\ud800"),
        ("off", "a\nb"),
        ("networks", "yes"),
        ("vote", "all"),
        ("channel", "rear"),
        ("without", "64-127Hz;loud"),
        ("without", "nan-5Hz"),
        ("pitch", "inf"),
        ("gain", "900"),
    ],
)
def test_nonsense_under_a_key_is_as_if_it_said_nothing(key: str, nonsense: str) -> None:
    nothing = Address.from_query({}, shelf="s")
    assert Address.from_query({key: nonsense}, shelf="s") == nothing
    # And the rest of the address counts.
    rest = {"transform": "mel"} if key != "transform" else {"networks": "1"}
    assert Address.from_query({key: nonsense, **rest}, shelf="s") != nothing


def test_every_field_of_the_address_has_a_place_in_it() -> None:
    """What differs in one field differs in the query."""
    plain = Address(language="en", example=EXAMPLES[0], shelf="s", vote_first=True)
    others = {
        "language": "zh", "transform": "mel", "view": "way", "example": EXAMPLES[1], "own": "a",
        "shelved": True, "other": "a", "start": 0.0, "edits": (Change(gain=-6),),
        "off": frozenset("a"), "as_networks": True, "map_genre": "jazz", "vote_first": False,
        "vote_many": True,
    }  # fmt: skip
    assert {*others, "shelf"} == set(vars(plain))
    for name, value in others.items():
        other = Address(**{**vars(plain), name: value})
        assert other.to_query() != plain.to_query(), name


def test_going_back_keeps_what_is_of_the_session() -> None:
    page = State.from_query({"lang": "en", "own": "shelf-token", "gain": "-6"})
    page.votes["a", "b"] = "jazz"
    page.edits_of, page.edits_before = "token", [()]
    page.go("?lang=zh&example=rain&view=way")
    assert (page.language, page.example, page.own, page.view) == ("zh", "rain", None, "way")
    assert page.shelf == "shelf"
    assert page.votes == {("a", "b"): "jazz"}
    after = vars(page)
    assert [after[name] for name in ("edits", "edits_of", "edits_before")] == [(), None, []]


def test_a_name_in_another_language_chooses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: dict[str, object] = {}
    monkeypatch.setattr(streamlit, "session_state", shown)
    taken: list[str] = []
    options = ["jazz", "reggae"]
    parameters = bound("genre", "jazz", taken.append, options=options)
    assert shown == {"genre": "jazz"}
    for sent in ("雷鬼", "reggae"):
        shown["genre"] = sent
        parameters["on_change"]()
    assert taken == ["reggae"]


def test_a_menu_that_is_drawn_late_is_another_once_it_was_told_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What a browser sends of a menu that it has not drawn since is of the widget before."""
    page = State(language="en")
    monkeypatch.setattr(module, "state", lambda: page)
    shown: dict[str, object] = {}
    monkeypatch.setattr(streamlit, "session_state", shown)

    def draw(value: list[str]) -> dict[str, Any]:
        return bound("models", value, lambda chosen: None, late=True)

    first = draw(["a", "b"])
    shown[first["key"]] = ["b"]
    first["on_change"]()
    assert draw(["b"])["key"] == first["key"]  # what the visitor chose
    back = draw(["a", "b"])
    assert back["key"] != first["key"]
    assert draw(["b", "a"])["key"] == back["key"]
    page.language = "zh"
    assert draw(["a", "b"])["key"] not in (first["key"], back["key"])


def test_one_module_alone_touches_the_state_of_streamlit() -> None:
    folder = Path(dashboard.__file__).parent
    touching = {
        path.name
        for path in folder.glob("*.py")
        if re.search(r"\bst\.(session_state|query_params)\b", path.read_text("utf-8"))
    }
    assert touching == {"state.py"}
