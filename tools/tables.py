"""What the scripts that write documents share."""

import sys
from pathlib import Path

from ccmusic.card import PanelCard
from ccmusic.zoo import SHIPPED


def table(header: str, rows: list[list[str]]) -> str:
    """Markdown table; the columns of the header are separated by `` | ``."""
    columns = header.split(" | ")
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def panels() -> dict[str, PanelCard]:
    """Shipped panel cards by name: ``all``, ``cqt``, ``mel``."""
    return {path.stem: PanelCard.read(path) for path in sorted((SHIPPED / "panels").glob("*.json"))}


def share(value: float, interval: tuple[float, float]) -> str:
    """A share with its interval, in per cent."""
    return f"{value:.0%} ({interval[0]:.0%}–{interval[1]:.0%})"


def check_size(path: Path, limit: int) -> None:
    """Tell how many bytes a picture has; pictures stay in the repository's history for ever."""
    size = path.stat().st_size
    if size > limit:
        sys.exit(f"{path}: {size} bytes are too many for the repository")
    print(f"{path}: {size} bytes")


def update(pages: dict[Path, str], arguments: list[str]) -> None:
    """Write the pages that have changed; with ``--check`` only complain of them."""
    drifted = [
        path
        for path, text in pages.items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    if "--check" in arguments:
        if drifted:
            names = ", ".join(path.name for path in drifted)
            sys.exit(f"{names} drifted: run python {arguments[0]}")
        return
    for path in drifted:
        path.write_text(pages[path], encoding="utf-8")
