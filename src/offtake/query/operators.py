"""The operators: their other names, how many values each takes, and which go with which type."""

from collections.abc import Iterable
from enum import Enum
from types import MappingProxyType

from offtake.errors import InvalidFilter
from offtake.model.dataset import Field, FieldType
from offtake.model.filter import Operator
from offtake.query.nearest import did_you_mean


class Arity(Enum):
    """How many values an operator takes."""

    NONE = "no value"
    ONE = "one value"
    SOME = "one value or more"
    RANGE = "two values, of which one may be null for an open side"


_ALIASES: dict[Operator, str] = {
    Operator.EQ: "equals is = ==",
    Operator.NE: "notEquals neq not isNot doesNotEqual != <>",
    Operator.IEQ: "equalsIgnoreCase",
    Operator.INE: "notEqualsIgnoreCase",
    Operator.IN: "isAnyOf anyOf equalsAny",
    Operator.NOT_IN: "nin noneOf isNoneOf",
    Operator.CONTAINS: "like ilk",
    Operator.NOT_CONTAINS: "doesNotContain",
    Operator.STARTS_WITH: "sw prefix",
    Operator.ENDS_WITH: "ew suffix",
    Operator.GT: "greaterThan after >",
    Operator.GTE: "greaterThanOrEqual ge onOrAfter from >=",
    Operator.LT: "lessThan before <",
    Operator.LTE: "lessThanOrEqual le onOrBefore to <=",
    Operator.BETWEEN: "btw range inRange",
    Operator.NOT_BETWEEN: "nbtw",
    Operator.IS_NULL: "notExists",
    Operator.IS_NOT_NULL: "exists",
    Operator.IS_EMPTY: "blank",
    Operator.IS_NOT_EMPTY: "notBlank",
    Operator.CONTAINS_ANY: "hasSome",
    Operator.CONTAINS_ALL: "hasEvery",
    Operator.ON: "dateIs",
    Operator.NOT_ON: "dateIsNot",
}


def _plain(name: str) -> str:
    return name.lower().replace("_", "")


NAMES = MappingProxyType(
    {_plain(name): op for op in Operator for name in (op.value, *_ALIASES.get(op, "").split())},
)
"""Every name of every operator, in lower case and without underscores."""


_SHORT = {Operator.EQ, Operator.NE, Operator.IEQ, Operator.INE, Operator.ON, Operator.NOT_ON}
_SHORT |= {Operator.GT, Operator.GTE, Operator.LT, Operator.LTE}


def spelled(operators: Iterable[Operator]) -> list[str]:
    """The operators as people of every API write them: `equals`, `notIn`, `isNull`."""
    return [_spell(op) for op in operators]


def _spell(op: Operator) -> str:
    if op in _SHORT:
        return _ALIASES[op].split()[0]
    first, *others = op.value.split("_")
    return first + "".join(map(str.capitalize, others))


def read_operator(name: str, pointer: str = "", field: str = "") -> Operator:
    """The operator of that name or alias, whatever its case; InvalidFilter names the nearest one, and the field."""
    found = NAMES.get(_plain(name.strip()))
    if found is None:
        raise InvalidFilter(
            f"There is no operator {name[:40]!r}" + (f" for {field[:80]!r}." if field else "."),
            hint=did_you_mean(name, spelled(Operator), "Operators"),
            pointer=pointer,
        )
    return found


_NO_VALUE = {Operator.IS_NULL, Operator.IS_NOT_NULL, Operator.IS_EMPTY, Operator.IS_NOT_EMPTY}
_NO_VALUE |= {Operator.IS_TRUE, Operator.IS_FALSE}
_SOME_VALUES = {Operator.IN, Operator.NOT_IN, Operator.IEQ, Operator.INE, Operator.CONTAINS_ANY, Operator.CONTAINS_ALL}


def arity_of(op: Operator) -> Arity:
    """How many values the operator takes."""
    if op in _NO_VALUE:
        return Arity.NONE
    if op in _SOME_VALUES:
        return Arity.SOME
    return Arity.RANGE if op in (Operator.BETWEEN, Operator.NOT_BETWEEN) else Arity.ONE


