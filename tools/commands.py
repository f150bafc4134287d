"""Write the reference of the command line into ``docs/cli*.md``: ``python tools/commands.py``.

With ``--check`` nothing is written, and the exit status is 1 if a page has drifted.
"""

import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import typer.main

from ccmusic.cli import app
from ccmusic.texts import Language, localized
from tables import table, update

DOCS = Path(__file__).parent.parent / "docs"
HEADERS: dict[Language, str] = {
    "en": "argument or option | meaning | default",
    "zh": "参数或选项 | 含义 | 默认值",
}


def commands(group: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    """Full names and commands, those of inner groups included."""
    for name, command in sorted(group.commands.items()):
        if command.callback:
            yield f"{prefix} {name}", command
        if hasattr(command, "commands"):
            yield from commands(command, f"{prefix} {name}")


def reference(language: Language) -> str:
    parts = []
    for name, command in commands(typer.main.get_command(app), "ccmusic"):
        hints = get_type_hints(inspect.unwrap(command.callback))
        rows = [
            row(param, hints[param.name], language) for param in command.params if not param.hidden
        ]
        help_text = localized(inspect.cleandoc(command.help).replace("\f", ""), language)
        parts += [f"### `{name}`", help_text, *([table(HEADERS[language], rows)] if rows else [])]
    return "\n\n".join(parts)


def row(param: Any, hint: Any, language: Language) -> list[str]:
    argument = param.param_type_name == "argument"
    value = param.metavar or ("" if getattr(param, "is_flag", False) else placeholder(hint))
    names = "" if argument else ", ".join(param.opts)
    environment = f" (`{param.envvar}`)" if param.envvar else ""
    return [
        f"`{f'{names} {value}'.strip()}`".replace("|", "\\|"),
        f"{localized(param.help or '', language)}{environment}".replace("|", "\\|"),
        "" if param.default is None or param.default is False else f"`{param.default}`",
    ]


def placeholder(hint: Any) -> str:
    """What stands for a value: its choices, or a word for its type."""
    kinds = [kind for kind in get_args(hint) if kind is not type(None)]
    if get_origin(hint) is Literal:
        return "|".join(kinds)
    if len(kinds) == 1:  # optional, or a list
        return placeholder(kinds[0])
    return {int: "N", float: "X", Path: "PATH"}.get(hint, "TEXT")


def main() -> None:
    pages = {}
    for language in HEADERS:
        name = "cli.zh.md" if language == "zh" else "cli.md"
        text = (DOCS / name).read_text("utf-8")
        kept = re.fullmatch(r"(.*<!-- commands -->\n).*?(\n<!-- end -->.*)", text, re.DOTALL)
        assert kept, name
        pages[DOCS / name] = kept[1] + reference(language) + kept[2]
    update(pages, sys.argv)


if __name__ == "__main__":
    main()
