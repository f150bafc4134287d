"""Help in the language of its reader."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from ccmusic.texts import localized

HEADINGS = {
    "ARGUMENTS_PANEL_TITLE": "Arguments",
    "OPTIONS_PANEL_TITLE": "Options",
    "COMMANDS_PANEL_TITLE": "Commands",
    "DEFAULT_STRING": "[default: {}]",
    "ENVVAR_STRING": "[env var: {}]",
    "REQUIRED_LONG_STRING": "[required]",
}


class _Localized:
    """What a command and a group of commands do otherwise than Typer's own."""

    def format_usage(self: Any, ctx: Any, formatter: Any) -> None:
        pieces = " ".join(map(localized, self.collect_usage_pieces(ctx)))
        formatter.write_usage(ctx.command_path, pieces, prefix=localized("Usage: "))

    def format_help(self: Any, ctx: Any, formatter: Any) -> None:
        from rich.markdown import Markdown
        from typer import rich_utils  # takes 0.1 s, and who asks for no help need not wait

        class Folded(Markdown):
            """Text between whose words is no space would end in … where its column ends."""

            def __rich_console__(self, console: Any, options: Any) -> Any:
                yield from super().__rich_console__(console, options.update(overflow="fold"))

        headings = {name: localized(english) for name, english in HEADINGS.items()}
        vars(rich_utils).update(headings, Markdown=Folded)
        for part in (self, *self.get_params(ctx), *getattr(self, "commands", {}).values()):
            part.help = localized(part.help or "")
            panel = getattr(part, "rich_help_panel", None)
            if isinstance(panel, str):
                part.rich_help_panel = localized(panel)
        super().format_help(ctx, formatter)  # type: ignore[misc]


class Command(_Localized, TyperCommand):
    """A command whose help is localized."""


class Group(_Localized, TyperGroup):
    """A group of commands whose help is localized."""


class App(typer.Typer):
    """Commands whose help is localized."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(cls=Group, **settings)

    def command(self, name: str | None = None, **settings: Any) -> Callable[[Any], Any]:
        """Register a function as a command."""
        return super().command(name, cls=Command, **settings)
