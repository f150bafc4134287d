"""Run the programs of README and manual, and write what they print: ``python tools/outputs.py``.

Every ``python`` block is a program of its own, every ``sh`` block with a ``text`` block below it is
a list of commands; the ``text`` block is the output. All blocks of a page run one after another in
one folder, where ``song.ogg`` and ``music/`` are. With ``--check`` nothing is written, and the exit
status is 1 if a program fails or prints something else. Numbers may differ a little: processors
round differently, and times are those of the machine.
"""

import io
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from contextlib import chdir, redirect_stdout
from importlib.util import find_spec
from pathlib import Path
from unittest import mock

from tables import update

ROOT = Path(__file__).parent.parent
PAGES = [
    ROOT / f"{name}{ending}"
    for name in ("README", "docs/python", "docs/cookbook", "docs/weights", "docs/service")
    for ending in (".md", ".zh.md")
]
BLOCK = re.compile(r"```(python|sh)\n(.*?)```\n(?:\n```text\n(.*?)```\n)?", re.DOTALL)
IMPORTS = re.compile(r"^(?:import|from) (\w+)", re.MULTILINE)
NUMBER = re.compile(r"\d+(?:\.\d+)?")
PERCENT = 3  # points by which a probability may differ; a share by a hundredth of that


def furnish(folder: Path) -> None:
    """Put the files in place of which the programs speak."""
    examples = ROOT / "examples"
    shutil.copy(examples / "celtica.ogg", folder / "song.ogg")
    (folder / "music").mkdir()
    for name in ("enemy_unknown", "rain", "vibe_ace"):
        shutil.copy(examples / f"{name}.ogg", folder / "music")


def printed(kind: str, code: str) -> str:
    """Output of a block in the current folder; it must not fail."""
    out = io.StringIO()
    if kind == "python":
        with redirect_stdout(out):
            exec(compile(code, "<block>", "exec"), {"__name__": "__main__"})
        return _neat(out.getvalue())
    for line in code.splitlines():
        if command := shlex.split(line, comments=True):
            done = subprocess.run(
                [sys.executable, "-m", *command], capture_output=True, encoding="utf-8"
            )
            if done.returncode:
                raise RuntimeError(f"{line}\n{done.stderr}")
            out.write(done.stdout)
    return _neat(out.getvalue())


def _neat(text: str) -> str:
    return "".join(f"{line.rstrip()}\n" for line in text.splitlines() if line.strip())


def alike(old: str, new: str) -> bool:
    """Whether two outputs say the same: all words, and numbers as near as they must be."""
    if [line.split() for line in NUMBER.sub("#", old).splitlines()] != [
        line.split() for line in NUMBER.sub("#", new).splitlines()
    ]:
        return False
    for before, after in zip(NUMBER.finditer(old), NUMBER.finditer(new), strict=True):
        percent = old[before.end() :].startswith("%")
        share = before[0].startswith("0.")
        most = PERCENT if percent else PERCENT / 100
        if (percent or share) and abs(float(before[0]) - float(after[0])) > most:
            return False
    return True


def with_outputs(page: Path, *, exact: bool = False) -> str:
    """The page with the outputs of its programs, as they are now if they are not alike."""

    def run(match: re.Match[str]) -> str:
        kind, code, shown = match.groups()
        needed = IMPORTS.findall(code) if kind == "python" else []
        if (kind == "sh" and shown is None) or not all(map(find_spec, needed)):
            return match[0]
        new = printed(kind, code)
        if shown is None or (alike(shown, new) and not exact):
            return match[0]
        return f"```{kind}\n{code}```\n\n```text\n{new}```\n"

    with tempfile.TemporaryDirectory() as name:
        furnish(Path(name))
        settings = {
            "CCMUSIC_HOME": str(Path(name) / "home"),
            "CCMUSIC_LANGUAGE": "zh" if page.name.endswith(".zh.md") else "en",
            "COLUMNS": "160",
            "MPLBACKEND": "agg",
            "PYTHONUTF8": "1",
        }
        with chdir(name), mock.patch.dict(os.environ, settings):
            return BLOCK.sub(run, page.read_text("utf-8"))


if __name__ == "__main__":
    chosen = [Path(name).resolve() for name in sys.argv[1:] if name.endswith(".md")] or PAGES
    exact = "--check" not in sys.argv
    update({page: with_outputs(page, exact=exact) for page in chosen}, sys.argv)
