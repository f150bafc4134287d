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
from tables import table, update

DOCS = Path(__file__).parent.parent / "docs"
HEADERS = {
    "cli.md": "argument or option | meaning | default",
    "cli.zh.md": "参数或选项 | 含义 | 默认值",
}


def commands(group: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    """Full names and commands, those of inner groups included."""
    for name, command in sorted(group.commands.items()):
        if command.callback:
            yield f"{prefix} {name}", command
        if hasattr(command, "commands"):
            yield from commands(command, f"{prefix} {name}")


def reference(header: str) -> str:
    parts = []
    for name, command in commands(typer.main.get_command(app), "ccmusic"):
        hints = get_type_hints(inspect.unwrap(command.callback))
        rows = [row(param, hints[param.name]) for param in command.params if not param.hidden]
        help_text = inspect.cleandoc(command.help).replace("\f", "")
        parts += [f"### `{name}`", help_text, *([table(header, rows)] if rows else [])]
    return "\n\n".join(parts)


def row(param: Any, hint: Any) -> list[str]:
    argument = param.param_type_name == "argument"
    value = param.metavar or ("" if getattr(param, "is_flag", False) else placeholder(hint))
    names = "" if argument else ", ".join(param.opts)
    environment = f" (`{param.envvar}`)" if param.envvar else ""
    return [
        f"`{f'{names} {value}'.strip()}`".replace("|", "\\|"),
        f"{param.help or ''}{environment}".replace("|", "\\|"),
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
    for name, header in HEADERS.items():
        text = (DOCS / name).read_text("utf-8")
        kept = re.fullmatch(r"(.*<!-- commands -->\n).*?(\n<!-- end -->.*)", text, re.DOTALL)
        assert kept, name
        pages[DOCS / name] = kept[1] + reference(header) + kept[2]
    update(pages, sys.argv)


if __name__ == "__main__":
    main()
