"""Two tables for every benchmark: 16 mixed columns (`lineitem`), 12 of a contacts list, made by DuckDB's hash."""

import re
import sqlite3
import subprocess
from pathlib import Path

import duckdb
import pyarrow as pa

LINEITEM = """
SELECT i AS id,
       (hash(i) % 1500000)::BIGINT AS order_id,
       (hash(i + 1) % 200000)::INTEGER AS part_id,
       (hash(i + 2) % 10000)::INTEGER AS supplier_id,
       (1 + hash(i + 3) % 7)::INTEGER AS line_number,
       (1 + hash(i + 4) % 50)::DECIMAL(12, 2) AS quantity,
       ((hash(i + 5) % 9000000) / 100.0)::DECIMAL(12, 2) AS price,
       ((hash(i + 6) % 11) / 100.0)::DECIMAL(12, 2) AS discount,
       (hash(i + 7) % 1000003) / 997.0 AS weight,
       ['A', 'N', 'R'][(1 + hash(i + 8) % 3)::INTEGER] AS return_flag,
       (hash(i + 9) % 2 = 0) AS is_open,
       DATE '1992-01-02' + (hash(i + 10) % 2500)::INTEGER AS ship_date,
       DATE '1992-01-02' + (hash(i + 11) % 2500)::INTEGER AS commit_date,
       CASE WHEN hash(i + 12) % 20 > 0 THEN TIMESTAMPTZ '2020-01-01 00:00:00Z'
            + to_seconds((hash(i + 12) % 157680000)::BIGINT) END AS shipped_at,
       ['AIR', 'RAIL', 'SHIP', 'TRUCK', 'MAIL', 'FOB', 'REG AIR'][(1 + hash(i + 13) % 7)::INTEGER] AS ship_mode,
       'carefully ' || ['final', 'even', 'bold, "quick"', 'silent'][(1 + hash(i + 14) % 4)::INTEGER]
            || ' deposits ' || (hash(i + 15) % 100000)::VARCHAR AS remark
FROM range({first}, {last}) t(i) ORDER BY i
"""

CONTACTS = """
SELECT i AS id,
       ['Anna', 'José', 'Łukasz', 'Мария', '美咲', 'Zoë', 'Óscar', 'محمد'][(1 + hash(i) % 8)::INTEGER] AS first_name,
       ['Müller', 'García', 'Nowak', 'Иванова', '佐藤', 'O''Neill', 'Smith, Jr.'][(1 + hash(i + 1) % 7)::INTEGER] AS last_name,
       'person' || i || '@example' || (hash(i + 2) % 50)::VARCHAR || '.org' AS email,
       CASE WHEN hash(i + 3) % 10 > 2 THEN '+56 9 ' || (10000000 + hash(i + 3) % 89999999)::VARCHAR END AS phone,
       (hash(i + 4) % 3 > 0) AS is_active,
       CASE WHEN hash(i + 5) % 15 > 0 THEN (((hash(i + 5) % 200000000)::BIGINT - 100000000) / 100.0)::DECIMAL(14, 2) END AS balance,
       (hash(i + 6) % 1000)::INTEGER AS score,
       (hash(i + 7) % 1000003) / 1009.0 AS rating,
       DATE '1940-01-01' + (hash(i + 8) % 25000)::INTEGER AS birthday,
       TIMESTAMPTZ '2019-01-01 00:00:00Z' + to_microseconds((hash(i + 9) % 200000000000000)::BIGINT) AS created_at,
       CASE WHEN hash(i + 10) % 4 > 0 THEN 'called on Monday; wants "blue" (' || (hash(i + 11) % 999)::VARCHAR || ')' END AS note
FROM range({first}, {last}) t(i) ORDER BY i
"""

POSTGRES = {
    "lineitem": """id bigint, order_id bigint, part_id integer, supplier_id integer, line_number integer, quantity numeric(12,2),
        price numeric(12,2), discount numeric(12,2), weight double precision, return_flag text, is_open boolean, ship_date date,
        commit_date date, shipped_at timestamptz, ship_mode text, remark text""",
    "contacts": """id bigint, first_name text, last_name text, email text, phone text, is_active boolean, balance numeric(14,2),
        score integer, rating double precision, birthday date, created_at timestamptz, note text""",
}
QUERIES = {"lineitem": LINEITEM, "contacts": CONTACTS}
SLICE = 250_000


def column_names(table: str) -> list[str]:
    """The table's columns, in order."""
    return [line.split()[0] for line in re.split(r",\s+", POSTGRES[table])]


def arrow_batches(table: str, rows: int) -> pa.RecordBatchReader:
    """The first `rows` rows of a table as Arrow, made as they are read."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    return connection.sql(QUERIES[table].format(first=0, last=rows)).to_arrow_reader(16_384)


def write_ipc(table: str, rows: int, path: Path, columns: int | None = None) -> None:
    """The table (or its first columns) as an Arrow IPC stream, so that every encoder starts from the same batches."""
    reader = arrow_batches(table, rows)
    names = reader.schema.names[:columns]
    schema = pa.schema([reader.schema.field(name) for name in names])
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, schema) as writer:
        for batch in reader:
            writer.write_batch(batch.select(names))


def load_postgres(psql: list[str], table: str, rows: int, folder: Path) -> None:
    """Create and fill the table through psql, slice by slice; then VACUUM, so that no run pays for hint bits."""
    subprocess.run([*psql, "-c", f"CREATE TABLE {table} ({POSTGRES[table]})"], check=True)
    csv = folder / f"{table}.csv"
    for first in range(0, rows, SLICE):
        query = QUERIES[table].format(first=first, last=min(first + SLICE, rows))
        connection = duckdb.connect()
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(f"COPY ({query}) TO '{csv}' (FORMAT csv, HEADER false)")
        with csv.open("rb") as file:
            subprocess.run([*psql, "-c", f"COPY {table} FROM STDIN (FORMAT csv)"], stdin=file, check=True)
    csv.unlink()
    subprocess.run([*psql, "-c", f"VACUUM (ANALYZE, FREEZE) {table}"], check=True)


def load_sqlite(path: Path, table: str, rows: int) -> None:
    """The same table in SQLite: decimals as numbers, dates and instants as ISO text, booleans as 0 and 1."""
    columns = column_names(table)
    connection = sqlite3.connect(path)
    types = POSTGRES[table].replace("timestamptz", "datetime").replace("double precision", "real")
    connection.execute(f"CREATE TABLE {table} ({types})")
    marks = ", ".join("?" for _ in columns)
    for batch in arrow_batches(table, rows):
        values = zip(*(_sqlite_values(column) for column in batch.columns), strict=True)
        connection.executemany(f"INSERT INTO {table} VALUES ({marks})", values)
    connection.commit()
    connection.close()


def _sqlite_values(column: pa.Array) -> list[object]:
    if pa.types.is_decimal(column.type):
        return column.cast(pa.float64()).to_pylist()
    if pa.types.is_temporal(column.type):
        return column.cast(pa.string()).to_pylist()
    return column.to_pylist()
