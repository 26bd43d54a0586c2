"""The writers others would use, each the fastest way its documentation shows whose file is right on these rows.

Every function reads an Arrow IPC stream and writes one file. Imports stand inside: a process loads only its own peer.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

ZONE = "America/Santiago"


def _batches(source: Path) -> Iterator[pa.RecordBatch]:
    with pa.OSFile(str(source)) as file:
        yield from pa.ipc.open_stream(file)


def _frame(source: Path) -> Any:
    import polars

    return polars.from_arrow(pa.Table.from_batches(_batches(source)))


def xlsxturbo(source: Path, out: Path, level: int | None = None) -> None:
    """xlsxturbo in constant memory. Instants lose their zone first: it knows naive date-times only."""
    import polars
    import xlsxturbo as writer

    frame = _frame(source).with_columns(polars.selectors.datetime().dt.replace_time_zone(None))
    writer.df_to_xlsx(frame, str(out), constant_memory=True, compression_level=level)


def xlsxturbo_level_1(source: Path, out: Path) -> None:
    """The same at zip level 1."""
    xlsxturbo(source, out, 1)


def rustpy(source: Path, out: Path) -> None:
    """rustpy-xlsxwriter from a generator of dicts, decimals as floats (it drops them otherwise)."""
    from rustpy_xlsxwriter import write_worksheet

    def records() -> Iterator[dict[str, object]]:
        for batch in _batches(source):
            fields = enumerate(batch.schema)
            columns = {
                f.name: batch.column(i).cast(pa.float64()) if pa.types.is_decimal(f.type) else batch.column(i)
                for i, f in fields
            }
            yield from pa.RecordBatch.from_pydict(columns).to_pylist()

    write_worksheet(({k: _naive(v) for k, v in row.items()} for row in records()), str(out))


def _naive(value: Any) -> Any:
    return value.replace(tzinfo=None) if getattr(value, "tzinfo", None) else value


def xlsxwriter(source: Path, out: Path) -> None:
    """XlsxWriter in constant memory."""
    import xlsxwriter as writer

    book = writer.Workbook(str(out), {"constant_memory": True, "default_date_format": "yyyy-mm-dd hh:mm:ss"})
    sheet = book.add_worksheet()
    row = 1
    for batch in _batches(source):
        for values in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            for index, value in enumerate(values):
                if value is not None:
                    sheet.write(row, index, _naive(value))
            row += 1
    book.close()


def polars_ndjson(source: Path, out: Path) -> None:
    """polars, which writes decimals as strings; taken as it is, in its favour."""
    _frame(source).write_ndjson(out)


def duckdb_copy(source: Path, out: Path, options: str) -> None:
    """DuckDB's COPY from the Arrow stream."""
    import duckdb

    with pa.OSFile(str(source)) as file:
        rows = pa.ipc.open_stream(file)
        connection = duckdb.connect()
        connection.execute("SET TimeZone = 'UTC'; SET preserve_insertion_order = true")
        connection.register("rows", rows)
        connection.execute(f"COPY rows TO '{out}' ({options})")


def duckdb_ndjson(source: Path, out: Path) -> None:
    """NDJSON by DuckDB."""
    duckdb_copy(source, out, "FORMAT json")


def duckdb_parquet(source: Path, out: Path) -> None:
    """Parquet by DuckDB, zstd like ours."""
    duckdb_copy(source, out, "FORMAT parquet, COMPRESSION zstd")


def lxml_xml(source: Path, out: Path) -> None:
    """lxml's incremental writer, one element a cell."""
    from lxml import etree

    with etree.xmlfile(str(out), encoding="utf-8") as file, file.element("rows"):
        for batch in _batches(source):
            names = batch.schema.names
            for values in zip(*(column.cast(pa.string()).to_pylist() for column in batch.columns), strict=True):
                row = etree.Element("row")
                for name, value in zip(names, values, strict=True):
                    etree.SubElement(row, name).text = value
                file.write(row)


def babel_csv(source: Path, out: Path) -> None:
    """The csv module with Babel for every number, date and instant: es-CL, Santiago time."""
    import csv
    from datetime import datetime
    from decimal import Decimal
    from zoneinfo import ZoneInfo

    from babel.dates import format_date, format_datetime
    from babel.numbers import format_decimal

    zone = ZoneInfo(ZONE)

    def text(value: object) -> object:
        if value is None or isinstance(value, str | bool):
            return value
        if isinstance(value, datetime):
            return format_datetime(value, "dd-MM-yyyy HH:mm:ss", tzinfo=zone, locale="es_CL")
        if isinstance(value, int | float | Decimal):
            return format_decimal(value, locale="es_CL", decimal_quantization=False)
        return format_date(value, "short", locale="es_CL")

    with out.open("w", newline="") as file:
        writer = csv.writer(file)
        for batch in _batches(source):
            for values in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                writer.writerow([text(value) for value in values])


def polars_csv(source: Path, out: Path) -> None:
    """polars expressions: zone, day-month-year, decimal comma; grouping left out, in its favour."""
    import polars
    from polars import col, selectors

    frame = _frame(source).with_columns(
        selectors.datetime().dt.convert_time_zone(ZONE).dt.strftime("%d-%m-%Y %H:%M:%S"),
        selectors.date().dt.strftime("%d/%m/%Y"),
        (selectors.decimal() | selectors.float()).cast(polars.String).str.replace(".", ",", literal=True),
    )
    frame.select(col("*")).write_csv(out)


def orjson_ndjson(source: Path, out: Path) -> None:
    """orjson over Python rows, as most services do it."""
    import orjson

    with out.open("wb") as file:
        for batch in _batches(source):
            for row in batch.to_pylist():
                file.write(orjson.dumps(row, default=str, option=orjson.OPT_APPEND_NEWLINE))


def longtable_pdf(source: Path, out: Path) -> None:
    """reportlab's LongTable with a repeated header."""
    from reportlab.lib.pagesizes import A4, landscape
    from reportlab.platypus import LongTable, SimpleDocTemplate

    table = pa.Table.from_batches(_batches(source))
    rows = [table.schema.names, *zip(*(column.cast(pa.string()).to_pylist() for column in table.columns), strict=True)]
    document = SimpleDocTemplate(str(out), pagesize=landscape(A4))
    document.build([LongTable([[value or "" for value in row] for row in rows], repeatRows=1)])


def fpdf2_pdf(source: Path, out: Path) -> None:
    """fpdf2's cells."""
    from fpdf import FPDF

    document = FPDF(orientation="landscape")
    document.set_font("helvetica", size=7)
    document.add_page()
    for batch in _batches(source):
        width = document.epw / batch.num_columns
        for values in zip(*(column.cast(pa.string()).to_pylist() for column in batch.columns), strict=True):
            for value in values:
                document.cell(width, 4, (value or "").encode("latin-1", "replace").decode("latin-1"))
            document.ln()
    document.output(str(out))


PEERS: dict[str, Callable[[Path, Path], None]] = {
    "xlsxturbo": xlsxturbo,
    "xlsxturbo-1": xlsxturbo_level_1,
    "rustpy": rustpy,
    "xlsxwriter": xlsxwriter,
    "polars-ndjson": polars_ndjson,
    "duckdb-ndjson": duckdb_ndjson,
    "duckdb-parquet": duckdb_parquet,
    "lxml": lxml_xml,
    "babel": babel_csv,
    "polars-csv": polars_csv,
    "orjson": orjson_ndjson,
    "longtable": longtable_pdf,
    "fpdf2": fpdf2_pdf,
}
