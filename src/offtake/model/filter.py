"""The filter tree: the one form every filter takes, whichever way it came in."""

from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from enum import StrEnum
from typing import Union


class Operator(StrEnum):
    """How a condition compares. Text search folds case; `eq` is exact; `ne` and its kin count null as not equal."""

    EQ = "eq"
    NE = "ne"
    IEQ = "ieq"
    INE = "ine"
    IN = "in"
    NOT_IN = "not_in"
    CONTAINS = "contains"
    NOT_CONTAINS = "not_contains"
    STARTS_WITH = "starts_with"
    ENDS_WITH = "ends_with"
    GT = "gt"
    GTE = "gte"
    LT = "lt"
    LTE = "lte"
    BETWEEN = "between"
    NOT_BETWEEN = "not_between"
    IS_NULL = "is_null"
    IS_NOT_NULL = "is_not_null"
    IS_EMPTY = "is_empty"
    IS_NOT_EMPTY = "is_not_empty"
    IS_TRUE = "is_true"
    IS_FALSE = "is_false"
    CONTAINS_ANY = "contains_any"
    CONTAINS_ALL = "contains_all"
    ON = "on"
    NOT_ON = "not_on"


# What a checked condition compares with. Instants are aware; None is an open side of `between`.
Value = str | int | float | Decimal | bool | date | datetime | time | None


@dataclass(frozen=True)
class Condition:
    """`field` `op` `values`. Unchecked trees hold what the caller sent; `query.filters` types the values."""

    field: str
    op: Operator
    values: tuple[Value, ...] = ()


@dataclass(frozen=True)
class And:
    """Every item holds; none at all is true."""

    items: tuple["Filter", ...]


@dataclass(frozen=True)
class Or:
    """At least one item holds; none at all is false."""

    items: tuple["Filter", ...]


@dataclass(frozen=True)
class Not:
    """The item does not hold. A condition over null is false, so its negation is true (two-valued, unlike SQL)."""

    item: "Filter"


Filter = Union[Condition, And, Or, Not]  # noqa: UP007  (a recursive alias needs the runtime form)
