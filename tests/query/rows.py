"""One small table of every type, kept in four databases, and what a filter means for a row in plain Python."""

import json
import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from offtake.model.dataset import Dataset, Field, FieldType, Mask
from offtake.model.filter import And, Condition, Filter, Not, Operator, Or

T = FieldType
ZONE = "America/Santiago"

FIELDS = (
    Field("id", T.INTEGER, "id", "Id"),
    Field("name", T.STRING, "full_name", "Name"),
    Field("note", T.STRING, "note", "Note"),
    Field("amount", T.DECIMAL, "amount", "Amount"),
    Field("score", T.NUMBER, "score", "Score"),
    Field("active", T.BOOLEAN, "active", "Active"),
    Field("born", T.DATE, "born", "Born"),
    Field("seenAt", T.DATETIME, "seen_at", "Seen at"),
    Field("localAt", T.DATETIME, "local_at", "Local at"),
    Field("opens", T.TIME, "opens", "Opens"),
    Field("uid", T.UUID, "uid", "Uid"),
    Field("tags", T.LIST, "tags", "Tags", items=T.STRING),
    Field("sizes", T.LIST, "sizes", "Sizes", items=T.INTEGER),
    Field("extra", T.JSON, "extra", "Extra"),
    Field("taxId", T.STRING, "tax_id", "Tax id", mask=Mask.LAST4, unless_scope="pii:read"),
)
TABLE = Dataset(
    "people", "here", table="people", fields=FIELDS, key=("id",), tenant_column="tenant", date_field="seenAt"
)

TEXTS = (
    "",
    "a",
    "A",
    "aé",
    "AÉ",
    "Ñandú",
    "50%",
    "5_0",
    "a/b",
    "a\\b",
    "o'Hara",
    '"q"',
    " a ",
    "'; DROP TABLE people; --",
)
UIDS = tuple(f"6f1f7a52-3d0c-4c55-9a55-0f3c6f0a2b{number:02x}" for number in (1, 10, 0xAB))
INSTANTS = tuple(
    datetime(2026, 4, 4, 12, tzinfo=UTC) + timedelta(minutes=minutes)
    for minutes in (0, 539, 540, 899, 900, 1439, 1440, 2339, 2340)
)
REPEATED_HOUR = INSTANTS[3:5]  # clocks in ZONE go back at 03:00 UTC: a wall clock alone cannot tell which pass it is
DAYS = (date(2026, 4, 3), date(2026, 4, 4), date(2026, 4, 5), date(2026, 4, 6))
DECIMALS = tuple(
    map(Decimal, ("-10.5", "0", "0.10", "0.1", "9", "10.50", "12345678901234567890.12", "12345678901234567890.13"))
)
SCORES = (-1.5, 0.0, 0.1, 3.0, 1e9)
TIMES = (time(0, 0), time(9, 30), time(9, 30, 0, 500000), time(23, 59, 59))


def people(count: int = 60) -> list[dict[str, Any]]:
    """The same rows at every call; about a fifth of the values are null."""
    dice = random.Random(7)
    pools: dict[str, tuple[Any, ...]] = {
        "name": TEXTS,
        "note": TEXTS,
        "amount": DECIMALS,
        "score": SCORES,
        "active": (True, False),
        "born": DAYS,
        "seenAt": INSTANTS,
        "localAt": tuple(at for at in INSTANTS if at not in REPEATED_HOUR),
        "opens": TIMES,
        "uid": UIDS,
        "tags": ((), ("a",), ("A", "é"), ("b", "50%"), ("ab", None)),
        "sizes": ((), (1,), (1, 2), (10,)),
        "extra": ('{"a": 1}',),
        "taxId": ("123", "1234", "12345", "áéíóúñ"),
    }
    return [
        {"id": number, "tenant": "acme" if number % 3 else "globex"}
        | {name: None if dice.random() < 0.2 else dice.choice(pool) for name, pool in pools.items()}
        for number in range(count)
    ]


def holds(tree: Filter, row: dict[str, Any]) -> bool:
    """Whether the unchecked filter is true of the row; two-valued, as `model.filter` says."""
    match tree:
        case And(items):
            return all(holds(item, row) for item in items)
        case Or(items):
            return any(holds(item, row) for item in items)
        case Not(item):
            return not holds(item, row)
        case Condition(field, op, values):
            return _meets(op, row[field], list(values))


_OPPOSITES = {
    Operator.NE: Operator.EQ,
    Operator.INE: Operator.IEQ,
    Operator.NOT_IN: Operator.IN,
    Operator.NOT_CONTAINS: Operator.CONTAINS,
    Operator.NOT_BETWEEN: Operator.BETWEEN,
    Operator.NOT_ON: Operator.ON,
    Operator.IS_NOT_NULL: Operator.IS_NULL,
    Operator.IS_NOT_EMPTY: Operator.IS_EMPTY,
}


def _meets(op: Operator, actual: Any, values: list[Any]) -> bool:
    if op in _OPPOSITES:
        return not _meets(_OPPOSITES[op], actual, values)
    if op is Operator.IS_NULL:
        return actual is None
    if op is Operator.IS_EMPTY:
        return actual is None or len(actual) == 0
    if actual is None:
        return False
    if isinstance(actual, tuple):
        return _meets_list(op, [_folded(item) for item in actual], [_folded(value) for value in values])
    return _meets_scalar(op, actual, values)


