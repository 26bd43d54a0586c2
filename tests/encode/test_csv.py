"""CSV and TSV: the bytes themselves, and as Python's csv module, DuckDB and frictionless read them."""

import csv
import io
from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import frictionless
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from workbooks import stream_of

from offtake.encode import parse_options
from offtake.encode.csv import CSV, TSV
from offtake.errors import InvalidFormat
from offtake.model.dataset import FieldType
from offtake.model.export import Reader
from offtake.model.ports import RowStream

SANTIAGO = Reader(timezone="America/Santiago")
CHILE = Reader("es-CL", "America/Santiago")
ROWS = pa.table(
    {
        "id": pa.array([1, None, -(2**63)], pa.int64()),
        "name": pa.array(['He said "hi", then\nleft', "", None]),
        "total": pa.array([Decimal("1234.50"), Decimal("-0.01"), None], pa.decimal128(20, 2)),
        "rate": pa.array([0.1, float("nan"), -float("inf")]),
        "ok": pa.array([True, False, None]),
        "day": pa.array([date(2026, 5, 31), None, date(1, 1, 1)]),
        "at": pa.array([1_780_228_800_000_000, -14_182_939_500_000, None], pa.timestamp("us", "UTC")),
        "hour": pa.array([time(9, 30), time(23, 59, 59, 999_999), None], pa.time64("us")),
        "tags": pa.array([["a", None, 'b"'], [], None]),
        "place": pa.array([{"x": 1.5, "y": None}, None, {"x": None, "y": "é"}]),
    }
)  # fmt: skip


def written(table: pa.Table, options: dict[str, Any] | None = None, **wishes: Any) -> bytes:
    return b"".join(CSV.encode(stream_of(table, **wishes), parse_options(CSV, options or {})))


def text_of(*cells: str | None, **options: Any) -> str:
    """One column of text below the header `t`, as written."""
    return written(pa.table({"t": pa.array(cells, pa.string())}), {"header": "none", **options}).decode()


def test_golden_file() -> None:
    assert written(ROWS).decode() == (
        "id,name,total,rate,ok,day,at,hour,tags,place\n"
        '1,"He said ""hi"", then\nleft",1234.50,0.1,true,2026-05-31,2026-05-31T12:00:00Z,09:30:00,'
        '"[""a"",null,""b\\""""]","{""x"":1.5,""y"":null}"\n'
        ',"",-0.01,NaN,false,,1969-07-20T20:17:40.500Z,23:59:59.999999,[],\n'
        '-9223372036854775808,,,-Infinity,,0001-01-01,,,,"{""x"":null,""y"":""é""}"\n'
    )


def test_instants_are_shown_with_the_offset_of_the_reader_s_zone() -> None:
    lines = written(ROWS.select(["at"]), reader=SANTIAGO).decode().splitlines()
    assert lines == ["at", "2026-05-31T08:00:00-04:00", "1969-07-20T16:17:40.500-04:00", ""]


def test_offsets_of_seconds_are_rounded_and_the_instant_stays() -> None:
    before = pa.table({"at": pa.array([-(10**16)], pa.int64()).view(pa.timestamp("us", "UTC"))})
    line = written(before, reader=Reader(timezone="Europe/Amsterdam")).decode().splitlines()[1]
    assert line == "1653-02-10T06:33:20+00:20"
    assert datetime.fromisoformat(line).timestamp() == -(10**10)


def test_years_beyond_four_digits_and_infinities_are_written_as_iso_and_postgresql_do() -> None:
    days = pa.array([-735_000, 3_700_000, 2**31 - 1, -(2**31)], pa.int32()).view(pa.date32())
    instants = pa.array([2**63 - 1, -(2**63 - 1), -(2**63), 0], pa.int64()).view(pa.timestamp("us", "UTC"))
    table = pa.table({"day": days, "at": instants})
    assert written(table, {"header": "none"}).decode().splitlines() == [
        "-0043-08-22,infinity", "+12100-04-04,-infinity", "infinity,-infinity", "-infinity,1970-01-01T00:00:00Z",
    ]  # fmt: skip


def test_numbers_and_dates_follow_the_reader_s_language() -> None:
    lines = written(ROWS.select(["id", "total", "day"]), {"header": "none"}, reader=CHILE).decode().splitlines()
    assert lines[0] == '1,"1.234,50",31/05/2026'
    assert lines[1] == ',"-0,01",'


