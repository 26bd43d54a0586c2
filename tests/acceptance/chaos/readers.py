"""The rows of a finished file, read by libraries that did not write it."""

import csv
import gzip
import io
import json
import zipfile
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pyarrow.parquet as pq
from python_calamine import CalamineWorkbook

from acceptance.chaos.ledger import Row

PART_ROWS = 6000

# How each kind of export is asked for, and how its file is read.
WISHES: Mapping[str, dict[str, Any]] = {
    "csv": {"format": "csv"},
    "ndjson": {"format": "ndjson"},
    "xlsx": {"format": "xlsx"},
    "parquet": {"format": "parquet"},
    "json.gz": {"format": "json", "compression": "gzip"},
    "parts": {"format": "csv", "part_rows": PART_ROWS},
}


def _rows(records: Iterable[Mapping[str, Any]]) -> list[Row]:
    return [(int(record["id"]), int(record["amount"]), int(record["stamp"])) for record in records]


def _read_csv(data: bytes) -> list[Row]:
    return _rows(csv.DictReader(io.StringIO(data.decode())))


def _read_xlsx(data: bytes) -> list[Row]:
    header, *rows = CalamineWorkbook.from_filelike(io.BytesIO(data)).get_sheet_by_index(0).to_python()
    return _rows(dict(zip(header, row, strict=True)) for row in rows)


def _read_parts(data: bytes) -> list[Row]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        parts = [_read_csv(archive.read(name)) for name in archive.namelist()]
    assert all(len(part) == PART_ROWS for part in parts[:-1])
    return [row for part in parts for row in part]


READERS: Mapping[str, Callable[[bytes], list[Row]]] = {
    "csv": _read_csv,
    "ndjson": lambda data: _rows(json.loads(line) for line in data.splitlines()),
    "xlsx": _read_xlsx,
    "parquet": lambda data: _rows(pq.read_table(io.BytesIO(data)).to_pylist()),
    "json.gz": lambda data: _rows(json.loads(gzip.decompress(data))),
    "parts": _read_parts,
}
