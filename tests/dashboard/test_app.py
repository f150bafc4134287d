"""The page as Streamlit draws it, with whatever checkpoints there are."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from html import unescape
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("streamlit")

import numpy as np
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import ButtonGroup

from ccmusic import dashboard, zoo
from ccmusic.analysis import Analysis
from ccmusic.audio import AudioWarning, load
from ccmusic.card import Band, Pair, PanelCard
from ccmusic.dashboard import compute
from ccmusic.dashboard.background import Background
from ccmusic.dashboard.examples import find_examples
from ccmusic.dashboard.piece import Piece, Sound
from ccmusic.errors import AudioError, CCMusicError
from ccmusic.genres import genre_name
from ccmusic.panel import Panel
from ccmusic.picture import Preprocessing
from ccmusic.prepare import Prepared
from ccmusic.texts import Language, translate
from ccmusic.verdict import Verdict
from page_figures import figures
from small_models import METRICS, make_checkpoint
from sounds import tone

APP = Path(dashboard.__file__).with_name("app.py")
EXAMPLES = find_examples()
WriteSound = Callable[..., Path]
LANGUAGES: tuple[Language, ...] = ("zh", "en")
in_both_languages = pytest.mark.parametrize(
    "language", ["zh", pytest.param("en", marks=pytest.mark.slow)]
)


def checkpoints(transform: str) -> list[zoo.Checkpoint]:
    return [c for c in zoo.scan()[0] if c.card.transform == transform]


needs_cqt = pytest.mark.skipif(not checkpoints("cqt"), reason="no CQT checkpoints")


@pytest.fixture(autouse=True)
def analyses(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[str]]:
    """How often each transform was analysed."""
    count: Counter[str] = Counter()
    analyze = Panel.analyze_prepared

    def counted(panel: Panel, prepared: Prepared, **options: Any) -> Analysis:
        if options:  # what tells each verdict: not a window of the whole piece
            count[panel.transform] += 1
        return analyze(panel, prepared, **options)

    monkeypatch.setattr(Panel, "analyze_prepared", counted)
    yield count
    compute.forget_all()


def open_page(locale: str = "en-US", **link: str) -> AppTest:
    app = AppTest.from_file(str(APP), default_timeout=120)
    app.context["locale"] = locale
    for key, value in link.items():
        app.query_params[key] = value
    return app.run()


def texts(app: AppTest) -> str:
    elements = (*app.markdown, *app.caption, *app.info, *app.warning, *app.error, *app.subheader)
    return "\n".join([*(element.value for element in elements), *markup(app)])


def markup(app: AppTest) -> list[str]:
    """What the page draws as HTML, unescaped."""
    return [unescape(element.proto.body) for element in app.get("html")]


def lines(app: AppTest) -> list[str]:
    """A line per model of the first screen, without its tags."""
    (stage,) = [body for body in markup(app) if 'class="piece"' in body]
    return [re.sub("<.*?>", " ", row) for row in re.findall('<li class="model.*?</li>', stage)]


def headline(app: AppTest) -> tuple[str, str]:
    """Title of the piece and what is said about it."""
    (stage,) = [body for body in markup(app) if 'class="piece"' in body]
    (title,) = re.findall('class="piece">(.*?)</h1>', stage)
    (said,) = re.findall('class="(?:answer sentence )?opinion">(.*?)</', stage)
    return title, said


def answer(app: AppTest) -> tuple[str, str]:
    """The large genre and its mean."""
    (stage,) = [body for body in markup(app) if 'class="piece"' in body]
    found = re.findall('class="large".*?>(.*?)</b> <span class="mean">(.*?)<', stage)
    ((genre, mean),) = found
    return genre, mean


def below_the_answer(app: AppTest) -> list[str]:
    """Sentences and warnings of the first screen after the opinion."""
    (stage,) = [body for body in markup(app) if 'class="piece"' in body]
    sentences = "".join(re.findall('class="sentences">(.*?)</div>', stage))
    others = re.findall("<p>(.*?)</p>", sentences)
    warned = re.findall('class="warnings">(.*?)</ul>', stage)
    return others + re.findall("<li>(.*?)</li>", "".join(warned))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def charts(app: AppTest) -> int:
    return len(figures(app))


def others(app: AppTest) -> ButtonGroup[Any]:
    """Choice of the piece to compare with."""
    (found,) = [pills for pills in app.pills if str(pills.key).startswith("other_")]
    return found


def assert_no_traceback(app: AppTest) -> None:
    assert not app.exception


@pytest.mark.parametrize(
    ("locale", "language"), [("zh-CN", "zh"), ("zh-TW", "zh"), ("en-GB", "en"), ("fr", "en")]
)
def test_page_speaks_the_language_of_the_browser(locale: str, language: Language) -> None:
    app = open_page(locale)
    assert_no_traceback(app)
    assert translate(language, "page.tagline") in texts(app)
    assert app.session_state.page.language == language


def test_link_goes_before_browser_and_leads_back() -> None:
    app = open_page("en-US", lang="zh", example="rain", transform="mel")
    assert_no_traceback(app)
    assert translate("zh", "page.tagline") in texts(app)
    assert translate("zh", "example.rain") in texts(app)
    assert dict(app.query_params) == {"lang": "zh", "example": "rain", "transform": "mel"}


def test_nonsense_in_the_link_is_ignored() -> None:
    app = open_page(lang="xx", example="../../etc/passwd", transform="dct")
    assert_no_traceback(app)
    assert app.session_state.page.transform == "cqt"
    assert app.session_state.page.example in EXAMPLES


@needs_cqt
def test_example_gives_a_verdict_of_every_model() -> None:
    app = open_page(example="vibe_ace")
    assert_no_traceback(app)
    models = len(checkpoints("cqt"))
    assert len(lines(app)) == models
    result = analyze_example("vibe_ace").result()
    assert result.agreement is not None
    # Waveform and spectrogram; a map of every model.
    assert charts(app) == 2 + models
    tied = any('class="tie"' in body for body in markup(app))
    assert tied == (result.agreement.split is not None)
    for said, verdict in zip(lines(app), result.verdicts.values(), strict=True):
        assert said.split()[0] == verdict.card.title()
        for genre, share in verdict.top(3):
            assert genre_name(genre, "en") in said
            assert f"{share:.0%}" in said
    ((genre, share),) = result.top(1)
    assert answer(app) == (genre_name(genre, "en"), f"{share:.0%}")
    (stage,) = [body for body in markup(app) if 'class="piece"' in body]
    votes = re.findall('class="dot" .*?<span>(.*?): (.*?)</span>', stage)
    assert votes == [
        (v.card.title(), genre_name(v.top(1)[0][0], "en")) for v in result.verdicts.values()
    ]
    title, said = headline(app)
    assert title == translate("en", "example.vibe_ace")
    assert said.lower() == result.agreement.message("en").lower()


def analyze_example(stem: str) -> Background[Verdict, Analysis]:
    path = EXAMPLES[stem]
    return compute.start_analysis(Sound(Piece(path.name, "", path.read_bytes())), "cqt")


@needs_cqt
def test_language_recomputes_nothing(analyses: Counter[str]) -> None:
    app = open_page("zh-CN", example="rain")
    before = charts(app)
    assert analyses == {"cqt": 1}

    app.segmented_control(key="language").set_value("en").run()
    assert_no_traceback(app)
    assert translate("en", "page.tagline") in texts(app)
    assert app.session_state.page.example == "rain"
    assert charts(app) == before
    assert analyses == {"cqt": 1}


@needs_cqt
@in_both_languages
def test_maps_show_any_genre_and_recompute_nothing(
    analyses: Counter[str], language: Language
) -> None:
    app = open_page(lang=language, example="vibe_ace")
    chooser = app.selectbox(key="map_genre")
    assert chooser.value == ""
    before = charts(app)
    chooser.set_value("reggae").run()
    assert_no_traceback(app)
    named = translate(
        language, "activation.strongest", genre=genre_name("reggae", language), region=""
    )
    other = (
        translate(language, f"activation.{key}", genre=genre_name("reggae", language))
        for key in ("nowhere", "everywhere")
    )
    said = [b.removeprefix('<p class="region-line">') for b in markup(app) if "region-line" in b]
    said = [body for body in said if body.startswith((named, *other))]
    assert len(said) == len(checkpoints("cqt"))
    assert app.query_params["map"] in ("reggae", ["reggae"])
    assert charts(app) == before
    assert analyses == {"cqt": 1}


@needs_cqt
@in_both_languages
def test_a_map_can_be_enlarged(language: Language, analyses: Counter[str]) -> None:
    app = open_page(lang=language, example="vibe_ace")
    before = charts(app)
    bigger = [b for b in app.button if b.label == translate(language, "attention.enlarge")]
    assert len(bigger) == len(checkpoints("cqt"))
    bigger[0].click().run()
    assert_no_traceback(app)
    assert charts(app) == before + 1
    assert analyses == {"cqt": 1}


@needs_cqt
def test_a_cqt_stands_as_the_waveform_does_and_as_the_networks_see_it_on_request() -> None:
    app = open_page(example="vibe_ace")

    drawn = figures(app)
    assert {figure["time"] for figure in drawn.values()} == {"x"}
    # The browser turns what leaves it to the switch.
    pictures = {key: figure for key, figure in drawn.items() if "levels" in figure}
    assert [figure["turned"] for figure in pictures.values()] == [None] * len(pictures)
    app.toggle(key="as_networks").set_value(True).run()
    assert_no_traceback(app)
    assert figures(app) == drawn
    assert app.query_params["networks"] in ("1", ["1"])


@needs_cqt
def test_maps_have_a_scale_each_or_one_for_all() -> None:
    app = open_page(example="vibe_ace")

    tops = [figure["strongest"] for figure in figures(app).values() if "weights" in figure]
    own, common = (set(scale) for scale in zip(*tops, strict=True))
    assert len(own) == len(checkpoints("cqt"))
    assert common == {max(own)}


@needs_cqt
@in_both_languages
def test_a_tile_says_what_the_shipped_models_say(language: Language) -> None:
    app = open_page(lang=language, example="rain")
    tiles = app.pills(key="example").options
    golden = json.loads((Path(__file__).parents[1] / "golden" / "verdicts.json").read_text())
    assert len(tiles) == len(EXAMPLES)
    for stem, tile in zip(EXAMPLES, tiles, strict=True):
        title, whose, *said = tile.replace("\\", "").split("\n")
        assert title == f"**{translate(language, f'example.{stem}')}**"
        assert re.fullmatch(r"[\w. /]+ · \d:\d\d", whose)
        votes = Counter(
            max(shares, key=shares.__getitem__)
            for model, shares in golden[f"{stem}.ogg"].items()
            if model.endswith("_cqt")
        )
        first = genre_name(votes.most_common(1)[0][0], language)
        assert first in said[0]
        assert str(votes.most_common(1)[0][1]) in said[0]
    # Who votes first is told nothing, not even by a colour.
    app.toggle(key="vote_first").set_value(True).run()
    assert all(t.count("\n") == 1 for t in app.pills(key="example").options)
    assert "--genre:" not in "".join(markup(app))


def test_works_keep_their_titles() -> None:
    for stem in EXAMPLES:
        assert translate("zh", f"example.{stem}") == translate("en", f"example.{stem}")


@needs_cqt
@in_both_languages
def test_an_example_is_sent_by_its_link_and_a_file_by_its_report(language: Language) -> None:
    def offered() -> set[str]:
        return {b.proto.label for b in app.get("download_button")}

    def has_link() -> bool:
        return any("copy-link" in body and "<style>" not in body for body in markup(app))

    app = open_page(lang=language, example="rain")
    kinds = {translate(language, f"report.{kind}") for kind in ("html", "json", "csv")}
    assert offered() == kinds | {translate(language, "share.card")}
    assert has_link()
    content = EXAMPLES["rain"].read_bytes()
    app.file_uploader(key="upload").upload("mine.ogg", content, "audio/ogg").run()
    assert_no_traceback(app)
    assert offered() == kinds | {translate(language, "share.card")}
    assert not has_link()
    assert translate(language, "share.own") in texts(app)


@needs_cqt
def test_a_picture_is_saved_under_the_names_of_piece_and_plot() -> None:
    app = open_page(lang="en", example="rain")
    names = [figure["file"] for figure in figures(app).values()]
    assert {"Rain - CQT", f"Rain - {translate('en', 'figure.waveform')}"} < set(names)
    assert len(set(names)) == len(names)
    assert all(name.startswith("Rain - ") for name in names)


@needs_cqt
def test_two_users_do_not_mix(analyses: Counter[str]) -> None:
    one, other = open_page("zh-CN", example="rain"), open_page("en-US", example="celtica")
    assert analyses == {"cqt": 2}
    one.run()
    assert translate("zh", "example.rain") in texts(one)
    assert translate("en", "example.celtica") in texts(other)


@in_both_languages
def test_transform_without_checkpoints_still_shows_its_picture(
    language: Language, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(zoo, "SHIPPED", tmp_path)
    monkeypatch.setenv("CCMUSIC_HOME", str(tmp_path))
    app = open_page(lang=language, transform="mel")
    assert_no_traceback(app)
    said = translate(language, "error.no_checkpoints", transform="mel")
    assert headline(app)[1].lower() == said.lower()
    assert charts(app) == 2  # waveform and spectrogram


@needs_cqt
def test_failing_model_shows_its_reason_and_the_others_stand(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    good = checkpoints("cqt")[0]
    for suffix in (".json", ".onnx"):
        (tmp_path / good.path.with_suffix(suffix).name).symlink_to(good.path.with_suffix(suffix))
    card = good.card.model_copy(update={"name": "broken", "sha256": "0" * 64})
    (tmp_path / "broken.json").write_text(card.to_json())
    (tmp_path / "broken.onnx").write_bytes(good.path.read_bytes())
    (tmp_path / "nonsense.json").write_text("{}")
    monkeypatch.setattr(zoo, "SHIPPED", tmp_path)
    monkeypatch.setenv("CCMUSIC_HOME", str(tmp_path))
    app = open_page(example="rain")
    assert_no_traceback(app)
    failed, stands = sorted(lines(app), key=lambda line: "sha256" not in line)
    assert "sha256" in failed
    assert "%" in stands
    assert "sha256" not in stands
    assert [w.value for w in app.warning if "nonsense" in w.value]
    assert charts(app) == 3  # waveform, spectrogram, map of the good one


@in_both_languages
def test_broken_upload_shows_one_line(language: Language) -> None:
    app = open_page(lang=language)
    app.file_uploader(key="upload").upload("a_*b*<i>.mp3", b"no music in here", "audio/mpeg").run()
    assert_no_traceback(app)
    expected = AudioError("unknown_format", file="a_*b*<i>.mp3").message(language)
    assert headline(app) == ("a_*b*<i>.mp3", expected)
    assert "&lt;i&gt;" in "".join(e.proto.body for e in app.get("html"))
    assert lines(app) == []  # nothing of the old verdict stays


def test_upload_replaces_the_example_and_an_example_the_upload() -> None:
    app = open_page(example="rain", transform="mel")
    content = EXAMPLES["celtica"].read_bytes()
    app.file_uploader(key="upload").upload("mine.ogg", content, "audio/ogg").run()
    assert_no_traceback(app)
    assert headline(app)[0] == "mine.ogg"
    assert "example" not in app.query_params
    app.pills(key="example").set_value("vibe_ace").run()
    assert_no_traceback(app)
    assert headline(app)[0] == translate("en", "example.vibe_ace")


def test_an_example_cannot_be_unchosen_into_an_empty_page() -> None:
    app = open_page(example="rain", transform="mel")
    app.pills(key="example").set_value(None).run()
    assert_no_traceback(app)
    assert headline(app)[0] == translate("en", "example.rain")
    assert app.pills(key="example").value == "rain"


def test_a_link_brings_back_window_models_and_views() -> None:
    link = {
        "lang": "zh",
        "transform": "cqt",
        "example": "total_breakdown",
        "start": "20",
        "off": "vgg19_bn_cqt",
        "networks": "1",
        "map": "jazz",
    }
    app = open_page(**link)
    assert_no_traceback(app)
    assert {k: v if isinstance(v, str) else v[0] for k, v in app.query_params.items()} == link
    assert app.toggle(key="as_networks").value
    assert len(lines(app)) == len(checkpoints("cqt")) - 1
    (slider,) = [s for s in app.slider if str(s.key).startswith("window_")]
    assert slider.value == 20
    # What is not on the screen for a while is not forgotten.
    app.segmented_control(key="view").set_value("guide").run()
    app.segmented_control(key="view").set_value("verdicts").run()
    app.segmented_control(key="transform").set_value("mel").run()
    app.segmented_control(key="transform").set_value("cqt").run()
    assert_no_traceback(app)
    assert {k: v if isinstance(v, str) else v[0] for k, v in app.query_params.items()} == link


@in_both_languages
def test_silence_gets_no_verdict_and_a_scrap_a_doubtful_one(
    language: Language, write_sound: WriteSound
) -> None:
    silence = write_sound("silence.wav", np.zeros(12 * 44_100, np.float32))
    rng = np.random.default_rng(0)
    scrap = write_sound("scrap.wav", rng.normal(0, 0.1, 2 * 44_100).astype(np.float32))
    app = open_page(lang=language)
    app.file_uploader(key="upload").upload("silence.wav", silence.read_bytes(), "audio/wav").run()
    assert headline(app) == ("silence.wav", _capital(translate(language, "judged.silent")))
    assert charts(app) == 1  # the waveform, and no black square
    assert lines(app) == []
    app.file_uploader(key="upload").set_value([("s.wav", scrap.read_bytes(), "audio/wav")]).run()
    doubt = _capital(translate(language, "judged.doubtful", seconds=2.0, opinion=""))
    assert headline(app)[1].startswith(doubt.strip())
    assert lines(app)


@needs_cqt
@in_both_languages
def test_a_vote_first_covers_the_verdicts(language: Language) -> None:
    app = open_page(lang=language, example="vibe_ace", vote="1")
    assert_no_traceback(app)
    assert headline(app)[1] == translate(language, "vote.ask")
    assert lines(app) == []
    makers = translate(language, "page.makers_genre", genre=genre_name("jazz", language))
    assert makers not in texts(app)
    assert charts(app) == 2  # waveform and spectrogram, no maps
    (ballot,) = [p for p in app.pills if str(p.key).startswith("vote_")]
    ballot.set_value("blues").run()
    assert_no_traceback(app)
    assert len(lines(app)) == len(checkpoints("cqt"))
    (stage,) = [body for body in markup(app) if 'class="piece"' in body]
    (own,) = re.findall('<li class="own">.*?</li>', stage)
    assert translate(language, "vote.yours") in own
    assert genre_name("blues", language) in own
    assert makers in texts(app)
    # Somebody who asks for another piece votes anew.
    app.pills(key="example").set_value("rain").run()
    assert headline(app)[1] == translate(language, "vote.ask")
    # No other view gives it away.
    app.segmented_control(key="view").set_value("way").run()
    assert_no_traceback(app)
    assert translate(language, "vote.help") in texts(app)
    assert not app.dataframe


@needs_cqt
@in_both_languages
def test_a_vote_first_covers_the_second_piece(language: Language) -> None:
    def said() -> list[str]:
        return [s for body in markup(app) for s in re.findall('<p class="said">(.*?)</p>', body)]

    def compared() -> bool:
        return any('class="differences"' in body for body in markup(app))

    def vote(genre: str) -> None:
        (ballot,) = [p for p in app.pills if str(p.key).startswith("vote_") and not p.value]
        ballot.set_value(genre).run()
        assert_no_traceback(app)

    app = open_page(lang=language, example="vibe_ace", other="rain", vote="1")
    assert said() == []
    vote("jazz")
    assert said() == [translate(language, "vote.ask")]
    assert not compared()
    vote("environment")
    assert translate(language, "vote.ask") not in said()
    assert compared()
    assert sum(body.count('<li class="own">') for body in markup(app)) == 3


def test_only_mel_is_warned_of_a_dull_recording(write_sound: WriteSound) -> None:
    dull = write_sound("dull.wav", tone(440, 12))
    said = translate("en", "quality.dull", level=0)[1:20]  # it begins a sentence there
    app = open_page(lang="en", transform="cqt")
    app.file_uploader(key="upload").upload("dull.wav", dull.read_bytes(), "audio/wav").run()
    assert said not in texts(app).replace("\\", "")
    app.segmented_control(key="transform").set_value("mel").run()
    assert said in texts(app).replace("\\", "")


def test_without_examples_the_page_asks_for_an_upload(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ccmusic.dashboard.examples._FOLDERS", ())
    app = open_page()
    assert_no_traceback(app)
    assert translate("en", "page.begin") in texts(app)
    assert charts(app) == 0


@needs_cqt
@in_both_languages
def test_a_second_piece_stands_beside_the_first(language: Language, analyses: Counter[str]) -> None:
    app = open_page(lang=language, example="vibe_ace")
    alone = charts(app)
    assert translate(language, "compare.title") not in texts(app)
    others(app).set_value("rain").run()
    assert_no_traceback(app)
    assert dict(app.query_params)["other"] in ("rain", ["rain"])
    assert charts(app) == alone + 2
    assert analyses == {"cqt": 2}
    one, other = (analyze_example(stem).result() for stem in ("vibe_ace", "rain"))
    for analysis in (one, other):
        assert _capital(analysis.message(language)) in texts(app)
    (table,) = [body for body in markup(app) if 'class="differences"' in body]
    rows = [re.sub("<.*?>", " ", row).split() for row in re.findall("<tr>(.*?)</tr>", table)[1:]]
    assert len(rows) > 1
    for first, second, apart in (row[-3:] for row in rows):
        points = int(second.rstrip("%")) - int(first.rstrip("%"))
        assert int(apart.replace("−", "-")) == points
    assert [abs(int(row[-1].replace("−", "-"))) for row in rows] == sorted(
        (abs(int(row[-1].replace("−", "-"))) for row in rows), reverse=True
    )
    (sentence,) = [m.value for m in app.markdown if genre_name("environment", language) in m.value]
    assert rows[0][1] in sentence.replace("\\", "")
    others(app).set_value(None).run()
    assert_no_traceback(app)
    assert charts(app) == alone
    assert "other" not in app.query_params


@needs_cqt
def test_a_link_brings_the_second_piece_and_a_file_can_be_one() -> None:
    app = open_page(lang="en", example="vibe_ace", other="rain")
    assert_no_traceback(app)
    assert others(app).value == "rain"
    # What is no music is one line; the first piece stands.
    app.file_uploader(key="upload").upload("broken.mp3", b"no music in here", "audio/mpeg").run()
    token = app.session_state.page.own
    app.pills(key="example").set_value("vibe_ace").run()
    others(app).set_value(token).run()
    assert_no_traceback(app)
    expected = AudioError("unknown_format", file="broken.mp3").message("en")
    assert expected in texts(app).replace("\\", "")
    assert app.query_params["other"] in (token, [token])
    assert headline(app)[0] == translate("en", "example.vibe_ace")
    # A piece is not compared with itself.
    others(app).set_value("rain").run()
    app.pills(key="example").set_value("rain").run()
    assert others(app).value is None


@needs_cqt
def test_a_second_visitor_joins_a_running_analysis() -> None:
    started = analyze_example("celtica")
    first, second = list(started.follow()), list(started.follow())
    assert [v.card.name for v in first] == [v.card.name for v in second]
    assert all(isinstance(v, Verdict) for v in first)
    assert started.finished
    assert analyze_example("celtica") is started


def test_a_port_that_is_taken_is_one_line() -> None:
    import socket

    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(CCMusicError, match=r"cannot listen on 127\.0\.0\.1:"),
    ):
        dashboard.launch(host="127.0.0.1", port=taken.getsockname()[1])


@needs_cqt
def test_the_window_moves_and_the_verdicts_follow(analyses: Counter[str]) -> None:
    app = open_page(example="vibe_ace")
    (slider,) = [s for s in app.slider if str(s.key).startswith("window_")]
    assert slider.value == pytest.approx(1.0, abs=0.05)
    app.run()
    assert analyses == {"cqt": 1}
    slider.set_value(0.0).run()
    assert_no_traceback(app)
    assert "0.0–10.0 s" in texts(app).replace("\\", "")
    assert analyses == {"cqt": 2}


@needs_cqt
@in_both_languages
def test_the_whole_piece_is_judged_by_itself(language: Language, write_sound: WriteSound) -> None:
    rng = np.random.default_rng(0)
    song = write_sound("song.wav", rng.normal(0, 0.1, 22 * 44_100).astype(np.float32))
    app = open_page(lang=language, example="rain")
    before = charts(app)
    assert "data-at" not in "".join(markup(app))  # so short a piece has no timeline
    app.file_uploader(key="upload").upload("song.wav", song.read_bytes(), "audio/wav").run()
    assert_no_traceback(app)
    assert charts(app) == before + 1
    (strip,) = [body for body in markup(app) if 'class="strip"' in body]
    starts = [float(middle) - 5 for middle in re.findall('data-at="(.*?)"', strip)]
    assert starts == pytest.approx([0, 10, 12])
    assert "pending" not in strip
    # The answer is that of the piece: the mean over its windows.
    piece = Piece("song.wav", "song.wav", song.read_bytes())
    whole = compute.finished_piece(piece, "cqt")
    assert whole is not None
    ((genre, share),) = whole.top(1)
    assert answer(app) == (genre_name(genre, language), f"{share:.0%}")
    said = below_the_answer(app)
    assert said[0] == translate(language, "whole.scope", windows=3)
    window = compute.start_analysis(Sound(piece), "cqt").result()
    ((own, own_share),) = window.top(1)
    differs = translate(
        language,
        "whole.differs",
        start=window.clip.info.window_start,
        end=window.clip.info.window_end,
        genre=genre_name(own, language),
        share=own_share,
    )
    assert (differs in said) == (own != genre)
    # A row for each model below that of the mean.
    models = len(checkpoints("cqt"))
    (first,) = re.findall('<button class="at" data-at="5.00".*?</button>', strip, re.DOTALL)
    assert first.count("<i ") == 1 + models
    for verdict in whole.windows[0].verdicts.values():
        ((genre, share),) = verdict.top(1)
        assert f"{verdict.card.title()}: {genre_name(genre, language)} {share:.0%}" in first
    assert figures(app)["timeline"]["curves"]


@needs_cqt
def test_silent_windows_of_a_piece_have_no_genre(write_sound: WriteSound) -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, 10 * 44_100)
    song = write_sound("rest.wav", np.pad(noise, (0, 12 * 44_100)).astype(np.float32))
    app = open_page(lang="en")
    app.file_uploader(key="upload").upload("rest.wav", song.read_bytes(), "audio/wav").run()
    assert_no_traceback(app)
    (strip,) = [body for body in markup(app) if 'class="strip"' in body]
    starts = [float(middle) - 5 for middle in re.findall('data-at="(.*?)"', strip)]
    assert starts == pytest.approx([0])  # those at 10 and 12 s are silent
    assert strip.count('class="silent"') == 2
    assert "pending" not in strip


@needs_cqt
@pytest.mark.parametrize("language", LANGUAGES)
def test_what_warns_stands_below_the_answer_and_speech_in_its_place(
    language: Language, write_sound: WriteSound, monkeypatch: pytest.MonkeyPatch
) -> None:
    loud = np.clip(8 * tone(440, 12), -1, 1)
    song = write_sound("loud.wav", loud)
    app = open_page(lang=language)
    app.file_uploader(key="upload").upload("loud.wav", song.read_bytes(), "audio/wav").run()
    assert_no_traceback(app)
    (warning,) = [w for w in load(song).warnings if w.code == "clipping"]
    assert warning.message(language) in below_the_answer(app)
    assert texts(app).count(warning.message(language)) == 1  # and nowhere else
    speech = AudioWarning("speech", {})
    monkeypatch.setattr(Prepared, "warnings", property(lambda prepared: (speech,)))
    app.run()
    assert_no_traceback(app)
    (stage,) = [body for body in markup(app) if 'class="piece"' in body]
    (large,) = re.findall('<h2 class="answer sentence">(.*?)</h2>', stage)
    assert large == _capital(translate(language, "quality.speech"))
    assert 'class="large"' not in stage
    assert len(lines(app)) == len(checkpoints("cqt"))


@needs_cqt
def test_another_piece_is_dimmed_until_it_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    left: list[set[str]] = []

    def changing(parts: set[str]) -> str:
        left.append(set(parts))
        return "<i></i>"

    monkeypatch.setattr("ccmusic.dashboard.markup.changing", changing)
    app = open_page(lang="en", example="rain")
    whole = {"verdict", "picture", "below"}
    assert left[0] == whole
    assert left[-1] == set()
    assert all(later <= earlier for earlier, later in pairwise(left))
    left.clear()
    app.pills(key="example").set_value("vibe_ace").run()
    assert_no_traceback(app)
    assert headline(app)[0] == "Vibe Ace"
    assert (left[0], left[-1]) == (whole, set())
    left.clear()
    app.segmented_control(key="language").set_value("zh").run()
    assert left == []  # the same piece


@in_both_languages
@needs_cqt
def test_the_way_of_the_data_names_every_stage(language: Language) -> None:
    app = open_page(lang=language, view="way", example="celtica")
    assert_no_traceback(app)
    said = texts(app)
    stages = ("decoded", "mono", "resampled", "spectrogram_cqt", "scaled_logarithm", "pixels")
    for stage in (*stages, "input", "probabilities"):
        assert translate(language, f"way.{stage}") in said
    assert "220500" in said
    assert len(app.get("download_button")) == 9
    (table,) = app.dataframe
    assert table.value[translate(language, "way.probability")].sum() == pytest.approx(100)


def test_the_way_of_the_data_tells_what_a_model_of_ones_own_sees(home: Path) -> None:
    for path in home.iterdir():
        path.unlink()
    default = Preprocessing.default("cqt").model_dump()
    levels = {"levels": "decibels", "reference": 0.5, "top_db": None, "scaling": "none"}
    preprocessing = Preprocessing.model_validate({**default, **levels})
    make_checkpoint(home, "own", preprocessing=preprocessing)
    app = open_page(lang="en", view="way", example="celtica")
    assert_no_traceback(app)
    said = texts(app).replace("\\", "")
    assert "Relative to 0.5:" in said
    assert "The levels before they were scaled to 0–255, minus 0.5, divided by 0.25" in said
    assert "Divided by 255" not in said


@in_both_languages
@needs_cqt
def test_the_guide_needs_no_recording(language: Language, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ccmusic.dashboard.examples._FOLDERS", ())
    app = open_page(lang=language, view="guide")
    assert_no_traceback(app)
    names = {c.card.name for c in zoo.scan()[0]}
    table = app.dataframe[0].value
    assert names == set(table[translate(language, "guide.model")])
    # What leads was measured on sources that the networks did not know.
    for _, row in table.iterrows():
        card = zoo.find_one(row[translate(language, "guide.model")]).card
        assert card.unknown_sources
        assert card.metrics
        assert row[translate(language, "guide.accuracy")] == 100 * card.unknown_sources.accuracy
        assert row[translate(language, "guide.known")] == f"{card.metrics.accuracy:.0%}"
        assert card.faithfulness
        assert row[translate(language, "guide.maps")] == card.maps_message(language)
    accuracy = {
        c.card.name: c.card.unknown_sources.accuracy
        for c in zoo.scan()[0]
        if c.card.unknown_sources
    }
    assert f"`{max(accuracy, key=accuracy.__getitem__)}`" in app.markdown[1].value.splitlines()[0]


def test_own_weights_leave_the_measured_pairs_where_they_are(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CCMUSIC_HOME", str(tmp_path))
    for transform in ("cqt", "mel"):
        make_checkpoint(tmp_path / "checkpoints", f"mine_{transform}", transform=transform)
    app = open_page(lang="en", view="guide")
    assert_no_traceback(app)
    (models,) = (table.value for table in app.dataframe)
    assert {"mine_cqt", "mine_mel"} < set(models[translate("en", "guide.model")])
    (matrix,) = [body for body in markup(app) if 'class="matrix"' in body]
    assert matrix.count('class="pair"') == 20
    assert matrix.count('class="alone"') == 5


def test_the_matrix_has_the_measured_pairs_above_and_below_its_diagonal() -> None:
    app = open_page(lang="en", view="guide")
    (matrix,) = [body for body in markup(app) if 'class="matrix"' in body]
    titles, *rows = re.findall("<tr>.*?</tr>", matrix)
    columns = re.findall("<th.*?>(.*?)</th>", titles)
    cells = {}
    for row in rows:
        (name,) = re.findall('<th scope="row">(.*?)</th>', row)
        for column, cell in zip(columns, re.findall("<td.*?>(.*?)</td>", row), strict=True):
            cells[name, column] = re.findall(r"\d+%", cell)
    for transform in ("cqt", "mel"):
        cards = {c.card.name: c.card for c in checkpoints(transform)}
        panel = zoo.panel_card(cards.values())
        assert panel is not None
        for pair in panel.pairs:
            one, other = sorted((cards[name].title() for name in pair.models), key=columns.index)
            place = (one, other) if transform == "cqt" else (other, one)
            assert cells[place] == [f"{pair.accuracy:.0%}", f"{pair.either:.0%}"]
        for card in cards.values():
            assert card.metrics is not None
            alone = cells[card.title(), card.title()][0 if transform == "cqt" else 1]
            assert alone == f"{card.metrics.accuracy:.0%}"


@needs_cqt
def test_a_model_that_is_switched_off_has_no_say(analyses: Counter[str]) -> None:
    app = open_page(example="vibe_ace")
    (switches,) = [p for p in app.pills if str(p.key).startswith("models_")]
    kept = list(switches.value or ())[:2]
    switches.set_value(kept).run()
    assert_no_traceback(app)
    assert len(lines(app)) == 2
    agreement = analyze_example("vibe_ace").result().select(kept).agreement
    assert agreement is not None
    assert agreement.models == 2
    assert agreement.message("en").lower() in texts(app).replace("\\", "").lower()
    switches.set_value([]).run()
    assert_no_traceback(app)
    assert translate("en", "page.all_off") in texts(app)
    assert analyses == {"cqt": 1}


def test_both_transforms_stand_side_by_side_and_load_no_model_twice(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for transform in ("cqt", "mel"):
        make_checkpoint(tmp_path, f"resnet50_{transform}", transform=transform)
    monkeypatch.setattr(zoo, "SHIPPED", tmp_path)
    monkeypatch.setenv("CCMUSIC_HOME", str(tmp_path / "none"))
    opened: list[str] = []
    open_checkpoint = zoo.Checkpoint.open

    def counted(self: zoo.Checkpoint, **options: int) -> object:
        opened.append(self.card.name)
        return open_checkpoint(self, **options)

    monkeypatch.setattr(zoo.Checkpoint, "open", counted)
    app = open_page(example="rain")
    app.segmented_control(key="transform").set_value("both").run()
    assert_no_traceback(app)
    assert [row.split("  ")[1].strip() for row in lines(app)] == [
        "ResNet50 · CQT",
        "ResNet50 · Mel",
    ]
    assert charts(app) == 3 + 2  # waveform, two spectrograms, maps
    assert sorted(opened) == ["resnet50_cqt", "resnet50_mel"]


@needs_cqt
def test_several_uploads_can_be_chosen_from() -> None:
    app = open_page(example="rain")
    uploader = app.file_uploader(key="upload")
    uploader.upload("one.ogg", EXAMPLES["rain"].read_bytes(), "audio/ogg")
    uploader.upload("two.ogg", EXAMPLES["enemy_unknown"].read_bytes(), "audio/ogg").run()
    assert_no_traceback(app)
    assert headline(app)[0] == "two.ogg"
    (table,) = [t.value for t in app.dataframe]
    assert list(table[translate("en", "files.file")]) == ["one.ogg", "two.ogg"]
    genres = [genre_name("environment", "en"), headline(app)[1].rsplit(" ", 1)[-1]]
    assert list(table[translate("en", "files.genre")]) == genres
    assert "5 × Environment" in table[translate("en", "files.votes")][0]


@needs_cqt
def test_a_refused_file_leaves_the_table_of_the_others() -> None:
    app = open_page(example="rain")
    uploader = app.file_uploader(key="upload")
    uploader.upload("one.ogg", EXAMPLES["rain"].read_bytes(), "audio/ogg")
    uploader.upload("two.txt", b"no sound at all", "text/plain").run()
    assert_no_traceback(app)
    assert headline(app)[0] == "one.ogg"  # the last one that can be read
    (table,) = [t.value for t in app.dataframe]
    assert list(table[translate("en", "files.genre")]) == [genre_name("environment", "en"), ""]
    assert "two.txt" in table[translate("en", "files.warnings")][1]


@in_both_languages
def test_advice_is_that_of_the_measured_panel(
    language: Language, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    cards = [
        make_checkpoint(tmp_path, f"{backbone}_{transform}", transform=transform, backbone=backbone)
        for backbone in ("resnet50", "vgg19_bn")
        for transform in ("cqt", "mel")
    ]
    unsure = Band(level="low", above=0, accuracy=0.4, accuracy_interval=(0.3, 0.5), recordings=70)
    (tmp_path / "panels").mkdir()
    for name, accuracy in (("cqt", 0.6), ("both", 0.72)):
        members = [c for c in cards if name in (c.transform, "both")]
        card = PanelCard(
            members={c.name: c.sha256 for c in members},
            metrics=METRICS.model_copy(update={"accuracy": accuracy, "bands": (unsure,)}),
            scaled_calibration_error=0.02,
            pairs=(Pair(models=(members[0].name, members[1].name), accuracy=0.64, either=0.8),),
        )
        (tmp_path / "panels" / f"{name}.json").write_text(card.to_json())
    monkeypatch.setattr(zoo, "SHIPPED", tmp_path)
    monkeypatch.setenv("CCMUSIC_HOME", str(tmp_path / "none"))
    app = open_page(lang=language, example="rain")
    assert_no_traceback(app)
    said = texts(app).replace("\\", "")
    assert translate(language, "advice.low", accuracy=0.4, recordings=70) in said
    pair = {"a": "ResNet50", "b": "VGG19-BN", "accuracy": 0.64, "alone": 0.6}
    assert translate(language, "advice.pair", **pair) in said
    assert translate(language, "advice.other", other="Mel", alone=0.6, both=0.72) in said

    # Measured together, they say nothing about one of them alone.
    (switches,) = [p for p in app.pills if str(p.key).startswith("models_")]
    switches.set_value(["vgg19_bn_cqt"]).run()
    assert translate(language, "advice.low", accuracy=0.4, recordings=70) not in texts(app)