def test_instants_may_have_a_style_of_their_own() -> None:
    table = pa.table({"at": [datetime(2026, 5, 31, 12, 0, 0, 123456, tzinfo=UTC)], "day": [date(2026, 5, 31)]})
    options = {"instant_style": "yyyy-MM-dd'T'HH:mm:ss.SSS'Z'"}
    assert written(table, options) == b"at,day\n2026-05-31T12:00:00.123Z,2026-05-31\n"


def test_labels_the_request_gave_are_the_headers_unless_asked_otherwise() -> None:
    def header(option: str) -> str:
        table = pa.table({"a": pa.array([], pa.int64()), "b": pa.array([], pa.int64())})
        return written(table, {"header": option}, labels={"a": "A, first"}).decode()

    assert header("auto") == '"A, first",b\n'
    assert header("name") == "a,b\n"
    assert header("none") == ""
    assert header("label").startswith('"A, first",')


@pytest.mark.parametrize(
    "cell", ["=1+1", "+cmd", "-x", "@a", "\tx", "\rx", "＝1", "＋1", "－1", "＠x", "+1+1", "=", "-1e5"]
)
def test_the_guard_disarms_what_a_spreadsheet_would_run(cell: str) -> None:
    assert next(csv.reader(io.StringIO(text_of(cell), newline=""))) == ["'" + cell]
    assert next(csv.reader(io.StringIO(text_of(cell, guard=False), newline=""))) == [cell]


@pytest.mark.parametrize("cell", ["-1", "+56 9 1234 5678", "+1 (800) 555-0199", "-1.5", "-", "1=2", "a", "'=1", " =1"])
def test_the_guard_leaves_numbers_phones_and_other_text_alone(cell: str) -> None:
    assert text_of(cell) == cell + "\n"


def test_the_guard_covers_headers_and_counts_cells_but_never_touches_typed_values() -> None:
    table = pa.table({"=a": pa.array(["=x", "y", "@z"]), "n": pa.array([-1, -2, -3], pa.int64())})
    stream = stream_of(table)
    data = b"".join(CSV.encode(stream, CSV.options()))
    assert data.decode() == "'=a,n\n'=x,-1\ny,-2\n'@z,-3\n"
    assert stream.notes["guarded"] == 2


def test_null_empty_and_text_that_looks_like_null_stay_three_things() -> None:
    assert text_of(None, "", "NULL") == '\n""\nNULL\n'
    assert text_of(None, "", "NULL", null="NULL") == 'NULL\n""\n"NULL"\n'


def test_quoting_all_quotes_everything_but_null_and_nonnumeric_all_but_numbers() -> None:
    table = pa.table({"n": pa.array([1, None], pa.int64()), "t": ["a", None], "ok": [True, None]})
    assert written(table, {"quoting": "all"}).decode() == '"n","t","ok"\n"1","a","true"\n,,\n'
    assert written(table, {"quoting": "nonnumeric"}).decode() == '"n","t","ok"\n1,"a","true"\n,,\n'


def test_delimiter_line_end_and_decimal_mark_are_chosen() -> None:
    table = ROWS.select(["id", "total", "rate"]).slice(0, 1)
    chosen = {"delimiter": ";", "line_ending": "crlf", "decimal_mark": ","}
    assert written(table, chosen).decode() == "id;total;rate\r\n1;1234,50;0,1\r\n"
    assert written(table, {"decimal_mark": ","}).decode() == 'id,total,rate\n1,"1234,50","0,1"\n'


def test_a_decimal_mark_that_groups_in_the_language_ends_the_grouping() -> None:
    table = pa.table({"total": pa.array([Decimal("1234.50")], pa.decimal128(9, 2))})
    assert written(table, {"decimal_mark": ".", "header": "none"}, reader=CHILE).decode() == "1234.50\n"


def test_the_profile_for_excel_follows_the_decimal_mark() -> None:
    table = pa.table({"total": pa.array([Decimal("1.5")], pa.decimal128(9, 1)), "b": ["x"]})
    assert written(table, {"profile": "excel"}).decode() == "\ufefftotal,b\r\n1.5,x\r\n"
    assert written(table, {"profile": "excel"}, reader=CHILE).decode() == "\ufefftotal;b\r\n1,5;x\r\n"
    assert written(table, {"profile": "excel", "bom": False, "delimiter": "|"}).decode() == "total|b\r\n1.5|x\r\n"


def test_utf_16_has_its_mark_and_every_character() -> None:
    data = written(pa.table({"t": ["é😀"]}), {"encoding": "utf-16"})
    assert data[:2] == b"\xff\xfe"
    assert data.decode("utf-16") == "t\né😀\n"