def _folded(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


def _meets_list(op: Operator, actual: list[Any], values: list[Any]) -> bool:
    if op is Operator.CONTAINS_ALL:
        return all(value in actual for value in values)
    return any(value in actual for value in values)


def _meets_scalar(op: Operator, actual: Any, values: list[Any]) -> bool:
    first = values[0] if values else None
    match op:
        case Operator.ON:
            return (
                _compared(actual, first.astimezone(ZoneInfo(ZONE)).date() if isinstance(first, datetime) else first)
                == 0
            )
        case Operator.EQ | Operator.IN:
            return any(_compared(actual, value) == 0 for value in values)
        case Operator.IEQ:
            return _folded(actual) in [_folded(value) for value in values]
        case Operator.CONTAINS:
            return _folded(first) in _folded(actual)
        case Operator.STARTS_WITH:
            return bool(_folded(actual).startswith(_folded(first)))
        case Operator.ENDS_WITH:
            return bool(_folded(actual).endswith(_folded(first)))
        case Operator.GT | Operator.GTE | Operator.LT | Operator.LTE:
            return _compared(actual, first) in _SIGNS[op]
        case Operator.BETWEEN:
            low, high = values
            return (low is None or _compared(actual, low) >= 0) and (high is None or _compared(actual, high) <= 0)
        case Operator.IS_TRUE | Operator.IS_FALSE:
            return bool(actual) is (op is Operator.IS_TRUE)
    raise AssertionError(op)


_SIGNS = {Operator.GT: (1,), Operator.GTE: (0, 1), Operator.LT: (-1,), Operator.LTE: (-1, 0)}


def _compared(actual: Any, value: Any) -> int:
    """-1, 0 or 1; an instant against a day is compared by the day that clocks in ZONE show."""
    if isinstance(actual, datetime) and not isinstance(value, datetime):
        actual = actual.astimezone(ZoneInfo(ZONE)).date()
    return bool(actual > value) - bool(actual < value)


SQLITE_TABLE = """CREATE TABLE people (id INTEGER, tenant TEXT, full_name TEXT, note TEXT COLLATE NOCASE, amount TEXT,
    score REAL, active INTEGER, born TEXT, seen_at, local_at, opens TEXT, uid TEXT, tags TEXT, sizes TEXT, extra TEXT,
    tax_id TEXT)"""
POSTGRES_TABLE = """CREATE TABLE people (id int, tenant text, full_name text, note varchar(40), amount numeric,
    score double precision, active boolean, born date, seen_at timestamptz, local_at timestamp, opens time, uid uuid,
    tags text[], sizes int[], extra jsonb, tax_id text)"""
DUCKDB_TABLE = """CREATE TABLE people (id INTEGER, tenant VARCHAR, full_name VARCHAR, note VARCHAR,
    amount DECIMAL(38, 2), score DOUBLE, active BOOLEAN, born DATE, seen_at TIMESTAMPTZ, local_at TIMESTAMP, opens TIME,
    uid UUID, tags VARCHAR[], sizes INTEGER[], extra JSON, tax_id VARCHAR)"""
MARIADB_TABLE = """CREATE TABLE people (id INT, tenant VARCHAR(40), full_name VARCHAR(40), note VARCHAR(40),
    amount DECIMAL(38, 2), score DOUBLE, active BOOLEAN, born DATE, seen_at DATETIME(6), local_at DATETIME(6),
    opens TIME(6), uid VARCHAR(36), tags JSON, sizes JSON, extra JSON, tax_id VARCHAR(40)) CHARACTER SET utf8mb4"""


def sqlite_rows() -> Iterator[tuple[Any, ...]]:
    """The rows as a SQLite file might hold them: instants in a different spelling every time."""
    for row in people():
        yield _stored(row, str, partial(_spelt, row["id"]), partial(_spelt, 3), _json)


def native_rows(listed: Any = list) -> Iterator[tuple[Any, ...]]:
    """The rows for a database with types of its own; `localAt` is the wall clock of ZONE."""
    for row in people():
        yield _stored(row, lambda value: value, lambda at: at, _wall, listed)


def mariadb_rows() -> Iterator[tuple[Any, ...]]:
    """The rows for MariaDB, whose DATETIME has no zone: `seenAt` is in UTC."""
    for row in people():
        yield _stored(row, lambda value: value, lambda at: at.replace(tzinfo=None), _wall, _json)


def _wall(at: datetime) -> datetime:
    return at.astimezone(ZoneInfo(ZONE)).replace(tzinfo=None)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _spelt(turn: int, at: datetime) -> Any:
    forms = (
        at.isoformat().replace("+00:00", "Z"),
        at.astimezone(ZoneInfo(ZONE)).isoformat(),
        int(at.timestamp()),
        at.strftime("%Y-%m-%d %H:%M:%S"),
        at.isoformat(timespec="microseconds"),
    )
    return forms[turn % len(forms)]


def _stored(row: dict[str, Any], plain: Any, seen: Any, local: Any, listed: Any) -> tuple[Any, ...]:
    forms = {"seenAt": seen, "localAt": local, "tags": listed, "sizes": listed}
    forms |= dict.fromkeys(("amount", "born", "opens"), plain)
    names = ["id", "tenant", *(field.name for field in FIELDS[1:])]
    return tuple(None if row[name] is None else forms.get(name, lambda value: value)(row[name]) for name in names)
