"""Arrow batches to bytes: every output format, and how a request's options for one are read.

To add one, write `encode/<name>.py` and put its `Format` into FORMATS; an installed package does the same by an entry
point in the group `offtake.formats` that names its `Format`.
"""

from importlib.metadata import entry_points

from offtake.encode.arrow import ARROW
from offtake.encode.csv import CSV, TSV
from offtake.encode.json import JSON, NDJSON
from offtake.encode.jsonapi import JSONAPI
from offtake.encode.options import parse_options
from offtake.encode.parquet import PARQUET
from offtake.encode.pdf import PDF
from offtake.encode.xlsx import XLSX
from offtake.encode.xml import XML
from offtake.model.ports import Format

__all__ = ["FORMATS", "parse_options"]

_INSTALLED: tuple[Format, ...] = tuple(point.load() for point in entry_points(group="offtake.formats"))

FORMATS: dict[str, Format] = {
    format.name: format for format in (CSV, TSV, XLSX, JSON, NDJSON, JSONAPI, XML, PDF, PARQUET, ARROW, *_INSTALLED)
}
