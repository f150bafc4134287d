"""What a report says, and that its page needs nothing but itself."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from ccmusic import report, zoo
from ccmusic.analysis import Analysis
from ccmusic.api import analyze
from ccmusic.audio import SAMPLE_RATE, AudioInfo, Clip
from ccmusic.errors import CCMusicError
from ccmusic.genres import GENRES
from ccmusic.texts import LANGUAGES, Language, translate
from small_models import make_checkpoint


@pytest.fixture
def analysis(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Analysis:
    make_checkpoint(tmp_path, "resnet50_cqt", favourite="jazz")
    make_checkpoint(tmp_path, "densenet121_cqt", favourite="blues", backbone="densenet121")
    make_checkpoint(tmp_path, "vgg19_bn_mel", transform="mel", backbone="vgg19_bn")
    monkeypatch.setattr(zoo, "SHIPPED", tmp_path)
    monkeypatch.setenv("CCMUSIC_HOME", str(tmp_path / "none"))
    samples = np.random.default_rng(0).normal(0, 0.1, 10 * SAMPLE_RATE).astype(np.float32)
    info = AudioInfo("flac", None, SAMPLE_RATE, 1, 10.0, 0.0, 10.0, False)
    clip = Clip("<b>song & more.flac", samples, samples, info, 10.0, ())
    return analyze(clip, transform="both")


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.sources: list[str] = []
        self.tags: list[str] = []
        self.described: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.sources += [value or "" for name, value in attrs if name in ("src", "href")]
        self.described += [value or "" for name, value in attrs if name == "aria-label"]

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("language", LANGUAGES)
def test_page_holds_everything_it_shows(analysis: Analysis, language: Language) -> None:
    text = report.render(analysis, "html", language)
    page = _Page()
    page.feed(text)
    assert page.sources
    assert all(source.startswith("data:image/png;base64,") for source in page.sources)
    assert not re.search(r"url\(|@import|<script|<link", text)
    assert "<b>song" not in text  # a file's name is text, not markup
    assert "<b>song & more.flac" in page.text
    assert page.tags.count("svg") == 2 * 2 + 3  # spectrogram and pixels of both; three maps
    table, *pictures = page.described
    assert table == translate(language, "page.table")
    assert len(pictures) == 2 * 2 + 3
    assert pictures[::2][:2] == ["CQT", "Mel"]
    for axis in ("time", "pitch_cqt", "pitch_mel"):
        title = translate(language, f"figure.{axis}")
        assert title[:1].upper() + title[1:] in page.text
    assert translate(language, "attention.title") in page.text
    for name, verdict in analysis.verdicts.items():
        assert name in page.text
        assert verdict.card.sha256[:12] in page.text
    assert f"{max(analysis.mean.values()):.0%}" in page.text
    why = analysis.why()
    assert why
    assert why.message(language) in page.text


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_report_names_models_by_their_titles(analysis: Analysis, language: Language) -> None:
    text = report.render(analysis, "html", language)
    (table,) = re.findall('<table class="all">.*?</table>', text)
    for verdict in analysis.verdicts.values():
        assert f'<th scope="row">{verdict.card.title(with_transform=True)}</th>' in table
        assert verdict.card.name not in table


@pytest.mark.parametrize("language", LANGUAGES)
def test_json_speaks_the_language_that_is_asked_for(analysis: Analysis, language: Language) -> None:
    document = json.loads(report.render(analysis, "json", language))
    assert document["message"] == analysis.message(language)


def test_csv_has_a_row_per_model_and_class(analysis: Analysis) -> None:
    rows = list(csv.DictReader(io.StringIO(report.to_csv(analysis))))
    assert len(rows) == (3 + 1) * len(GENRES)
    jazz = [r for r in rows if r["model"] == "resnet50_cqt" and r["class"] == "jazz"]
    assert float(jazz[0]["probability"]) == analysis.verdicts["resnet50_cqt"].probabilities["jazz"]
    assert {r["transform"] for r in rows if r["model"] == "mean"} == {"both"}


def test_json_is_that_of_classify(analysis: Analysis) -> None:
    assert json.loads(report.to_json(analysis)) == analysis.to_dict()


def test_a_failed_model_is_in_every_kind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, analysis: Analysis
) -> None:
    (tmp_path / "resnet50_cqt.onnx").write_bytes(b"damaged")
    failed = analyze(analysis.clip, transform="both")
    for kind in ("html", "json", "csv"):
        assert "sha256" in report.render(failed, kind)
    assert "resnet50_cqt,,,,sha256" not in report.to_csv(failed)
    rows = [r for r in csv.DictReader(io.StringIO(report.to_csv(failed))) if r["error"]]
    assert [r["model"] for r in rows] == ["resnet50_cqt"]


def test_silence_has_no_table_and_no_maps_in_any_kind(analysis: Analysis) -> None:
    silence = np.zeros_like(analysis.clip.samples)
    clip = replace(analysis.clip, samples=silence, audible=0.0, file="rest.flac")
    silent = analyze(clip, transform="both")
    assert silent.judged == "silent"
    page = report.render(silent, "html", "zh")
    assert "这段是静音，不作判断" in page
    assert "<table" not in page
    assert page.count("<svg") == 2 * 2
    (row,) = csv.DictReader(io.StringIO(report.to_csv(silent)))
    assert (row["file"], row["judged"], row["class"]) == ("rest.flac", "silent", "")
    content = json.loads(report.to_json(silent))
    assert (content["judged"], content["models"], content["mean"]) == ("silent", {}, {})
    assert content["agreement"] is None


def test_other_kinds_are_refused() -> None:
    assert report.kind_of(Path("A.HTML")) == "html"
    with pytest.raises(CCMusicError, match=r"a\.pdf: the name of a report must end in"):
        report.kind_of(Path("a.pdf"))
