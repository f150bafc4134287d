"""Former names work for one release, and say what they are called now."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ccmusic import audio, picture
from ccmusic.api import analyze
from ccmusic.cli import main
from ccmusic.panel import Panel
from ccmusic.zoo import find


def test_names_of_modules() -> None:
    with pytest.warns(DeprecationWarning, match=r"ccmusic\.picture\.Recipe is now called Prepro"):
        from ccmusic.picture import Recipe
    assert Recipe is picture.Preprocessing
    for old, new in (
        ("Quality", "AudioWarning"),
        ("Facts", "AudioInfo"),
        ("SECONDS", "CLIP_SECONDS"),
        ("LONGEST_PIECE", "MAX_SECONDS"),
    ):
        with pytest.warns(DeprecationWarning, match=new):
            assert getattr(audio, old) is getattr(audio, new)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = audio.nothing


def test_attributes_and_options(write_sound: Callable[..., Path], tone: Callable[..., Any]) -> None:
    song = write_sound("song.wav", tone(440, 10))
    with pytest.warns(DeprecationWarning, match=r"open\(at_once=...\) is now called concurrency"):
        panel = Panel.open("cqt", ["mobilenet_v3_large"], at_once=1)  # type: ignore[call-arg]
    with panel:
        analysis = analyze(song, panel=panel)
        with pytest.warns(DeprecationWarning, match=r"Panel\.only is now called select"):
            (card,) = panel.only(["mobilenet_v3_large"]).cards
        with pytest.warns(DeprecationWarning, match=r"Panel\.joined is now called combine"):
            assert len(panel.joined(panel).cards) == 2
    clip = analysis.clip
    with pytest.warns(DeprecationWarning, match=r"Clip\.facts is now called info"):
        assert clip.facts is clip.info
    with pytest.warns(DeprecationWarning, match=r"Clip\.native is now called original"):
        assert clip.native is clip.original
    with pytest.warns(DeprecationWarning, match=r"ModelCard\.recipe is now called preprocessing"):
        assert card.recipe is card.preprocessing
    assert analysis.agreement is not None
    with pytest.warns(DeprecationWarning, match=r"Agreement\.say is now called message"):
        assert analysis.agreement.say("en") == analysis.agreement.message()


def test_cards_keep_the_key_of_their_files() -> None:
    checkpoint = find("cqt", ["mobilenet_v3_large"])[0]
    text = checkpoint.path.with_suffix(".json").read_text("utf-8")
    assert checkpoint.card.to_json() == text


def test_options_of_the_command_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments, new in (
        (["import", "nothing.pt", "--recipe=mel"], "--preprocessing"),
        (["train", "--data", "x", "-o", "y", "--backbone", "b", "--thin", "2"], "width-divisor"),
        (["train", "--data", "x", "--out", "y", "--backbone", "b"], "output"),
        (["evaluate", "nothing", "--data", "x", "--pictures=y"], "output"),
        (["export", "nothing.pt", "--data=x", "--data-note=x", "--licence=x", "--out=y"], "output"),
        (["batch", "nothing", "-o", "x.csv", "--window", "whole"], "crop"),
    ):
        monkeypatch.setattr("sys.argv", ["ccmusic", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        told = capsys.readouterr().err
        assert ended.value.code == 1  # for the file is missing, not for the option
        assert f"is now called {new}" in told or f"is now called --{new}" in told
