"""Streams to write workbooks from, and readers we did not write to read them back with."""

import io
import zipfile
from collections.abc import Generator, Mapping
from datetime import UTC, datetime
from typing import Any

import openpyxl
import pyarrow as pa
from openpyxl.utils.escape import unescape
from python_calamine import CalamineWorkbook

from offtake.encode.xlsx import XlsxOptions, encode_xlsx
from offtake.model.dataset import Field, FieldType
from offtake.model.export import Column, Reader
from offtake.model.ports import About, RowStream

SNAPSHOT = datetime(2026, 11, 21, 12, 0, 1, tzinfo=UTC)


def field_type(field: pa.Field) -> FieldType:
    """The type whose values arrive in this Arrow type."""
    kind = field.type
    checks = {
        FieldType.BOOLEAN: pa.types.is_boolean,
        FieldType.INTEGER: pa.types.is_integer,
        FieldType.NUMBER: pa.types.is_floating,
        FieldType.DECIMAL: pa.types.is_decimal,
        FieldType.DATE: pa.types.is_date,
        FieldType.DATETIME: pa.types.is_timestamp,
        FieldType.TIME: pa.types.is_time,
        FieldType.LIST: pa.types.is_list,
        FieldType.STRUCT: pa.types.is_struct,
    }
    return next((name for name, check in checks.items() if check(kind)), FieldType.STRING)


def stream_of(
    table: pa.Table,
    *,
    batch_rows: int = 100_000,
    reader: Reader | None = None,
    about: About | None = None,
    types: Mapping[str, FieldType] | None = None,
    labels: Mapping[str, str] | None = None,
) -> RowStream:
    """The table as a source would give it."""

    def batches() -> Generator[pa.RecordBatch, None, None]:
        yield from table.to_batches(max_chunksize=batch_rows)

    columns = tuple(
        Column(
            Field(f.name, (types or {}).get(f.name) or field_type(f), f.name, f.name.title()),
            (labels or {}).get(f.name),
        )
        for f in table.schema
    )
    return RowStream(columns, table.schema, batches(), SNAPSHOT, reader or Reader(), about or About())


def workbook(table: pa.Table, options: XlsxOptions | None = None, **wishes: Any) -> bytes:
    """The table as a workbook."""
    return b"".join(encode_xlsx(stream_of(table, **wishes), options or XlsxOptions()))


def openpyxl_rows(content: bytes, sheet: int = 0) -> list[list[Any]]:
    """Every row of a sheet. openpyxl leaves `_xHHHH_` as it is, so it is read here."""
    rows = openpyxl.load_workbook(io.BytesIO(content), read_only=False).worksheets[sheet].rows
    return [[unescape(cell.value) if isinstance(cell.value, str) else cell.value for cell in row] for row in rows]


def calamine_rows(content: bytes, sheet: int = 0) -> list[list[Any]]:
    """Every row of a sheet; cells without a value are ''."""
    return CalamineWorkbook.from_filelike(io.BytesIO(content)).get_sheet_by_index(sheet).to_python()


def sheet_xml(content: bytes, number: int = 1) -> str:
    """The XML of a sheet."""
    return zipfile.ZipFile(io.BytesIO(content)).read(f"xl/worksheets/sheet{number}.xml").decode()
