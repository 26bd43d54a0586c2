"""All contacts as Parquet and Arrow: read by pyarrow and DuckDB."""

from collections.abc import Callable
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from acceptance.contacts import Contact, same_rows

Export = Callable[..., Path]


def read(path: Path) -> pa.Table:
    return pq.read_table(path) if path.suffix == ".parquet" else pa.ipc.open_file(path).read_all()


def typed(contact: Contact) -> Contact:
    """SQLite sets no bound to a decimal, so it arrives as its digits."""
    return dict(contact) | {"netWorth": None if contact["netWorth"] is None else str(contact["netWorth"])}


@pytest.mark.parametrize("ending", ["parquet", "arrow"])
def test_pyarrow_reads_every_value(ending: str, acme: list[Contact], export_contacts: Export) -> None:
    same_rows(read(export_contacts(ending)).to_pylist(), map(typed, acme))


@pytest.mark.parametrize("ending", ["parquet", "arrow"])
def test_fields_say_their_label(ending: str, export_contacts: Export) -> None:
    schema = read(export_contacts(ending)).schema
    assert schema.field("paternalLastName").metadata[b"label"] == b"Last Name"
    assert schema.field("netWorth").metadata[b"type"] == b"decimal"


def test_duckdb_reads_every_value(acme: list[Contact], export_contacts: Export) -> None:
    with duckdb.connect() as database:
        database.execute("SET TimeZone = 'UTC'")
        rows = database.sql(f"FROM '{export_contacts('parquet')}'").to_arrow_table().to_pylist()
    same_rows(rows, map(typed, acme))
