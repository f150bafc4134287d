"""docs/architecture.md names every module, in an order in which no import points back."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "ccmusic"
# What a result saves is a report of itself: its type is known below it, and nothing else.
TYPES_ABOVE = {"report.py": {"analysis", "result"}}


def documented() -> list[str]:
    """Modules and packages of the first column of the tables, in order."""
    text = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    core, rest = text.split("## The workshop")
    front = rest[rest.index("## The front ends") : rest.index("## Outside")]
    rows = re.findall(r"^\| `(\w+)(?:/|\.py)` \|", core + "| `workshop/` |\n" + front, re.MULTILINE)
    return [name for name in rows if name != "checkpoints"]


def imports(file: Path, names: set[str]) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("ccmusic"):
            _, *parts = (node.module or "").split(".")
            found = parts[:1] or [alias.name for alias in node.names]
            yield from (name for name in found if name in names)


def test_every_module_is_documented() -> None:
    modules = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__", "__main__"}
    packages = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert sorted(documented()) == sorted(modules | packages)
    workshop = (ROOT / "docs" / "architecture.md").read_text("utf-8").split("## The workshop")[1]
    for path in (PACKAGE / "workshop").glob("[a-z]*.py"):
        assert f"`{path.name}`" in workshop


def test_no_import_points_back() -> None:
    order = documented()
    for place, name in enumerate(order):
        single = PACKAGE / f"{name}.py"
        files = [single] if single.exists() else (PACKAGE / name).rglob("*.py")
        for file in files:
            found = set(imports(file, set(order))) - {name} - TYPES_ABOVE.get(file.name, set())
            assert found <= set(order[:place]), f"{file.name} imports {found - set(order[:place])}"


def test_both_languages_describe_the_same_modules() -> None:
    def modules(name: str) -> list[str]:
        lines = (ROOT / "docs" / name).read_text("utf-8").splitlines()
        first = (line.split("|")[1] for line in lines if line.startswith("|"))
        return [code for cell in first for code in re.findall(r"`(\w+(?:/|\.py))`", cell)]

    assert modules("architecture.zh.md") == modules("architecture.md")