_NULLS = (Operator.IS_NULL, Operator.IS_NOT_NULL)
_EMPTIES = (Operator.IS_EMPTY, Operator.IS_NOT_EMPTY)
_EQUALS = (Operator.EQ, Operator.NE, Operator.IN, Operator.NOT_IN)
_PARTS = (Operator.CONTAINS, Operator.NOT_CONTAINS)
_ORDERED = (Operator.GT, Operator.GTE, Operator.LT, Operator.LTE, Operator.BETWEEN, Operator.NOT_BETWEEN)
_FOLDED = (Operator.IEQ, Operator.INE)
_ENDS = (Operator.STARTS_WITH, Operator.ENDS_WITH)
_DAYS = (Operator.ON, Operator.NOT_ON)
_NUMBERS = (*_EQUALS, *_ORDERED, *_NULLS)
_ELEMENTS = (*_PARTS, Operator.CONTAINS_ANY, Operator.CONTAINS_ALL, *_EMPTIES, *_NULLS)

_BY_TYPE: dict[FieldType, tuple[Operator, ...]] = {
    FieldType.STRING: (*_EQUALS, *_FOLDED, *_PARTS, *_ENDS, *_EMPTIES, *_NULLS),
    FieldType.INTEGER: _NUMBERS,
    FieldType.NUMBER: _NUMBERS,
    FieldType.DECIMAL: _NUMBERS,
    FieldType.BOOLEAN: (*_EQUALS, Operator.IS_TRUE, Operator.IS_FALSE, *_NULLS),
    FieldType.DATE: (*_EQUALS, *_ORDERED, *_DAYS, *_NULLS),
    FieldType.DATETIME: (*_EQUALS, *_ORDERED, *_DAYS, *_NULLS),
    FieldType.TIME: _NUMBERS,
    FieldType.UUID: (*_EQUALS, *_NULLS),
    FieldType.JSON: _NULLS,
    FieldType.LIST: _ELEMENTS,
    FieldType.STRUCT: _NULLS,
}

_ELEMENT_TYPES = (
    FieldType.STRING,
    FieldType.INTEGER,
    FieldType.NUMBER,
    FieldType.DECIMAL,
    FieldType.BOOLEAN,
    FieldType.UUID,
    FieldType.DATE,
)


def operators_for(field: Field) -> tuple[Operator, ...]:
    """The operators that go with the field's type; with a masked field goes none, but the mask is not the field's."""
    if field.type is FieldType.LIST and field.items not in _ELEMENT_TYPES:
        return (*_EMPTIES, *_NULLS)
    return _BY_TYPE[field.type]


_IN_ANY_CASE = {Operator.EQ: Operator.IEQ, Operator.IN: Operator.IEQ}
_IN_ANY_CASE |= {Operator.NE: Operator.INE, Operator.NOT_IN: Operator.INE}
_FOLDED_AS = {Operator.IEQ: Operator.IN, Operator.INE: Operator.NOT_IN}


def folded(op: Operator, count: int = 1) -> Operator:
    """The operator that compares in any case with so many values; of one that compares otherwise, itself."""
    if op in (Operator.EQ, Operator.NE) and count != 1:
        return op  # for these it is a mistake, and shall be found
    return _IN_ANY_CASE.get(op, op)


def fitted(op: Operator, field: Field, count: int = 1) -> Operator:
    """What the operator means for a field of this type: only text has case, and a date is its own day."""
    if field.type is FieldType.LIST and op is Operator.IEQ:
        return Operator.CONTAINS_ANY
    if field.type is not FieldType.STRING and op in _FOLDED_AS:
        plain = Operator.EQ if op is Operator.IEQ else Operator.NE
        return plain if count == 1 else _FOLDED_AS[op]
    if field.type is FieldType.DATE and op in _DAYS:
        return Operator.EQ if op is Operator.ON else Operator.NE
    return op
