"""What several of these programs need."""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from ccmusic.card import ModelCard
from ccmusic.files import replacing, write
from ccmusic.zoo import Checkpoint

RESULTS = Path(__file__).parent / "results"


def checkpoint(folder: Path, name: str) -> Checkpoint:
    """A checkpoint of any folder."""
    return Checkpoint(ModelCard.read(folder / f"{name}.json"), folder / f"{name}.onnx")


def parser_of(docstring: str | None, *paths: str) -> argparse.ArgumentParser:
    """Parser of a program that its docstring describes, and that takes these paths."""
    parser = argparse.ArgumentParser(
        description=docstring, formatter_class=argparse.RawTextHelpFormatter
    )
    for name in paths:
        parser.add_argument(name, type=Path)
    return parser


def write_table(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a CSV file."""
    with replacing(path) as beside, beside.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])


def write_results(path: Path, found: object, cards: Iterable[ModelCard]) -> None:
    """Write as JSON what was found, and of which checkpoints: these may be replaced."""
    content = {"of": {card.name: card.sha256 for card in cards}, "found": found}
    write(path, (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode())
