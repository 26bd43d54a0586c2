"""What MySQL and MariaDB need beyond what SQLAlchemy says for every database."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.mysql import BIGINT, BIT, TINYINT, YEAR

from offtake.model.dataset import FieldType
from offtake.model.ports import SourceSpec

NAMES = ("mysql", "mariadb")
CONNECTION_LOST = (2002, 2003, 2006, 2013, 2055, 1053)
TIMED_OUT = (1969, 3024, 1317)  # MariaDB's, MySQL's, and a query somebody killed

# Codes of the protocol (Protocol::ColumnType).
_TINY, _TIMESTAMP, _BIT = 1, 7, 16
_KINDS = {
    0: FieldType.DECIMAL,
    1: FieldType.INTEGER,
    2: FieldType.INTEGER,
    3: FieldType.INTEGER,
    4: FieldType.NUMBER,
    5: FieldType.NUMBER,
    7: FieldType.DATETIME,
    8: FieldType.INTEGER,
    9: FieldType.INTEGER,
    10: FieldType.DATE,
    11: FieldType.TIME,
    12: FieldType.DATETIME,
    13: FieldType.INTEGER,
    245: FieldType.JSON,
    246: FieldType.DECIMAL,
}


def connect_arguments(driver: str, spec: SourceSpec) -> dict[str, Any]:
    """What the driver's connect takes to give up in time."""
    if driver != "pymysql":
        return {}
    wait = round(spec.statement_timeout_s) + 10
    return {"connect_timeout": max(1, round(spec.connect_timeout_s)), "read_timeout": wait, "write_timeout": wait}


def begin(connection: sa.Connection, spec: SourceSpec) -> int:
    """Begin a read-only snapshot in a UTC session; the number by which the connection can be killed."""
    seconds = max(1, round(spec.statement_timeout_s))
    is_mariadb = bool(getattr(connection.dialect, "is_mariadb", False))
    limit = f"max_statement_time = {seconds}" if is_mariadb else f"max_execution_time = {seconds * 1000}"
    # A reader that is slower than the server must not be cut off: net_write_timeout is 60 s by default.
    connection.exec_driver_sql(
        f"SET SESSION time_zone = '+00:00', net_write_timeout = {min(seconds, 31_536_000)}, {limit}"
    )
    connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    connection.exec_driver_sql("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
    return int(connection.exec_driver_sql("SELECT CONNECTION_ID()").scalar_one())


def kind_of_type(type_: sa.types.TypeEngine[Any]) -> FieldType | None:
    """Ours for a reflected type that only MySQL has; None for those every database has."""
    if isinstance(type_, TINYINT) and type_.display_width == 1:
        return FieldType.BOOLEAN
    if isinstance(type_, BIT):
        return FieldType.BOOLEAN if type_.length in (None, 1) else FieldType.STRING
    if isinstance(type_, YEAR):
        return FieldType.INTEGER
    if isinstance(type_, BIGINT) and type_.unsigned:
        return FieldType.DECIMAL
    return None


def kind_of_result(description: Sequence[Any]) -> FieldType:
    """Ours for one column of a result, as the driver describes it."""
    _, code, _, length, *_ = description
    if code in (_TINY, _BIT) and length == 1:
        return FieldType.BOOLEAN
    return _KINDS.get(code, FieldType.STRING)


def is_naive(description: Sequence[Any]) -> bool:
    """Whether a column of a result is a wall clock: DATETIME is, TIMESTAMP is an instant."""
    return bool(description[1] != _TIMESTAMP)


def bound(description: Sequence[Any]) -> tuple[int, int] | None:
    """Precision and scale that hold a DECIMAL of a result. Its length counts a point too, and a sign if it has one:
    nobody says whether, so a signed one gets a digit more than it needs."""
    _, code, _, length, _, scale, *_ = description
    if _KINDS.get(code) is not FieldType.DECIMAL:
        return None
    return length - (1 if scale else 0), scale
