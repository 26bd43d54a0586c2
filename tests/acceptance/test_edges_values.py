"""The outermost values of every type, from a DuckDB file through the command line into every format."""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from acceptance.command import export, offtake
from acceptance.edges import FORMATS, JSONS, READERS, TEXTUAL, arrow_table, build_home, pdf_text

SAME = object()


@dataclass(frozen=True)
class Case:
    """One value: how SQL makes it, how text formats write it, and JSON and sheets where they differ from that."""

    sql: str
    text: str
    json: Any = SAME
    sheet: Any = SAME


DIGITS_38 = "9" * 38
CASES = {
    "nan": Case("'nan'::DOUBLE", "NaN", None),
    "plus_infinity": Case("'inf'::DOUBLE", "Infinity", None),
    "minus_infinity": Case("'-inf'::DOUBLE", "-Infinity", None),
    "minus_zero": Case("'-0.0'::DOUBLE", "-0", 0, 0),
    "smallest_double": Case("5e-324::DOUBLE", "5e-324", Decimal("5e-324"), 5e-324),
    "largest_double": Case(
        "1.7976931348623157e308::DOUBLE",
        "1.7976931348623157e+308",
        Decimal("1.7976931348623157e308"),
        1.7976931348623157e308,
    ),
    "a_third": Case("(1/3)::DOUBLE", "0.3333333333333333", Decimal("0.3333333333333333"), 1 / 3),
    "largest_bigint": Case("9223372036854775807::BIGINT", "9223372036854775807", 2**63 - 1),
    "smallest_bigint": Case("(-9223372036854775808)::BIGINT", "-9223372036854775808", -(2**63)),
    "beyond_doubles": Case("9007199254740993::BIGINT", "9007199254740993", 2**53 + 1),
    "largest_ubigint": Case("18446744073709551615::UBIGINT", "18446744073709551615", 2**64 - 1),
    "digits_38": Case(f"'{DIGITS_38}'::DECIMAL(38, 0)", DIGITS_38, int(DIGITS_38)),
    "digits_38_places": Case(f"'-0.{DIGITS_38}'::DECIMAL(38, 38)", f"-0.{DIGITS_38}", Decimal(f"-0.{DIGITS_38}")),
    "small_decimal": Case("-0.05::DECIMAL(10, 2)", "-0.05", Decimal("-0.05"), -0.05),
    "trailing_zeros": Case("12.50::DECIMAL(10, 2)", "12.50", Decimal("12.50"), 12.5),
    "hugeint": Case("'-170141183460469231731687303715884105728'::HUGEINT", str(-(2**127)), -(2**127)),
    "uhugeint": Case("'340282366920938463463374607431768211455'::UHUGEINT", str(2**128 - 1), 2**128 - 1),
    "yes": Case("true", "true", True, True),
    "no": Case("false", "false", False, False),
    "year_1": Case("DATE '0001-01-01'", "0001-01-01"),
    "year_9999": Case("DATE '9999-12-31'", "9999-12-31", SAME, datetime(9999, 12, 31)),  # noqa: DTZ001
    "caesar": Case("DATE '0044-03-15 (BC)'", "-0043-03-15"),
    "year_12024": Case("DATE '12024-02-29'", "+12024-02-29"),
    "endless_day": Case("'infinity'::DATE", "infinity"),
    "moment_1": Case("TIMESTAMPTZ '0001-01-01 00:00:00Z'", "0001-01-01T00:00:00Z"),
    "moment_9999": Case("TIMESTAMPTZ '9999-12-31 23:59:59.999999Z'", "9999-12-31T23:59:59.999999Z"),
    "moment_bc": Case("TIMESTAMPTZ '0044-03-15 (BC) 12:00:00Z'", "-0043-03-15T12:00:00Z"),
    "endless_moment": Case("'-infinity'::TIMESTAMPTZ", "-infinity"),
    "midnight": Case("TIME '00:00:00'", "00:00:00", SAME, time(0)),
    "last_moment": Case("TIME '23:59:59.999999'", "23:59:59.999999"),
    "half_past": Case("TIME '12:30:00.5'", "12:30:00.500", SAME, time(12, 30, 0, 500_000)),
    "numbers": Case("[1, NULL, 3]", "[1,null,3]", [1, None, 3]),
    "no_numbers": Case("[]::INTEGER[]", "[]", []),
    "lists": Case("[[1], [], [2, 3]]", "[[1],[],[2,3]]", [[1], [], [2, 3]]),
    "decimals": Case("[1.50::DECIMAL(10, 2)]", "[1.50]", [Decimal("1.50")]),
    "struct": Case(
        """{'a': 1, 'b c': 'x"y', 'n': {'t': TIME '09:30:00'}}""",
        r'{"a":1,"b c":"x\"y","n":{"t":"09:30:00"}}',
        {"a": 1, "b c": 'x"y', "n": {"t": "09:30:00"}},
    ),
    "structs": Case(
        "[{'k': 'a', 'v': 1.50::DECIMAL(10, 2)}, NULL]",
        '[{"k":"a","v":1.50},null]',
        [{"k": "a", "v": Decimal("1.50")}, None],
    ),
    "map": Case("MAP {'a': 1}", '{"a":1}', {"a": 1}),
    "json": Case("""'{"a": 1.50}'::JSON""", '{"a": 1.50}', {"a": Decimal("1.50")}),
    "json_null": Case("'null'::JSON", "null", None),
    "bytes": Case(r"'\xAA\x00'::BLOB", "aa00"),
    "uuid": Case("'00000000-0000-4000-8000-00000000000a'::UUID", "00000000-0000-4000-8000-00000000000a"),
    "controls": Case("'a' || chr(1) || chr(8) || 'b'", "a\x01\bb"),
    "nothing": Case("NULL::VARCHAR", "", None, None),
}  # fmt: skip
# Files with types compare against the table itself; there these are written as another type, or not at all.
INFINITE = ("endless_day", "endless_moment")
AS_STORED = {
    "bytes": "lower(hex(was.{}))",
    "map": "to_json(was.{})::VARCHAR",
    "json": "was.{}::VARCHAR",
    "json_null": "was.{}::VARCHAR",
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    columns = ", ".join(f"{case.sql} AS {name}" for name, case in CASES.items())
    return build_home(tmp_path_factory.mktemp("values"), {"extremes": f"SELECT {columns}"})


@pytest.fixture(scope="module")
def files(home: Path) -> dict[str, Path]:
    return {ending: export(home, "extremes", home / f"extremes.{ending}") for ending in FORMATS}


def differences(found: dict[str, Any], expected: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    assert list(found) == list(expected)
    return {name: (found[name], expected[name]) for name in expected if found[name] != expected[name]}


@pytest.mark.parametrize("ending", TEXTUAL)
def test_text_formats_write_every_value_whole(ending: str, files: dict[str, Path]) -> None:
    (row,) = READERS[ending](files[ending])
    expected: dict[str, Any] = {name: case.text for name, case in CASES.items()}
    if ending == "xml":  # which knows null, and has no control characters
        expected |= {"nothing": None, "controls": "a\ufffd\ufffdb"}
    assert differences(row, expected) == {}


@pytest.mark.parametrize("ending", JSONS)
def test_json_formats_write_every_value_whole(ending: str, files: dict[str, Path]) -> None:
    (row,) = READERS[ending](files[ending])
    expected = {name: case.text if case.json is SAME else case.json for name, case in CASES.items()}
    assert differences(row, expected) == {}


def test_a_sheet_shows_every_value_as_a_number_a_date_or_text(files: dict[str, Path]) -> None:
    (row,) = READERS["xlsx"](files["xlsx"])
    expected = {name: case.text if case.sheet is SAME else case.sheet for name, case in CASES.items()}
    assert differences(row, expected) == {}


@pytest.mark.parametrize("ending", ["parquet", "arrow"])
def test_typed_formats_hold_what_the_table_holds(ending: str, home: Path, files: dict[str, Path]) -> None:
    with duckdb.connect(str(home / "edge.duckdb"), read_only=True) as database:
        database.execute("SET TimeZone = 'UTC'")
        database.register("now_is", arrow_table(files[ending]))
        for name in CASES:
            was = AS_STORED.get(name, "was.{}").format(name)
            ((kind,),) = database.execute(f"SELECT typeof({was}) FROM extremes was").fetchall()
            same = f"SELECT {was} IS NOT DISTINCT FROM CAST(now_is.{name} AS {kind}) FROM extremes was, now_is"
            assert database.execute(same).fetchall() == [(name not in INFINITE,)], name


def test_a_pdf_shows_every_value(files: dict[str, Path]) -> None:
    text = pdf_text(files["pdf"])
    for name, case in CASES.items():
        assert "".join(case.text.split()).replace("\x01\b", "□□") in text, name


@pytest.mark.parametrize("ending", FORMATS)
def test_a_lone_surrogate_cannot_come_from_a_source(ending: str, tmp_path: Path) -> None:
    # DuckDB and PostgreSQL store no such text. SQLite stores any bytes, and then the field is named before any byte.
    with closing(sqlite3.connect(tmp_path / "bytes.db")) as database, database:
        database.execute("CREATE TABLE notes (id INTEGER PRIMARY KEY, note TEXT)")
        database.execute("INSERT INTO notes VALUES (1, CAST(X'61EDA0BD62' AS TEXT))")
    config = tmp_path / "offtake.yaml"
    config.write_text('sources: {db: {url: "sqlite:///bytes.db"}}\ndatasets: {notes: {source: db, table: notes}}\n')
    path = tmp_path / f"notes.{ending}"
    done = offtake("export", "notes", "-o", str(path), "--config", str(config))
    assert "note holds text that is not UTF-8" in done.said
    assert not path.exists()
