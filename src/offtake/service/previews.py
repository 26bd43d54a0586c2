"""A first look: some rows exactly as the file will hold them."""

import dataclasses
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from pyarrow import csv

from offtake.encode import parse_options
from offtake.encode.csv import CsvOptions
from offtake.engine.export import export_chunks
from offtake.model.access import Principal
from offtake.model.export import Column, ExportRequest, Plan
from offtake.model.ports import Format, Source, Stop
from offtake.service.datasets import plan_request, read_slot
from offtake.service.downloads import find_format
from offtake.service.runtime import Runtime
from offtake.service.trail import current_trail

ROWS = 50
# What the text must be like to be read back; the rest of a request's options stays as it is.
READABLE = {"header": "none", "profile": "plain", "delimiter": ",", "quoting": "minimal", "line_ending": "lf"}
UNMARKED = {"bom": False, "encoding": "utf-8"}


@dataclass(frozen=True)
class Preview:
    """Some rows, each a tuple of cells in the order of the columns, and how many the file would have."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Any, ...], ...]
    total: int


def preview_rows(
    runtime: Runtime, principal: Principal, request: ExportRequest, *, stop: Stop | None = None
) -> Preview:
    """The first 50 rows. Formats that keep types give typed cells (as JSON has them), the others texts and nulls.

    Works beyond the dataset's row limit too, and where no rows are no file: the total tells. An expanded array shows
    the first 50 rows of the file, while the total still counts the dataset's.
    """
    format = find_format(runtime, request.format)
    options = parse_options(format, request.options)
    source, plan = plan_request(runtime, principal, request)
    stop = stop or Stop()
    few = dataclasses.replace(plan, limit=min(ROWS, plan.limit or ROWS), row_limit=0, allow_empty=True)
    with read_slot(runtime, principal):
        shown, settings = _shown_as(runtime, format, options)
        data = _read_some(source, few, shown, settings, stop)
        matched = source.count(plan, stop)
    names = [column.name for column in plan.file_columns]
    rows = tuple(_read_csv(data, len(names)) if shown.name == "csv" else _read_lines(data, names))
    current_trail().count_rows(len(rows))
    total = matched if plan.limit is None else min(matched, plan.limit)
    return Preview(plan.file_columns, rows, total)


def _read_some(source: Source, plan: Plan, format: Format, options: Any, stop: Stop) -> bytes:
    """The first rows as a file. A read that is left early sets its stop, and the count still needs ours."""
    reading = Stop()
    detach = stop.attach(reading.set)
    try:
        return b"".join(export_chunks(source, plan, format, options, stop=reading, at_most=ROWS))
    finally:
        detach()


def _shown_as(runtime: Runtime, format: Format, options: Any) -> tuple[Format, Any]:
    """The format that shows the same cells in a way we can read, with the options that change cells."""
    shown = runtime.formats["ndjson" if format.machine else "csv"]
    if shown.options is CsvOptions:
        guard = getattr(options, "guard", False)  # only delimited text needs one
        fixed: dict[str, Any] = {"guard": guard, **READABLE, **UNMARKED}
    else:
        fixed = {}
    known = {field.name for field in dataclasses.fields(shown.options)}
    given = {field.name: getattr(options, field.name) for field in dataclasses.fields(options)}
    return shown, shown.options(**{name: value for name, value in given.items() if name in known} | fixed)


def _read_csv(data: bytes, width: int) -> Iterator[tuple[Any, ...]]:
    if not data:
        return
    names = [str(n) for n in range(width)]
    table = csv.read_csv(
        io.BytesIO(data),
        read_options=csv.ReadOptions(column_names=names, block_size=max(len(data), 1)),
        parse_options=csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
        convert_options=csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()),
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    )
    yield from zip(*(column.to_pylist() for column in table.columns), strict=True)


def _read_lines(data: bytes, names: list[str]) -> Iterator[tuple[Any, ...]]:
    for line in data.splitlines():
        row = json.loads(line)
        yield tuple(row[name] for name in names)
