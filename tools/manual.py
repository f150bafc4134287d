"""What the manual needs beyond MkDocs: links out of ``docs/``, and docstrings as Markdown.

MkDocs loads this file as a hook, and Griffe, which reads the docstrings, as an extension.
"""

import logging
import re
from pathlib import Path
from typing import Any

import griffe

ROOT = Path(__file__).parent.parent
LOG = logging.getLogger("mkdocs.hooks")
OUTSIDE = re.compile(r"\]\(\.\./([^)#]+)")
ROLE = re.compile(r":(?:attr|class|data|exc|func|meth|mod):`~?([^`<]+?)(?: <[^>]+>)?`")
DOCTEST = re.compile(r"^>>> .*(?:\n.+)*", re.MULTILINE)


def on_page_markdown(markdown: str, *, page: Any, config: Any, files: Any) -> str:
    """Lead links to other files of the repository to its home."""

    def link(match: re.Match[str]) -> str:
        target = match[1]
        if not (ROOT / target).exists():
            LOG.warning("%s links to ../%s, which does not exist", page.file.src_uri, target)
        return f"]({config.extra['repository']}/blob/main/{target}"

    return OUTSIDE.sub(link, markdown)


class Docstrings(griffe.Extension):
    """Roles become code, examples fenced blocks; former names are left out."""

    def on_class(self, *, cls: griffe.Class, **_: Any) -> None:
        for name, member in list(cls.members.items()):
            if str(getattr(member, "value", "")).startswith("RenamedAttribute("):
                cls.del_member(name)

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        if obj.docstring:
            text = ROLE.sub(r"`\1`", obj.docstring.value)
            obj.docstring.value = DOCTEST.sub(r"```pycon\n\g<0>\n```", text)
