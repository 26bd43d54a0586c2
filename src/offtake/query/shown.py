"""A filter tree shown again: as the JSON it could have come in as, and as one line for people."""

from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

from offtake.model.filter import And, Condition, Filter, Not, Operator, Or, Value

_SIGNS = {
    Operator.EQ: "=",
    Operator.IEQ: "=",
    Operator.NE: "≠",
    Operator.INE: "≠",
    Operator.GT: ">",
    Operator.GTE: "≥",
    Operator.LT: "<",
    Operator.LTE: "≤",
}


def filter_json(tree: Filter) -> dict[str, Any]:
    """The tree as request bodies write it; instants and decimals as text, so that nothing is lost."""
    if isinstance(tree, And | Or):
        return {"and" if isinstance(tree, And) else "or": [filter_json(item) for item in tree.items]}
    if isinstance(tree, Not):
        return {"not": filter_json(tree.item)}
    return {"field": tree.field, "op": str(tree.op), "values": [_json_value(value) for value in tree.values]}


def filter_text(tree: Filter | None) -> str:
    """The tree on one line: `stage in Lead, Client and createdAt ≥ 2026-05-01T00:00:00Z`; none is an empty text."""
    if tree is None:
        return ""
    if isinstance(tree, And | Or):
        word = " and " if isinstance(tree, And) else " or "
        return word.join(_grouped(item) for item in tree.items) or str(isinstance(tree, And)).lower()
    if isinstance(tree, Not):
        return f"not {_grouped(tree.item)}"
    words = _SIGNS.get(tree.op) or str(tree.op).replace("_", " ")
    return " ".join((tree.field, words, ", ".join(_text(value) for value in tree.values))).strip()


def _grouped(item: Filter) -> str:
    return filter_text(item) if isinstance(item, Condition) else f"({filter_text(item)})"


def _json_value(value: Value) -> str | int | float | bool | None:
    if isinstance(value, Decimal | date | time):
        return _text(value)
    return value


def _text(value: Value) -> str:
    if isinstance(value, datetime) and value.tzinfo:
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, bool):
        return str(value).lower()
    return "…" if value is None else str(value)
