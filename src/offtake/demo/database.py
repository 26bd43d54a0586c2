"""The demo's database: one SQLite file with the tables of five systems, the same bytes at every build."""

import sqlite3
import zlib
from contextlib import closing
from itertools import chain
from pathlib import Path

from offtake.demo import billing, legal, papers, people, processes
from offtake.demo.words import CASTS, Tables, dice_for

HERE = Path(__file__).parent
TABLES: Tables = {**legal.TABLES, **papers.TABLES, **processes.TABLES, **people.TABLES, **billing.TABLES}


def edition() -> int:
    """A number that changes whenever something in this package does: an older home is then built anew."""
    number = 0
    for file in sorted(chain.from_iterable(HERE.glob(f"*.{ending}") for ending in ("py", "sql", "yaml"))):
        number = zlib.crc32(file.read_bytes(), number)
    return number & 0x7FFFFFFF


def is_current(path: Path) -> bool:
    """Whether the file is there and of this edition."""
    if not path.exists():
        return False
    with closing(sqlite3.connect(path)) as connection:
        found: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return found == edition()


def build_database(path: Path) -> None:
    """Write every table for both tenants. Half a database is never visible under that name."""
    aside = path.with_suffix(".part")
    aside.unlink(missing_ok=True)
    with closing(sqlite3.connect(aside, isolation_level=None)) as connection:
        connection.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;")
        connection.executescript((HERE / "tables.sql").read_text("utf-8"))
        connection.execute("BEGIN")
        for table, rows in TABLES.items():
            width = len(connection.execute(f"PRAGMA table_info({table})").fetchall())
            insert = f"INSERT INTO {table} VALUES ({', '.join('?' * width)})"  # noqa: S608  (names of our own)
            for cast in CASTS:
                connection.executemany(insert, rows(cast, dice_for(cast, table)))
        connection.execute(f"PRAGMA user_version = {edition()}")
        connection.execute("COMMIT")
    aside.replace(path)
