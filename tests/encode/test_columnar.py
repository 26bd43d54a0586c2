"""Parquet and Arrow files as pyarrow and DuckDB read them."""

import io
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from workbooks import stream_of

from offtake.encode.arrow import ARROW
from offtake.encode.parquet import GROUP_ROWS, PARQUET
from offtake.model.dataset import FieldType
from offtake.model.ports import Format, RowStream

ROWS = pa.table(
    {
        "id": pa.array([2**63 - 1, None], pa.int64()),
        "name": pa.array(["é😀", ""]),
        "total": pa.array([Decimal("12345678901234567890.10"), None], pa.decimal128(38, 2)),
        "day": pa.array([date(2026, 5, 31), None]),
        "at": pa.array([1_780_228_800_123_456, None], pa.timestamp("us", "UTC")),
        "tags": pa.array([["x", None], []]),
        "place": pa.array([{"lat": 1.5}, None]),
    }
)


def read(format: Format, data: bytes) -> pa.Table:
    return pq.read_table(io.BytesIO(data)) if format is PARQUET else pa.ipc.open_file(io.BytesIO(data)).read_all()


def written(format: Format, stream: RowStream) -> bytes:
    return b"".join(format.encode(stream, format.options()))


both = pytest.mark.parametrize("format", [PARQUET, ARROW], ids=lambda format: format.name)


@both
def test_values_and_types_are_read_back(format: Format) -> None:
    table = read(format, written(format, stream_of(ROWS)))
    assert table.schema.equals(ROWS.schema)
    assert table.to_pylist() == ROWS.to_pylist()


@both
def test_fields_carry_label_and_type_as_metadata(format: Format) -> None:
    schema = read(format, written(format, stream_of(ROWS, labels={"id": "Number"}))).schema
    told = schema.field("id").metadata
    assert told[b"label"] == b"Number"
    assert told[b"type"] == b"integer"


@both
def test_infinite_dates_and_instants_are_null(format: Format) -> None:
    days = pa.array([2**31 - 1, -(2**31 - 1), 0], pa.int32()).view(pa.date32())
    instants = pa.array([2**63 - 1, -(2**63), 0], pa.int64()).view(pa.timestamp("us", "UTC"))
    table = read(format, written(format, stream_of(pa.table({"d": days, "t": instants}))))
    assert [table["d"].null_count, table["t"].null_count] == [2, 2]


@both
def test_a_file_that_was_cut_is_not_taken_for_whole(format: Format) -> None:
    data = written(format, stream_of(ROWS, batch_rows=1))
    with pytest.raises(pa.ArrowInvalid):
        read(format, data[:-100])


def test_small_batches_share_a_row_group_and_large_reads_are_cut_into_some() -> None:
    many = pa.table({"n": pa.array(range(GROUP_ROWS + 1000), pa.int64())})
    file = pq.ParquetFile(io.BytesIO(written(PARQUET, stream_of(many, batch_rows=1000))))
    assert file.num_row_groups == 2
    assert file.metadata.num_rows == GROUP_ROWS + 1000


def test_duckdb_reads_parquet(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    path.write_bytes(written(PARQUET, stream_of(ROWS)))
    with duckdb.connect() as database:
        database.execute("SET TimeZone = 'UTC'")
        assert database.execute(f"SELECT * FROM '{path}'").to_arrow_table().to_pylist() == ROWS.to_pylist()


def test_json_and_unbounded_decimals_are_strings_that_say_their_type() -> None:
    table = pa.table({"j": ['{"a":1}'], "n": ["1" * 60]})
    types = {"j": FieldType.JSON, "n": FieldType.DECIMAL}
    schema = read(PARQUET, written(PARQUET, stream_of(table, types=types))).schema
    assert [schema.field(name).metadata[b"type"] for name in ("j", "n")] == [b"json", b"decimal"]
    assert schema.types == [pa.string(), pa.string()]
