"""Values as SQLite compares them: one plain text or integer per value, whose order is the order of the values.

The SQLite source registers functions that give the same keys for what its tables hold (`query.sql` lists them).
"""

from datetime import UTC, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TURN = str.maketrans("0123456789", "9876543210")
_BIAS = 500_000


def instant_key(value: datetime) -> int:
    """Microseconds since 1970 in UTC."""
    return (value - _EPOCH) // timedelta(microseconds=1)


def time_key(value: time) -> str:
    """`HH:MM:SS.ffffff`."""
    return value.isoformat(timespec="microseconds")


def decimal_key(value: Any) -> str | None:
    """A text that sorts as the number does, equal for equal numbers (`1.0` and `1`); None if it is no finite number."""
    try:
        number = Decimal(repr(value) if isinstance(value, float) else value)
    except (InvalidOperation, TypeError, ValueError):
        return None
    if not number.is_finite():
        return None
    sign, digits, _ = number.as_tuple()
    if not number:
        return "1"
    text = "".join(map(str, digits)).lstrip("0").rstrip("0")
    magnitude = f"{number.adjusted() + _BIAS:07d}{text}"
    return f"0{magnitude.translate(_TURN)}~" if sign else f"2{magnitude}"