def test_windows_1252_says_which_line_it_cannot_write() -> None:
    assert written(pa.table({"t": ["é€"]}), {"encoding": "windows-1252"}) == b"t\n\xe9\x80\n"
    with pytest.raises(InvalidFormat, match=r"Line 3 .* U\+4E2D"):
        written(pa.table({"t": ["é", "中"]}), {"encoding": "windows-1252"})


def test_bytes_that_are_no_text_become_replacement_characters() -> None:
    raw = pa.array([b"a\xff", b"\xed\xa0\x80", None]).cast(pa.binary())
    broken = pa.Array.from_buffers(pa.string(), 3, raw.buffers())
    assert written(pa.table({"t": broken}), {"header": "none"}).decode() == "a\ufffd\n\ufffd\ufffd\ufffd\n\n"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"delimeter": ";"}, "delimiter"),
        ({"delimiter": "ab"}, "one ASCII character"),
        ({"delimiter": '"'}, "one ASCII character"),
        ({"quoting": "most"}, "minimal, all, nonnumeric"),
        ({"guard": "maybe"}, "true or false"),
        ({"null": "a,b"}, "null"),
        ({"bom": 1}, "true or false"),
    ],
)
def test_an_option_that_cannot_be_is_refused_by_name(options: dict[str, Any], told: str) -> None:
    with pytest.raises(InvalidFormat) as caught:
        parse_options(CSV, options)
    assert told in f"{caught.value.detail} {caught.value.hint}"
    assert caught.value.problems[0][0] == f"/options/{next(iter(options))}"


def test_tsv_is_csv_with_tabs() -> None:
    stream = stream_of(pa.table({"a": ["x\ty", "x,y"], "b": [1, 2]}))
    assert b"".join(TSV.encode(stream, TSV.options())).decode() == 'a\tb\n"x\ty"\t1\nx,y\t2\n'


CELLS = st.text(st.characters(codec="utf-8"), max_size=20)


@given(st.lists(st.tuples(CELLS, CELLS), max_size=8), st.sampled_from([",", ";", "\t", "|"]), st.booleans())
def test_the_csv_module_reads_back_every_text(rows: list[tuple[str, str]], delimiter: str, crlf: bool) -> None:
    table = pa.table(
        {"a": pa.array([a for a, _ in rows], pa.string()), "b": pa.array([b for _, b in rows], pa.string())}
    )
    options = {"guard": False, "delimiter": delimiter, "line_ending": "crlf" if crlf else "lf", "header": "none"}
    text = written(table, options).decode()
    read = [tuple(row) for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)]
    assert read == rows


def test_duckdb_reads_back_values_and_nulls(tmp_path: Path) -> None:
    table = ROWS.select(["id", "name", "total", "ok", "day", "at", "hour"])
    path = tmp_path / "rows.csv"
    path.write_bytes(written(table))
    kinds = ["BIGINT", "VARCHAR", "DECIMAL(20,2)", "BOOLEAN", "DATE", "TIMESTAMPTZ", "TIME"]
    types = dict(zip(table.column_names, kinds, strict=True))
    with duckdb.connect() as database:
        database.execute("SET TimeZone = 'UTC'")
        read = database.execute(
            f"SELECT * FROM read_csv('{path}', columns={types}, header=true, nullstr='', allow_quoted_nulls=false)"
        ).to_arrow_table()
    for name in table.column_names:
        assert read[name].to_pylist() == table[name].to_pylist(), name


def test_frictionless_finds_nothing_wrong(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(written(ROWS))
    report = frictionless.validate(path.name, basepath=str(tmp_path))
    assert report.valid, report.flatten(["type", "note"])


def test_decimals_without_bound_are_numbers_and_keep_their_digits() -> None:
    digits = pa.table({"n": ["123456789012345678901234567890123456789012.50", "NaN", "-Infinity", None]})
    types = {"n": FieldType.DECIMAL}
    assert written(digits, {"header": "none"}, types=types).decode().splitlines() == [*digits["n"].to_pylist()[:3], ""]
    localised = written(digits, {"header": "none", "delimiter": ";"}, types=types, reader=CHILE).decode().splitlines()
    assert localised[0] == "123.456.789.012.345.678.901.234.567.890.123.456.789.012,50"


def test_nothing_is_written_before_the_first_batch() -> None:
    asked: list[str] = []

    def batches() -> Iterator[pa.RecordBatch]:
        asked.append("batch")
        yield from ROWS.to_batches()

    stream: RowStream = stream_of(ROWS)
    object.__setattr__(stream, "batches", batches())
    next(CSV.encode(stream, CSV.options()))
    assert asked == ["batch"]
