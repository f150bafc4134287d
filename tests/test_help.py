"""The command line speaks the language of its user: help, errors, what it prints."""

import ast
import errno
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.core import TyperGroup
from typer.testing import CliRunner

import ccmusic
from ccmusic.cli import app, main
from ccmusic.cli.help import HEADINGS
from ccmusic.texts import chinese_sentences, localized

SOURCE = Path(ccmusic.__file__).parent
CHINESE = re.compile("[\u4e00-\u9fff]")
GAP = re.compile(r"\{\w*\}|; ")
# What a wrong command line is told: in English by Typer, in Chinese by us.
USAGE_ERRORS = [
    (["foo"], "没有命令 'foo'；用法见 ccmusic --help"),
    (["model"], "没有命令 'model'（相近的有 'models'）；用法见 ccmusic --help"),
    (["classify"], "缺少参数 'FILE...'；用法见 ccmusic classify --help"),
    (["report", "a"], "缺少选项 '--output' / '-o'；用法见 ccmusic report --help"),
    (["doctor", "a", "b"], "多出参数 a b；用法见 ccmusic doctor --help"),
    (["doctor", "--foo"], "没有选项 --foo；用法见 ccmusic doctor --help"),
    (["train", "--patient", "1"],
     "没有选项 --patient（相近的有 --patience）；用法见 ccmusic train --help"),
    (["doctor", "--json=1"], "选项 '--json' 不带值；用法见 ccmusic --help"),
    (["classify", "a", "--pitch"], "选项 '--pitch' 需要一个值；用法见 ccmusic --help"),
    (["classify", "a", "--pitch", "up"],
     "'--pitch' 的值无效：应为数字；用法见 ccmusic classify --help"),
    (["classify", "a", "--top-k", "x"],
     "'--top-k' 的值无效：应为整数；用法见 ccmusic classify --help"),
    (["classify", "a", "--top-k", "0"],
     "'--top-k' 的值无效：应大于或等于 1；用法见 ccmusic classify --help"),
    (["serve", "--port", "70000"],
     "'--port' 的值无效：应小于或等于 65535；用法见 ccmusic serve --help"),
    (["report", "a", "-o", "a.html", "--language", "fr"],
     "'--language' 的值无效：'fr' 不是 'zh', 'en' 之一；用法见 ccmusic report --help"),
    (["classify", "a", "--crop", "x"],
     "'--crop' 的值无效：'x' 既不是 center, start, end, whole，也不是秒数；"
     "用法见 ccmusic classify --help"),
]  # fmt: skip


