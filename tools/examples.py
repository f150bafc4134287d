"""Write ``dashboard/examples.json``: what the page's tiles say about the examples.

Artist and genre are those of ``examples/CREDITS.md``; each model's first choice is that of
``tests/golden/verdicts.json``. ``--check`` only tells whether the file is up to date.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from ccmusic import load
from ccmusic.dashboard.examples import FACTS
from tables import update

_ROOT = Path(__file__).parents[1]
_EXAMPLES = _ROOT / "examples"


def _facts(name: str, credit: str, genre: str, judged: dict[str, dict[str, float]]) -> object:
    return {
        "artist": re.sub(r"\s*\(.*?\)", "", credit.split(",")[0]),
        "genre": genre,
        "seconds": round(load(_EXAMPLES / name).info.duration, 1),
        "votes": {model: max(shares, key=shares.__getitem__) for model, shares in judged.items()},
    }


def main() -> None:
    """Write the file."""
    golden = json.loads((_ROOT / "tests" / "golden" / "verdicts.json").read_text("utf-8"))
    credits = (_EXAMPLES / "CREDITS.md").read_text("utf-8")
    rows = re.findall(r"^\| `(.*?)` \| (.*?) \| .*? \| (\w+) \|$", credits, re.MULTILINE)
    facts = {
        Path(name).stem: _facts(name, credit, genre, golden[name])
        for name, credit, genre in sorted(rows)
    }
    update({FACTS: json.dumps(facts, indent=1, ensure_ascii=False) + "\n"}, sys.argv)


main()
