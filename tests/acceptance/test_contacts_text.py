"""All contacts as CSV, TSV, JSON and NDJSON: read by DuckDB, Python's csv and json, and orjson."""

import csv
import json
import unicodedata
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import orjson
import pytest

from acceptance.contacts import Contact, iso, plain, same_rows

UNGUARDED = ("--option", "guard=false")
# The rest is text. `netWorth` too: its digits are compared, not their value.
KINDS = {
    "birthDate": "DATE",
    "isActive": "BOOLEAN",
    "score": "DOUBLE",
    "tags": "JSON",
    "createdAt": "TIMESTAMPTZ",
    "updatedAt": "TIMESTAMPTZ",
}
TSV = pytest.param("tsv", "\t", marks=pytest.mark.slow)
both = pytest.mark.parametrize(("ending", "delimiter"), [("csv", ","), TSV])
Export = Callable[..., Path]


def test_the_contacts_are_as_nasty_as_people_are(acme: list[Contact]) -> None:
    texts = {value for contact in acme for value in contact.values() if isinstance(value, str)}
    letters = set("".join(texts))
    assert {unicodedata.bidirectional(letter) for letter in letters} >= {"L", "R", "AL", "NSM"}
    assert letters >= set("\n\r\t\",;'=+-@|é日👩\u200d＝")
    assert {"", "NULL", "NA", "true", "=1+1", "  spaces at both ends  "} <= texts
    assert len(acme) == 20_000
    assert all(len(contact["accountNumber"]) == 20 and len(contact["customerNumber"]) == 7 for contact in acme)
    assert {value for contact in acme for value in (contact["maternalLastName"], contact["notes"])} >= {None, ""}


@both
def test_duckdb_reads_every_value(ending: str, delimiter: str, acme: list[Contact], export_contacts: Export) -> None:
    path = export_contacts(ending, *UNGUARDED)
    columns = {name: KINDS.get(name, "VARCHAR") for name in acme[0]}
    query = f"""FROM read_csv('{path}', columns={columns}, delim='{delimiter}', header=true, quote='"', escape='"',
                              nullstr='', allow_quoted_nulls=false, strict_mode=true, parallel=false)"""
    with duckdb.connect() as database:
        database.execute("SET TimeZone = 'UTC'")
        rows = database.sql(query).to_arrow_table().to_pylist()
    as_text = ("tags", "netWorth")
    same_rows(rows, (dict(contact) | {name: plain(contact[name]) for name in as_text} for contact in acme))


@both
def test_python_reads_every_value(ending: str, delimiter: str, acme: list[Contact], export_contacts: Export) -> None:
    with export_contacts(ending, *UNGUARDED).open(newline="", encoding="utf-8") as file:
        rows = csv.DictReader(file, delimiter=delimiter, strict=True)
        # This reader makes no difference between null and empty; DuckDB above does.
        same_rows(rows, ({name: plain(value) or "" for name, value in contact.items()} for contact in acme))


def test_null_and_empty_are_written_differently(acme: list[Contact], export_contacts: Export) -> None:
    names = "customerNumber,maternalLastName"
    lines = export_contacts("csv", *UNGUARDED, "--fields", names).read_text("utf-8").splitlines()[1:]
    for line, contact in zip(lines, acme, strict=True):
        shown = {None: "", "": '""'}.get(contact["maternalLastName"], contact["maternalLastName"])
        assert line == f"{contact['customerNumber']},{shown}"


def json_like(contact: Contact, number: Callable[[str], Any]) -> dict[str, Any]:
    """What a JSON parser gives that makes `number` of every number."""
    instants = {name: contact[name] and iso(contact[name]) for name in ("createdAt", "updatedAt")}
    numbers = {name: None if contact[name] is None else number(str(contact[name])) for name in ("score", "netWorth")}
    return dict(contact) | instants | numbers | {"birthDate": contact["birthDate"] and str(contact["birthDate"])}


def test_json_holds_every_value_and_every_digit(acme: list[Contact], export_contacts: Export) -> None:
    rows = json.loads(export_contacts("json").read_bytes(), parse_float=Decimal)
    same_rows(rows, (json_like(contact, Decimal) for contact in acme))
    assert list(rows[0]) == list(acme[0])


def test_ndjson_holds_every_value_a_line_each(acme: list[Contact], export_contacts: Export) -> None:
    def rows() -> Iterator[Any]:
        with export_contacts("ndjson").open("rb") as file:
            for line in file:
                yield orjson.loads(line)

    same_rows(rows(), (json_like(contact, float) for contact in acme))
