"""What the manual needs beyond MkDocs: links out of ``docs/``, docstrings as Markdown, and fields.

MkDocs loads this file as a hook, and Griffe, which reads the docstrings, as an extension.
"""

import ast
import logging
import re
from pathlib import Path
from typing import Any

import griffe

ROOT = Path(__file__).parent.parent
LOG = logging.getLogger("mkdocs.hooks")
OUTSIDE = re.compile(r"\]\((\.\./[^)#]+)")
ROLE = re.compile(r":(?:attr|class|data|exc|func|meth|mod):`~?([^`<]+?)(?: <[^>]+>)?`")
DOCTEST = re.compile(r"^>>> .*(?:\n.+)*", re.MULTILINE)


def on_page_markdown(markdown: str, *, page: Any, config: Any, files: Any) -> str:
    """Lead links to other files of the repository to its home."""
    docs = Path(config.docs_dir)
    folder = (docs / page.file.src_uri).parent

    def link(match: re.Match[str]) -> str:
        target = (folder / match[1]).resolve()
        if target.is_relative_to(docs):
            return match[0]
        if not target.exists():
            LOG.warning("%s links to %s, which does not exist", page.file.src_uri, match[1])
        return f"]({config.extra['repository']}/blob/main/{target.relative_to(ROOT).as_posix()}"

    return OUTSIDE.sub(link, markdown)


class Docstrings(griffe.Extension):
    """Roles become code, examples fenced blocks, descriptions of fields docstrings."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        if isinstance(obj, griffe.Attribute) and isinstance(obj.value, griffe.ExprCall):
            for told in obj.value.arguments:
                if isinstance(told, griffe.ExprKeyword) and told.name == "description":
                    text = ast.literal_eval(str(told.value))
                    obj.docstring = griffe.Docstring(text, parent=obj)
        if obj.docstring:
            text = ROLE.sub(r"`\1`", obj.docstring.value)
            obj.docstring.value = DOCTEST.sub(r"```pycon\n\g<0>\n```", text)
