"""Orders whose values lie inside json columns, in four databases, and a runtime over each."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import sqlalchemy as sa

from offtake.model.access import Principal
from offtake.model.dataset import CustomFields, Dataset, Field, FieldType, Mask, Schemas, Sort
from offtake.model.export import ExportRequest, FieldChoice
from offtake.model.ports import SourceSpec
from offtake.service.downloads import open_download
from offtake.service.runtime import Runtime
from offtake.source import open_source
from sites import ACME, GLOBEX, make_runtime

T = FieldType
READER = Principal("reader", "acme", frozenset({"reports:read"}), tenant_uuid=ACME.uuid)
CLERK = Principal("clerk", "acme", frozenset({"reports:read", "pii:read"}), tenant_uuid=ACME.uuid)
GLOBEX_READER = Principal("other", "globex", frozenset({"reports:read"}), tenant_uuid=GLOBEX.uuid)

# Keys that mean something to SQL, to a JSON path, to a driver or to a format.
HOSTILE = (
    'we"ird',
    '"]',
    "$",
    "'",
    "\\",
    "a\\b",
    "é",
    "日本",
    "%s",
    "?",
    ":x",
    "*",
    "--",
    "[0]",
    "{a}",
    "; DROP",
    " ",
    "~1",
)
RISK, FIRST_REFERRER, SECOND_REFERRER, AMOUNT, SINCE = (f"00000000-0000-4000-8000-00000000000{n}" for n in range(1, 6))
SECRET = "00000000-0000-4000-8000-0000000000ff"  # a field of globex
ONBOARDING, REVIEW = "f0000000-0000-4000-8000-000000000001", "f0000000-0000-4000-8000-000000000002"
INVOICES, FOREIGN = "50000000-0000-4000-8000-000000000001", "50000000-0000-4000-8000-000000000002"

INFO: list[dict[str, Any] | None] = [
    {
        "amount": 12.5,
        "count": 3,
        "price": "12345678901234567890.10",
        "currency": "EUR",
        "address": {"country": "DE", "zip": "01234", "lines": ["a", "b"]},
        "when": "2026-05-01T10:00:00.5Z",
        "day": "2026-05-01",
        "at": "09:30:00",
        "paid": True,
        "tags": ["vip", "Ünï"],
        "sizes": [1, 10],
        **{key: f"value of {number}" for number, key in enumerate(HOSTILE)},
    },
    {
        "amount": 9,
        "count": 20,
        "price": "9.5",
        "currency": "usd",
        "address": {"country": "CL"},
        "when": "2026-05-01T10:00:00+02:00",
        "day": "2026-04-30",
        "at": "23:00:00",
        "paid": False,
        "tags": [],
        "sizes": [],
    },
    {"amount": None, "currency": None, "address": None, "tags": None, "when": None, "day": None, "paid": None},
    {},
    None,
]
ITEMS: list[Any] = [
    [{"sku": "a", "qty": 1, "price": {"sum": 1.5}}, {"sku": "b", "qty": None}],
    [],
    None,
    [{"sku": "c", "qty": 2, "more": 1}],
    [None],
]
LABELS: list[Any] = [["x", "y"], [], None, [None], ["z"]]
CUSTOM: list[Any] = [
    {RISK: "low", AMOUNT: 10, FIRST_REFERRER: "Ann", SINCE: "2026-05-01", SECRET: "not yours"},
    {RISK: "HIGH", AMOUNT: 9.5, SECOND_REFERRER: "Bob", SINCE: "2025-05-01"},
    {RISK: None},
    {},
    None,
]
DATA: list[Any] = [
    {
        "total": 12.5,
        "id": "inner",
        "made": "2026-05-01",
        "lines": [{"sku": "a", "qty": 1}, {"sku": "b"}],
        "tags": ["t"],
    },
    {"total": None, "lines": []},
    {"total": 99},
    {},
    None,
]
DEFINITIONS = [
    (SECOND_REFERRER, "Referred by", "string", REVIEW, "Review", 1, "acme"),
    (RISK, "Risk", "string", ONBOARDING, "Onboarding", 1, "acme"),
    (AMOUNT, "Income", "number", ONBOARDING, "Onboarding", 3, "acme"),
    (FIRST_REFERRER, "Referred by", "string", ONBOARDING, "Onboarding", 2, "acme"),
    (SINCE, "Since", "date", REVIEW, "Review", 2, "acme"),
    (SECRET, "Secret of globex", "string", ONBOARDING, "Onboarding", 1, "globex"),
]
SCHEMA_FIELDS = [
    {"key": "total", "type": "number", "label": "Total"},
    {"key": "id", "type": "string", "label": "Inner id"},
    {"key": "made", "type": "date", "label": "Made"},
    {"key": "tags", "type": "array", "label": "Tags", "items": {"type": "string"}},
    {
        "key": "lines",
        "type": "array",
        "label": "Lines",
        "items": {"fields": [{"key": "sku", "type": "string"}, {"key": "qty", "type": "integer"}]},
    },
]
SCHEMAS = [
    (INVOICES, json.dumps(SCHEMA_FIELDS), "acme"),
    (FOREIGN, json.dumps([{"key": "secret", "type": "string"}]), "globex"),
]

ADDRESS = (Field("country", T.STRING, "country", "Country"), Field("zip", T.STRING, "zip", "Zip"))
MEMBERS = (
    Field("amount", T.NUMBER, "amount", "Amount"),
    Field("count", T.INTEGER, "count", "Count"),
    Field("price", T.DECIMAL, "price", "Price"),
    Field("currency", T.STRING, "currency", "Currency"),
    Field("address", T.STRUCT, "address", "Address", fields=ADDRESS),
    Field("when", T.DATETIME, "when", "When"),
    Field("day", T.DATE, "day", "Day"),
    Field("at", T.TIME, "at", "At"),
    Field("paid", T.BOOLEAN, "paid", "Paid"),
    Field("tags", T.LIST, "tags", "Tags", items=T.STRING),
    Field("sizes", T.LIST, "sizes", "Sizes", items=T.INTEGER),
)
ITEM = (
    Field("sku", T.STRING, "sku", "SKU"),
    Field("qty", T.INTEGER, "qty", "Quantity"),
    Field("price", T.STRUCT, "price", "Price", fields=(Field("sum", T.NUMBER, "sum", "Sum"),)),
)
ORDERS = Dataset(
    "orders",
    "db",
    table="orders",
    tenant_column="tenant",
    key=("id",),
    default_sort=(Sort("id"),),
    fields=(
        Field("id", T.INTEGER, "id", "Id"),
        Field("info", T.STRUCT, "info", "Info", fields=MEMBERS),
        Field("raw", T.JSON, "info", "Raw"),
        Field("items", T.LIST, "items", "Items", items=T.STRUCT, fields=ITEM),
        Field("labels", T.LIST, "labels", "Labels", items=T.STRING),
        Field("veiled", T.JSON, "info", "Veiled", mask=Mask.LAST4, unless_scope="pii:read"),
        Field("unseen", T.JSON, "info", "Unseen", mask=Mask.HIDE, unless_scope="pii:read"),
    ),
    custom_fields=CustomFields("custom", "definitions", "uuid", "label", "type", "form", "form_name"),
    schemas=Schemas("layouts", "id", "fields", "data"),
)
COLUMNS = ("id", "tenant", "info", "items", "labels", "custom", "data", "schema_id")


def _dataset(name: str, *fields: Field, sort: tuple[str, ...] = ()) -> Dataset:
    order = tuple(Sort(each) for each in sort)
    scopes = frozenset({"nobody:has"})  # whoever reads the orders needs none of it
    return Dataset(name, "db", table=name, tenant_column="tenant", fields=fields, default_sort=order, scopes=scopes)


DATASETS = (
    ORDERS,
    _dataset(
        "definitions",
        *(Field(name, T.STRING, name, name) for name in ("uuid", "label", "type", "form", "form_name")),
        Field("place", T.INTEGER, "place", "place"),
        sort=("form_name", "place"),
    ),
    _dataset("layouts", Field("id", T.UUID, "id", "id"), Field("fields", T.JSON, "fields", "fields")),
)


def order_rows() -> Iterator[tuple[Any, ...]]:
    """Five orders of acme, of which the first three are invoices, and one of globex that holds a bit of everything."""
    whole = zip(INFO, ITEMS, LABELS, CUSTOM, DATA, strict=True)
    for number, values in enumerate(whole, 1):
        texts = (None if value is None else json.dumps(value) for value in values)
        yield number, "acme", *texts, INVOICES if number < 4 else None
    secret = json.dumps({"amount": 77, "currency": "SECRET"})
    yield 77, "globex", secret, None, '["SECRET"]', json.dumps({SECRET: "s", RISK: "low"}), '{"total": 77}', INVOICES


def _tables(json_type: str) -> dict[str, tuple[str, list[tuple[Any, ...]]]]:
    columns = ", ".join(f"{name} {json_type}" for name in COLUMNS[2:7])
    names = ("uuid", "label", "type", "form", "form_name")
    definition = ", ".join(f"{name} VARCHAR(80)" for name in names)
    return {
        "orders": (f"id INTEGER, tenant VARCHAR(80), {columns}, schema_id VARCHAR(80)", list(order_rows())),
        "definitions": (f"{definition}, place INTEGER, tenant VARCHAR(80)", list(DEFINITIONS)),
        "layouts": (f"id VARCHAR(80), fields {json_type}, tenant VARCHAR(80)", list(SCHEMAS)),
    }


def fill_sqlite(path: Path) -> str:
    """A SQLite file; its URL."""
    with closing(sqlite3.connect(path)) as connection, connection:
        for name, (columns, rows) in _tables("JSON").items():
            connection.execute(f"CREATE TABLE {name} ({columns})")
            connection.executemany(f"INSERT INTO {name} VALUES ({', '.join('?' * len(rows[0]))})", rows)
    return f"sqlite:///{path}"


def fill_duckdb(path: Path) -> str:
    """A DuckDB file; its URL."""
    with duckdb.connect(str(path)) as connection:
        for name, (columns, rows) in _tables("JSON").items():
            connection.execute(f"CREATE TABLE {name} ({columns})")
            connection.executemany(f"INSERT INTO {name} VALUES ({', '.join('?' * len(rows[0]))})", rows)
    return f"duckdb:///{path}"


def fill_postgres(url: str, json_type: str = "jsonb") -> str:
    """The same in PostgreSQL."""
    with psycopg.connect(url, autocommit=True) as connection:
        for name, (columns, rows) in _tables(json_type).items():
            connection.execute(f"CREATE TABLE {name} ({columns})".encode())
            marks = ", ".join(["%s"] * len(rows[0]))
            connection.cursor().executemany(f"INSERT INTO {name} VALUES ({marks})".encode(), rows)
    return url


def fill_mariadb(url: str) -> str:
    """The same in MariaDB."""
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        for name, (columns, rows) in _tables("JSON").items():
            connection.exec_driver_sql(f"DROP TABLE IF EXISTS {name}")
            connection.exec_driver_sql(f"CREATE TABLE {name} ({columns}) CHARACTER SET utf8mb4")
            marks = ", ".join(["%s"] * len(rows[0]))
            connection.exec_driver_sql(f"INSERT INTO {name} VALUES ({marks})", rows)
    engine.dispose()
    return url


@contextmanager
def runtime_over(url: str, home: Path, *datasets: Dataset) -> Iterator[Runtime]:
    """A service over that database."""
    source = open_source(SourceSpec("db", url))
    try:
        yield make_runtime(home, {"db": source}, *(datasets or DATASETS))
    finally:
        source.close()


def exported(runtime: Runtime, principal: Principal = READER, *fields: str, **wish: Any) -> list[dict[str, Any]]:
    """The rows that an NDJSON download of the orders holds."""
    choices = tuple(map(FieldChoice, fields)) or None
    request = ExportRequest("orders", "ndjson", fields=choices, **wish)
    with closing(open_download(runtime, principal, request).chunks) as chunks:
        return [json.loads(line, parse_float=Decimal) for line in b"".join(chunks).splitlines()]


def ids(runtime: Runtime, **wish: Any) -> list[int]:
    """The ids of the orders that come, in order."""
    return [row["id"] for row in exported(runtime, READER, "id", **wish)]
