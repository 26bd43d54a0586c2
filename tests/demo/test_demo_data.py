"""What CONTRACT promises of the demo's rows, read with sqlite3 and duckdb alone."""

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import pytest

from offtake.demo.database import TABLES, build_database
from offtake.settings import Settings, load_settings


@pytest.fixture(scope="module")
def rows(demo_home: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(demo_home / "demo.db")) as connection:
        yield connection


@pytest.fixture(scope="module")
def settings(demo_home: Path) -> Settings:
    return load_settings(demo_home / "offtake.yaml", {})


def column(rows: sqlite3.Connection, select: str) -> list[Any]:
    return [value for (value,) in rows.execute(select)]


@pytest.mark.parametrize(
    ("table", "count"),
    [("invoices", 5_000), ("extraction_results", 1_200), ("contacts", 20_000), ("transactions", 100_000)],
)
def test_acme_has_the_promised_number_of_rows(rows: sqlite3.Connection, table: str, count: int) -> None:
    assert column(rows, f"SELECT count(*) FROM {table} WHERE tenant = 'acme'") == [count]


@pytest.mark.parametrize("table", TABLES)
def test_both_tenants_have_rows_and_share_no_id(rows: sqlite3.Connection, table: str) -> None:
    counts = dict(rows.execute(f"SELECT tenant, count(*) FROM {table} GROUP BY tenant"))
    assert counts.keys() == {"acme", "globex"}
    assert column(rows, f"SELECT count(*) - count(DISTINCT id) FROM {table}") == [0]


def test_at_least_42_invoices_of_may_2026_and_some_are_paid(rows: sqlite3.Connection) -> None:
    may = column(
        rows,
        "SELECT status FROM invoices WHERE tenant = 'acme' AND invoice_date BETWEEN '2026-05-01' AND '2026-05-31'",
    )
    assert len(may) >= 42
    assert 0 < may.count("paid") < len(may)


def test_the_invoice_of_the_page_exists(rows: sqlite3.Connection) -> None:
    found = rows.execute(
        "SELECT case_name, total_gross, status FROM invoices WHERE invoice_number = 'RE-2026-042'"
    ).fetchall()
    assert found == [("Smith v. Jones", "2677.50", "paid")]


@pytest.mark.parametrize("name", ["created_at", "createdAt", "createdTime", "total_gross"])
def test_what_is_never_null_is_declared_so(rows: sqlite3.Connection, name: str) -> None:
    for table in TABLES:
        for info in rows.execute(f"PRAGMA table_info({table})"):
            assert info[1] != name or info[3] == 1, table


def test_results_are_spread_evenly_over_2024(rows: sqlite3.Connection) -> None:
    select = "SELECT count(*) FROM extraction_results WHERE tenant = 'acme' GROUP BY strftime('%Y-%m', createdAt)"
    months = column(rows, select)
    assert len(months) == 12
    assert all(95 <= count <= 102 for count in months)


def test_the_schema_of_the_page_has_an_array_field(rows: sqlite3.Connection) -> None:
    (fields,) = column(
        rows,
        "SELECT fields FROM extraction_schemas WHERE id = '019760a0-0001-7000-8000-000000000001' AND tenant = 'acme'",
    )
    assert [field["key"] for field in json.loads(fields) if field["type"] == "array"] == ["line_items"]


def test_eleven_instances_of_a_process_and_25_000_of_another(rows: sqlite3.Connection) -> None:
    counts = dict(
        rows.execute("SELECT processDefinitionKey, count(*) FROM process_instances WHERE tenant = 'acme' GROUP BY 1")
    )
    assert counts == {"aProcess": 11, "orderFulfilment": 25_000, "invoiceApproval": 500}


@pytest.mark.parametrize("pattern", ["é", '"', "\n", "\r\n", "\t", "👩‍👩‍👧‍👦", "שלום", "مرحبا", "=1+1", "@SUM"])
def test_contacts_have_what_trips_parsers(rows: sqlite3.Connection, pattern: str) -> None:
    assert any(pattern in (note or "") for note in column(rows, "SELECT DISTINCT notes FROM contacts"))


def test_contacts_have_nulls_and_empties_leading_zeros_and_twenty_digits(rows: sqlite3.Connection) -> None:
    assert {None, ""} <= set(column(rows, "SELECT DISTINCT maternal_last_name FROM contacts"))
    assert "0000000" in column(rows, "SELECT customer_number FROM contacts LIMIT 1")
    assert all(re.fullmatch(r"\d{20}", number) for number in column(rows, "SELECT account_number FROM contacts"))


def test_two_custom_fields_have_one_label_in_two_forms(rows: sqlite3.Connection) -> None:
    forms = column(rows, "SELECT form FROM contact_fields WHERE tenant = 'acme' AND label = 'Referred by'")
    assert sorted(forms) == ["Onboarding", "Review"]


def test_every_custom_value_belongs_to_a_field_of_its_tenant(rows: sqlite3.Connection) -> None:
    stray = """SELECT count(*) FROM contacts, json_each(contacts.custom) AS value WHERE NOT EXISTS
        (SELECT 1 FROM contact_fields WHERE uuid = value.key AND contact_fields.tenant = contacts.tenant)"""
    assert column(rows, stray) == [0]


@pytest.mark.parametrize("dataset", TABLES)
def test_every_column_is_a_field_and_every_listed_value_occurs(
    rows: sqlite3.Connection, settings: Settings, dataset: str
) -> None:
    fields = settings.datasets[dataset].fields
    columns = {info[1] for info in rows.execute(f"PRAGMA table_info({dataset})")}
    assert columns - {field.column for field in fields} <= {"tenant", "custom"}
    for field in fields:
        assert field.column in columns
        found = set(column(rows, f"SELECT DISTINCT {field.column} FROM {dataset}")) if field.values else set()
        assert found == set(field.values), field.name


def test_flights_are_all_there_and_none_says_na(demo_home: Path) -> None:
    select = "SELECT count(*), count(*) FILTER (tailnum = 'NA'), count(tailnum) FROM read_csv(?, nullstr = 'NA')"
    with duckdb.connect() as connection:
        total, literal, present = connection.execute(select, [str(demo_home / "flights" / "flights.csv")]).fetchall()[0]
    assert (total, literal) == (336_776, 0)
    assert present < total


@pytest.mark.slow
def test_the_same_bytes_at_every_build(demo_home: Path, tmp_path: Path) -> None:
    build_database(tmp_path / "again.db")
    assert (tmp_path / "again.db").read_bytes() == (demo_home / "demo.db").read_bytes()