@pytest.fixture
def chinese(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CCMUSIC_LANGUAGE", "zh")


def walk(command: Any, *path: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    yield path, command
    for name, inner in getattr(command, "commands", {}).items():
        yield from walk(inner, *path, name)


COMMANDS = dict(walk(typer.main.get_command(app)))


def said(command: Any) -> Iterator[str]:
    """What the help of a command says, in English."""
    context = command.make_context("ccmusic", [], resilient_parsing=True)
    parts = [command, *command.get_params(context)]
    if isinstance(command, TyperGroup):
        parts += command.commands.values()
    for part in parts:
        assert part.help, f"{command.name}: {part.name} has no help"
        yield from (" ".join(paragraph.split()) for paragraph in part.help.split("\n\n"))
        panel = getattr(part, "rich_help_panel", None)
        if isinstance(panel, str):
            yield panel
    yield from (p for p in command.collect_usage_pieces(context) if re.search("[A-Z]{6}", p))


def helps() -> set[str]:
    every = {sentence for command in COMMANDS.values() for sentence in said(command)}
    return {sentence for sentence in every | {*HEADINGS.values()} if sentence[0] != "{"}


def filled(part: ast.expr) -> str:
    """Part of a sentence, with 7 for a value."""
    if isinstance(part, ast.Constant):
        return str(part.value)
    form = getattr(part, "format_spec", None)
    return "7%" if form and ast.unparse(form).endswith("%'") else "7"


def told() -> list[tuple[str, str]]:
    """Sentences that are told where an error is raised or a line printed, with 7 for values."""
    tellers = {"DataError", "CCMusicError", "MissingExtraError", "BadParameter"}
    tellers |= {"complain", "localized", "say"}
    found = []
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            reasons = [keyword.value for keyword in node.keywords if keyword.arg == "reason"]
            name = getattr(node.func, "id", "") or getattr(node.func, "attr", "")
            sentences = node.args[:1] if name in tellers else []
            if name == "map" and getattr(node.args[0], "id", "") == "localized":
                sentences = getattr(node.args[1], "elts", [])
            if name == "print_table":
                sentences = getattr(node.args[0], "elts", [])
            for sentence in (*sentences, *reasons):
                parts = sentence.values if isinstance(sentence, ast.JoinedStr) else [sentence]
                literal = all(isinstance(p, ast.Constant | ast.FormattedValue) for p in parts)
                text = "".join(map(filled, parts))
                if literal and re.search("[a-z]", text):  # otherwise its words are values
                    text = f"{text} needs an extra: pip install '7'" if "Extra" in name else text
                    place = f"{path.relative_to(SOURCE)}:{node.lineno}"
                    found.append((place, text.rstrip(".") if name == "BadParameter" else text))
    return found


@pytest.mark.parametrize("sentence", sorted(helps()))
def test_every_help_text_is_there_in_chinese(sentence: str) -> None:
    assert CHINESE.search(localized(sentence, "zh"))


@pytest.mark.parametrize(("place", "sentence"), told())
def test_every_error_and_every_printed_sentence_is_there_in_chinese(
    place: str, sentence: str
) -> None:
    assert CHINESE.search(localized(sentence, "zh"))


def test_the_sentences_of_the_program_are_found() -> None:
    assert len(helps()) > 100
    assert len(told()) > 100


def test_no_chinese_sentence_is_left_over() -> None:
    constants = [
        " ".join(node.value.split())
        for path in SOURCE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    system = map(os.strerror, errno.errorcode)
    known = "\n".join([*constants, *helps(), *map(usage_error, USAGE_ERRORS), *system])
    left = [
        english
        for english in chinese_sentences()
        if english not in HEADINGS.values()
        and not all(part.strip(" :%") in known for part in GAP.split(english))
    ]
    assert left == []


def usage_error(case: tuple[list[str], str]) -> str:
    with pytest.raises(typer.TyperException) as caught:
        app(case[0], standalone_mode=False)
    return str(caught.value.format_message())


@pytest.mark.parametrize(("arguments", "line"), USAGE_ERRORS)
def test_errors_of_usage_are_one_chinese_line(
    chinese: None,
    arguments: list[str],
    line: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["ccmusic", *arguments])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 2
    assert capsys.readouterr() == ("", f"ccmusic: {line}\n")


def test_an_error_of_usage_is_one_english_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CCMUSIC_LANGUAGE", "en")
    monkeypatch.setattr(sys, "argv", ["ccmusic", "classify", "--foo"])
    with pytest.raises(SystemExit):
        main()
    expected = "ccmusic: No such option: --foo; see ccmusic classify --help\n"
    assert capsys.readouterr().err == expected


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_help_is_chinese_and_whole_in_80_columns(
    path: tuple[str, ...], chinese: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    text = CliRunner().invoke(app, [*path, "--help"]).stdout
    assert "用法：" in text
    assert "─ 选项 ─" in text
    assert "显示此帮助并退出。" in text
    assert "…" not in text
    english = re.findall(r"\b(?:Usage|Options|Arguments|Commands|required|default|env var)\b", text)
    assert english == []


def test_help_is_english_again_for_the_next_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    for language, heading in (("zh", "选项"), ("en", "Options"), ("zh", "选项")):
        monkeypatch.setenv("CCMUSIC_LANGUAGE", language)
        assert f"─ {heading} ─" in CliRunner().invoke(app, ["classify", "--help"]).stdout


def test_no_command_is_answered_with_help(
    chinese: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["ccmusic"])
    with pytest.raises(SystemExit):
        main()
    out, err = capsys.readouterr()
    assert "五个视觉模型" in out
    assert err == ""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["doctor"], "执行后端: "),
        (["models"], "模型 频谱图 类别 参数量 大小 准确率 热力图"),
        (["batch", "nowhere", "-o", "a.csv"], "ccmusic: nowhere：文件或文件夹不存在"),
        (["report", "a.mp3", "-o", "a.pdf"], "a.pdf：报告的文件名须以"),
        (["classify", "a.mp3", "--models", "alexnet"], "ccmusic: 未知模型 alexnet"),
    ],
)
def test_what_commands_print_is_chinese(
    chinese: None,
    arguments: list[str],
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(sys, "argv", ["ccmusic", *arguments])
    with pytest.raises(SystemExit):
        main()
    printed = "".join(capsys.readouterr())
    assert words in " ".join(printed.split())
    assert "…" not in printed
