import ast
import json
import re
from importlib import resources
from pathlib import Path
from string import Formatter
from typing import Any

import pytest

import ccmusic
from ccmusic.errors import AudioError, DataError
from ccmusic.genres import GENRES, genre_name
from ccmusic.texts import LANGUAGES, Language, catalogue, chinese_sentences, localized, translate

CHINESE = [*catalogue("zh").values(), *chinese_sentences().values()]


def placeholders(sentence: str) -> set[str]:
    return {field for _, field, _, _ in Formatter().parse(sentence) if field}


def test_both_catalogues_have_the_same_keys() -> None:
    assert catalogue("zh").keys() == catalogue("en").keys()


@pytest.mark.parametrize("name", [*LANGUAGES, "sentences.zh"])
def test_no_key_stands_twice(name: str) -> None:
    text = resources.files("ccmusic.texts").joinpath(f"{name}.json").read_text("utf-8")
    keys = [key for key, _ in json.loads(text, object_pairs_hook=list)]
    assert len(set(keys)) == len(keys)


def test_both_sentences_mention_the_same_values() -> None:
    pairs = [(catalogue("en")[key], chinese) for key, chinese in catalogue("zh").items()]
    pairs += chinese_sentences().items()
    assert not [pair for pair in pairs if placeholders(pair[0]) != placeholders(pair[1])]


@pytest.mark.parametrize(
    ("english", "chinese"),
    [
        ("a; b: no such folder", "a; b：文件夹不存在"),
        ("no recordings found in a; folders within folders need `recursive`",
         "在 a 中没有找到录音；要包括子文件夹，请加上 `recursive`"),
        ("training needs an extra: pip install 'ccmusic[torch]'",
         "training需要附加包：pip install 'ccmusic[torch]'"),
        ("the dashboard needs an extra: pip install 'ccmusic[dashboard]'",
         "仪表盘需要附加包：pip install 'ccmusic[dashboard]'"),
        ("Use; nobody translated this", "Use; nobody translated this"),
    ],
)  # fmt: skip
def test_sentences_are_found_with_their_values(english: str, chinese: str) -> None:
    assert localized(english, "zh") == chinese
    assert localized(english, "en") == english


def test_no_message_of_the_library_names_an_option_of_the_command_line() -> None:
    """The service, the page and Python have others; the command line writes its own."""
    own = ("cli.", "error.edited_whole")
    for language in LANGUAGES:
        named = [k for k, v in catalogue(language).items() if "--" in v and not k.startswith(own)]
        assert not named
    package = Path(ccmusic.__file__).parent
    for path in package.rglob("*.py"):
        if path.parent.name != "cli":
            tree = ast.parse(path.read_text("utf-8"))
            raised = [node for node in ast.walk(tree) if isinstance(node, ast.Raise)]
            texts = [n.value for r in raised for n in ast.walk(r) if isinstance(n, ast.Constant)]
            assert not [t for t in texts if isinstance(t, str) and re.search("--[a-z]", t)], path


@pytest.mark.parametrize("language", LANGUAGES)
def test_negative_numbers_have_a_minus_sign(language: Language) -> None:
    """Names and code keep their hyphens."""
    for key, sentence in catalogue(language).items():
        assert not re.search(r"(?<!\w)-\d", sentence)
        forms = {field: form for _, field, form, _ in Formatter().parse(sentence) if field}
        values = {field: -7.0 if form else "a-b" for field, form in forms.items()}
        told = translate(language, key, **values)
        assert "-7" not in told
        assert ("−7" in told) == any(forms.values())
        assert ("a-b" in told) == (not all(forms.values()))


def test_chinese_sentences_have_chinese_punctuation() -> None:
    # Values are filled in, and code between backticks is to be copied.
    plain = [re.sub(r"\{.*?\}|`.*?`", "", sentence) for sentence in CHINESE]
    chinese = [sentence for sentence in plain if re.search(r"[\u4e00-\u9fff]", sentence)]
    assert len(chinese) > 700
    assert not [sentence for sentence in chinese if re.search(r"[,:;?!()]", sentence)]


def test_chinese_sentences_use_the_words_of_the_field() -> None:
    """网络 alone is the Internet, 评审 alone an act; a panel is 评审团, one of it 评委."""
    wrong = "(?<!神经)(?<!骨干)网络|评审(?!团)|热图"
    assert not [sentence for sentence in CHINESE if re.search(wrong, sentence)]


def test_a_missing_key_or_value_is_an_error() -> None:
    with pytest.raises(KeyError):
        translate("en", "no.such.key")
    with pytest.raises(KeyError):
        translate("en", "agreement.unanimous", models=5)


def test_every_genre_has_a_name_in_every_language() -> None:
    for language in LANGUAGES:
        assert all(genre_name(genre, language) for genre in GENRES)
    assert genre_name("chamber_music", "zh") == "chamber music"


def test_an_error_speaks_both_languages() -> None:
    error = AudioError("empty", file="a.mp3")
    assert error.message("en") == str(error)
    assert "a.mp3" in error.message("zh") != str(error)


def test_a_long_strange_text_is_looked_up_at_once() -> None:
    for strange in ("a (a) and ", ": ", " and ", "; ", "% "):
        assert localized(strange * 10_000, "zh") == strange * 10_000


def test_reasons_and_stand_ins_for_names_within_an_error_are_translated_too() -> None:
    error = AudioError("cannot_open", file="standard input", reason="Permission denied")
    assert error.message("zh") == "标准输入：无法读取（没有权限）"
    assert error.message("en") == str(error) == "standard input: cannot be read (Permission denied)"
    assert DataError("a.csv: cannot be written (No space left on device)").message("zh") == (
        "a.csv：无法写入（磁盘空间不足）"
    )


def test_another_language_is_refused_in_one_line() -> None:
    wrong: Any = "fr"
    with pytest.raises(ValueError, match=r"language cannot be 'fr'; it must be zh \| en"):
        translate(wrong, "attention.title")
