"""The demo's contacts as sqlite3 reads them from the demo's own database: what every exported file must hold."""

import json
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml

Contact = Mapping[str, Any]
SANTIAGO = ZoneInfo("America/Santiago")
CHILE = ("--locale", "es-CL", "--timezone", "America/Santiago")
# How SQLite's values become those the configuration promises; everything else is text.
READ: Mapping[str, Callable[[Any], Any]] = {
    "date": date.fromisoformat,
    "datetime": lambda text: datetime.fromisoformat(text).replace(tzinfo=UTC),
    "boolean": bool,
    "decimal": Decimal,
    "number": float,
    "list": json.loads,
}


def read_contacts(home: Path) -> list[Contact]:
    """Every contact of acme, newest first, with the types that the demo's offtake.yaml gives its fields."""
    fields = yaml.safe_load((home / "offtake.yaml").read_text("utf-8"))["datasets"]["contacts"]["fields"]
    columns = ", ".join(str(field.get("column", name)) for name, field in fields.items())
    kinds = [READ.get(field["type"], str) for field in fields.values()]
    query = f"SELECT {columns} FROM contacts WHERE tenant = 'acme' ORDER BY created_at DESC, id"
    with closing(sqlite3.connect(f"file:{home}/demo.db?mode=ro", uri=True)) as database:
        return [
            {name: None if cell is None else read(cell) for name, read, cell in zip(fields, kinds, row, strict=True)}
            for row in database.execute(query)
        ]


def same_rows(found: Iterable[object], expected: Iterable[object]) -> None:
    """Assert row by row: pytest would compare twenty thousand at once for minutes."""
    for number, (one, other) in enumerate(zip(found, expected, strict=True)):
        assert one == other, f"row {number}: {one!r} is not {other!r}"


def iso(instant: datetime) -> str:
    """An instant as RFC 3339, with milliseconds where it has any."""
    fraction = f".{instant.microsecond // 1000:03}" if instant.microsecond else ""
    return f"{instant:%Y-%m-%dT%H:%M:%S}{fraction}Z"


def compact(value: object) -> str:
    """JSON on one line, without spaces."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def plain(value: Any) -> str | None:
    """What a reader without a language sees of a value; null stays null."""
    match value:
        case bool():
            return "true" if value else "false"
        case float():
            return repr(value)
        case datetime():
            return iso(value)
        case list():
            return compact(value)
    return None if value is None else str(value)


def chilean(value: Any) -> str | None:
    """The same for a reader in Chile: decimal comma, day first, the wall clock of Santiago as zoneinfo knows it."""
    match value:
        case float() | Decimal():
            return f"{Decimal(repr(value) if isinstance(value, float) else value):,f}".translate(
                str.maketrans(",.", ".,")
            )
        case datetime():
            wall = value.astimezone(SANTIAGO)
            return f"{wall:%d/%m/%Y}, {wall.hour % 12 or 12}:{wall:%M:%S}\u202f{'ap'[wall.hour >= 12]}.\u202fm."
        case date():
            return f"{value:%d/%m/%Y}"
    return plain(value)
