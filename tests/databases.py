"""What a batch has kept in its database."""

import sqlite3
from contextlib import closing
from pathlib import Path


def database_of(output: Path) -> Path:
    return output.with_name(f"{output.name}.sqlite")


def kept(output: Path) -> list[str]:
    """Finished recordings, in the order of the table."""
    if not database_of(output).exists():
        return []
    with closing(sqlite3.connect(database_of(output))) as database:
        if not database.execute("SELECT 1 FROM sqlite_master").fetchone():
            return []
        found = database.execute("SELECT path FROM recordings ORDER BY position")
        return [path.decode("utf-8", "surrogatepass") for (path,) in found]


def spoil(output: Path, file: str, rows: bytes) -> None:
    """Put other bytes into the place of the rows of a recording."""
    with closing(sqlite3.connect(database_of(output))) as database, database:
        found = database.execute(
            "UPDATE recordings SET rows = ? WHERE path = ?", [rows, file.encode()]
        )
        assert found.rowcount == 1
