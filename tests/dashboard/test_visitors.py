"""What visitors brought stays theirs, for a while."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("streamlit")

from streamlit.testing.v1 import AppTest

from ccmusic import dashboard, zoo
from ccmusic.dashboard import compute, inputs, visitors
from ccmusic.dashboard.examples import find_examples
from ccmusic.dashboard.visitors import VisitorStore
from ccmusic.texts import LANGUAGES, Language, translate
from small_models import make_checkpoint

APP = Path(dashboard.__file__).with_name("app.py")
EXAMPLES = find_examples()


def keep(**limits: int) -> tuple[VisitorStore[bytes], list[float], list[bytes]]:
    """Store of byte strings, its clock, and what it discarded."""
    clock, gone = [0.0], list[bytes]()
    options = {"seconds": 100, "most": 100, "each": 50, **limits}
    kept = VisitorStore[bytes](**options, size=len, discard=gone.append, clock=lambda: clock[0])
    return kept, clock, gone


def test_a_thing_is_its_owners_alone() -> None:
    kept, _, gone = keep()
    kept.put("me", {"a": b"1", "b": b"2"})
    assert kept.get("me") == {"a": b"1", "b": b"2"}
    assert kept.get("you") == {}
    kept.remove("you", ["a"])
    kept.remove("me", ["b", "c"])
    assert kept.get("me") == {"a": b"1"}
    assert gone == [b"2"]


def test_what_nobody_asks_for_goes_after_a_while() -> None:
    kept, clock, gone = keep()
    kept.put("me", {"a": b"1"})
    kept.put("you", {"a": b"2"})
    clock[0] = 90
    assert kept.get("me") == {"a": b"1"}
    clock[0] = 150
    assert kept.get("you") == {}
    assert kept.get("me") == {"a": b"1"}
    assert gone == [b"2"]


def test_too_much_drives_out_the_longest_unused() -> None:
    kept, _, gone = keep()
    kept.put("me", {"a": bytes(30), "b": bytes(30)})  # of one owner
    assert list(kept.get("me")) == ["b"]
    kept.put("you", {"a": bytes(40)})
    kept.get("me")
    kept.put("them", {"a": bytes(40)})  # of all
    assert kept.get("you") == {}
    assert list(kept.get("me")) == ["b"]
    assert [len(thing) for thing in gone] == [30, 40]
    kept.put("me", {"c": bytes(51)})  # alone too large: that is the last to go
    assert kept.get("me") == {}


def test_the_limits_hold_whatever_is_put_and_got_in_whatever_order() -> None:
    kept, clock, gone = keep(most=1000, each=300)
    owners = [f"owner {i}" for i in range(40)]
    put = 0
    for round_ in range(6):
        for i, owner in enumerate(owners):
            clock[0] += 0.1
            size = 7 * (i + 5 * round_) % 90
            kept.put(owner, {f"{round_}": bytes(size), "same": bytes(i)})
            put += 2
            kept.get(owners[i // 2])
            assert sum(map(len, kept.get(owner).values())) <= 300
    left = [thing for owner in owners for thing in kept.get(owner).values()]
    assert sum(map(len, left)) <= 1000
    assert len(left) + len(gone) == put


def test_tidying_is_no_more_work_for_many_owners() -> None:
    sizes = list[bytes]()

    def size(thing: bytes) -> int:
        sizes.append(thing)
        return len(thing)

    kept = VisitorStore[bytes](seconds=100, most=10**9, each=10**9, size=size)
    for i in range(2000):
        kept.put(f"owner {i}", {"a": b"1"})
        kept.get(f"owner {i}")
    assert len(sizes) == 2000


@pytest.fixture
def small_panel(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    make_checkpoint(tmp_path, "resnet50_cqt")
    monkeypatch.setattr(zoo, "SHIPPED", tmp_path)
    monkeypatch.setenv("CCMUSIC_HOME", str(tmp_path / "none"))
    yield
    compute.forget_all()


def visit(monkeypatch: pytest.MonkeyPatch, secret: str | None, **link: str) -> AppTest:
    monkeypatch.setattr(visitors, "cookie", lambda: secret)
    app = AppTest.from_file(str(APP), default_timeout=120)
    app.query_params.update({"lang": "en", **link})
    app.run()
    assert not app.exception
    return app


def title(app: AppTest) -> str | None:
    stages = [e.proto.body for e in app.get("html") if 'class="piece"' in e.proto.body]
    return stages[0].partition("</h1>")[0].rpartition(">")[2] if stages else None


def upload(app: AppTest, *stems: str) -> None:
    files = [(f"{stem}.ogg", EXAMPLES[stem].read_bytes(), "audio/ogg") for stem in stems]
    app.file_uploader(key="upload").set_value(files).run()
    assert not app.exception


def asked(app: AppTest) -> str:
    value = app.query_params["own"]
    return value if isinstance(value, str) else value[0]


@pytest.mark.usefixtures("small_panel")
@pytest.mark.parametrize("language", LANGUAGES)
def test_uploads_survive_a_reload_and_nobody_else_opens_them(
    monkeypatch: pytest.MonkeyPatch, language: Language
) -> None:
    app = visit(monkeypatch, "mine", lang=language)
    upload(app, "rain", "celtica")
    own = asked(app)
    app = visit(monkeypatch, "mine", lang=language, own=own)
    assert title(app) == "celtica.ogg"
    assert len(app.dataframe) == 1
    (which,) = [box for box in app.selectbox if str(box.key).startswith("which")]
    assert which.options == ["rain.ogg", "celtica.ogg"]
    # Who knows the address, but not the secret, is told.
    for secret in ("theirs", None):
        app = visit(monkeypatch, secret, lang=language, own=own)
        assert title(app) is None
        assert [i.value for i in app.info] == [translate(language, "page.lost")]
    # Another session in the same browser does not list them.
    app = visit(monkeypatch, "mine", lang=language)
    assert not [box for box in app.selectbox if str(box.key).startswith("which")]


@pytest.mark.usefixtures("small_panel")
def test_what_is_taken_away_is_kept_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    app = visit(monkeypatch, "mine")
    upload(app, "rain")
    own = asked(app)
    upload(app)
    assert title(app) == translate("en", f"example.{next(iter(EXAMPLES))}")
    assert "own" not in app.query_params
    app = visit(monkeypatch, "mine", own=own)
    assert [i.value for i in app.info] == [translate("en", "page.lost")]


@pytest.mark.usefixtures("small_panel")
def test_an_example_leaves_the_uploads_at_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    app = visit(monkeypatch, "mine", example="rain")
    upload(app, "celtica")
    token = asked(app).rpartition("-")[2]
    app.pills(key="example").set_value("vibe_ace").run()
    assert title(app) == translate("en", "example.vibe_ace")
    link = {"example": "vibe_ace", "own": asked(app)}
    app = visit(monkeypatch, "mine", **link)  # reloaded
    assert title(app) == translate("en", "example.vibe_ace")
    app.selectbox(key="which").set_value(token).run()
    assert not app.exception
    assert title(app) == "celtica.ogg"


@pytest.mark.usefixtures("small_panel")
def test_a_session_holds_no_more_than_a_visitor_may(monkeypatch: pytest.MonkeyPatch) -> None:
    """What falls out of the shelf is gone from the session and from Streamlit's uploader."""
    released = list[str]()
    monkeypatch.setattr(inputs, "release_upload", lambda: released.append)
    contents = {stem: EXAMPLES[stem].read_bytes() for stem in ("celtica", "rain", "vibe_ace")}
    most = len(contents["rain"]) + len(contents["vibe_ace"])
    kept = keep_of_pieces(most)
    monkeypatch.setattr(inputs, "_KEPT", kept)
    app = visit(monkeypatch, "mine")
    upload(app, *contents)
    assert title(app) == "vibe_ace.ogg"
    shelf = "mine" + app.session_state.page.shelf
    held = {brought.piece.name for brought in kept.get(shelf).values()}
    assert held == {"rain.ogg", "vibe_ace.ogg"}
    assert len(released) == 1
    told = translate("en", "page.upload_gone", mb=inputs.LARGEST_MB)
    assert told in [caption.value for caption in app.caption]
    session = pickle.dumps(app.session_state.page)
    assert not any(content in session for content in contents.values())


def keep_of_pieces(most: int) -> VisitorStore[inputs._Brought]:
    return VisitorStore[inputs._Brought](
        seconds=3600,
        most=most,
        each=most,
        size=lambda brought: len(brought.piece.content),
        discard=lambda brought: brought.release(),
    )


@pytest.mark.usefixtures("small_panel")
def test_of_several_files_one_that_can_be_read_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    app = visit(monkeypatch, "mine")
    rain = ("rain.ogg", EXAMPLES["rain"].read_bytes(), "audio/ogg")
    celtica = ("celtica.ogg", EXAMPLES["celtica"].read_bytes(), "audio/ogg")
    broken = ("broken.mp3", b"no music in here", "audio/mpeg")
    app.file_uploader(key="upload").set_value([rain, celtica, broken]).run()
    assert not app.exception
    assert title(app) == "celtica.ogg"
    app = visit(monkeypatch, "mine")
    app.file_uploader(key="upload").set_value([broken]).run()
    assert title(app) == "broken.mp3"  # its only one: the reason is told
