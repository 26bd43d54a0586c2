"""A DuckDB database of odd tables, and readers we did not write for every format."""

import csv
import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
from lxml import etree
from openpyxl.utils.escape import unescape
from pypdf import PdfReader

NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"
MEGABYTE = "Straße 😀 א\n" * 60_000  # 1.1 MB of UTF-8
FORMATS = ("csv", "tsv", "xlsx", "json", "ndjson", "jsonapi", "xml", "pdf", "parquet", "arrow")
TEXTUAL = ("csv", "tsv", "xml")
JSONS = ("json", "ndjson", "jsonapi")
Row = dict[str, Any]


def build_home(folder: Path, tables: Mapping[str, str]) -> Path:
    """A folder with `edge.duckdb`, each table made by its query, and the offtake.yaml that shows them all."""
    with duckdb.connect(str(folder / "edge.duckdb")) as database:
        database.execute("SET TimeZone = 'UTC'")
        for name, query in tables.items():
            database.execute(f"CREATE TABLE {name} AS {query}")
    datasets = "".join(f"  {name}: {{source: db, table: {name}}}\n" for name in tables)
    (folder / "offtake.yaml").write_text(
        f'sources:\n  db: {{url: "duckdb:///edge.duckdb"}}\ndatasets:\n{datasets}', encoding="utf-8"
    )
    return folder


def delimited(path: Path) -> list[Row]:
    """Python's csv; quoted and unquoted emptiness are the same to it."""
    csv.field_size_limit(1 << 24)
    with path.open(newline="", encoding="utf-8") as file:
        return [dict(row) for row in csv.DictReader(file, delimiter="\t" if path.suffix == ".tsv" else ",")]


def sheet(path: Path) -> list[Row]:
    """openpyxl, the first sheet; it leaves escapes of control characters to its caller."""
    head, *rows = openpyxl.load_workbook(path).worksheets[0].iter_rows(values_only=True)
    return [
        {name: unescape(value) if isinstance(value, str) else value for name, value in zip(head, row, strict=True)}
        for row in rows
    ]


def elements(path: Path) -> list[Row]:
    """lxml."""
    root = etree.parse(str(path), etree.XMLParser(huge_tree=True)).getroot()
    return [{cell.tag: None if cell.get(NIL) else cell.text or "" for cell in row} for row in root]


def exact(text: str) -> Any:
    """JSON with every digit of its numbers."""
    return json.loads(text, parse_float=Decimal)


READERS: Mapping[str, Callable[[Path], list[Row]]] = {
    "csv": delimited,
    "tsv": delimited,
    "xlsx": sheet,
    "json": lambda path: exact(path.read_text("utf-8")),
    "ndjson": lambda path: [exact(line) for line in path.read_text("utf-8").split("\n") if line],
    "jsonapi": lambda path: [row["attributes"] for row in exact(path.read_text("utf-8"))["data"]],
    "xml": elements,
    "parquet": lambda path: pq.read_table(path).to_pylist(),
    "arrow": lambda path: pa.ipc.open_file(path).read_all().to_pylist(),
}


def arrow_table(path: Path) -> pa.Table:
    """A Parquet or Arrow file with its types."""
    return pq.read_table(path) if path.suffix == ".parquet" else pa.ipc.open_file(path).read_all()


def pdf_text(path: Path) -> str:
    """The text of all pages without white space, since cells wrap where they must."""
    return "".join("".join(page.extract_text() for page in PdfReader(path, strict=True).pages).split())
