"""Filter tree -> one SQL condition. Two-valued: a condition over null is false, and its negation is true."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from offtake.model.dataset import Dataset, Field, FieldType
from offtake.model.filter import And, Condition, Filter, Not, Operator, Or, Value
from offtake.query.flavours import Expr, Flavour, Match, bind, one_of
from offtake.query.inside import Inside


@dataclass(frozen=True)
class Reading:
    """Where a condition runs: the fields, the table of their columns, the database's words, the zone of naive ones."""

    dataset: Dataset
    table: sa.FromClause
    flavour: Flavour
    inside: Inside
    zone: ZoneInfo
    naive: frozenset[str]

    def field(self, name: str) -> Field:
        """A field that the plan has proven to exist."""
        found = self.dataset.find(name)
        assert found is not None, name
        return found

    def column(self, field: Field) -> Expr:
        """The field's column in the table that is read; of a field inside a column, its value as text."""
        column = self.table.c[field.column]
        return self.inside.text(column, field) if field.path else column

    def elements(self, field: Field) -> Expr:
        """A list field in the form that the database looks for elements in."""
        column = self.table.c[field.column]
        return self.inside.elements(column, field) if field.path else column

    def comparable(self, field: Field) -> Expr:
        """The field in the form that `bound` gives a value."""
        column = self.column(field)
        if field.path:
            return self.inside.comparable(column, field.type, self.zone)
        return self.flavour.comparable(column, field.type)

    def bound(self, field: Field, value: Value) -> Expr:
        """A value to compare the field with."""
        if field.path:
            return self.flavour.bound(value, self.inside.compared_as(field.type), None)
        return self.flavour.bound(value, field.type, self.zone if field.name in self.naive else None)


def predicate(tree: Filter, reading: Reading) -> Expr:
    """The condition in SQL; `tree` is checked (`query.filters.check_filter`), so its depth is bounded."""
    match tree:
        case And(items):
            return sa.and_(sa.true(), *(predicate(item, reading) for item in items))
        case Or(items):
            return sa.or_(sa.false(), *(predicate(item, reading) for item in items))
        case Not(item):
            return _negate(predicate(item, reading))
        case Condition():
            return _condition(tree, reading)


def _negate(expression: Expr) -> Expr:
    """True where the expression is false or null. CASE, because not every database has IS NOT TRUE."""
    return sa.case((expression, sa.literal_column("1")), else_=sa.literal_column("0")) == sa.literal_column("0")


def _condition(condition: Condition, reading: Reading) -> Expr:
    field = reading.field(condition.field)
    if condition.op in _NEGATIONS:
        return _negate(_condition(Condition(field.name, _NEGATIONS[condition.op], condition.values), reading))
    return _SPELLINGS[condition.op](field, condition.values, reading)


_Spelling = Callable[[Field, tuple[Value, ...], Reading], Expr]


def _one_of(field: Field, values: tuple[Value, ...], reading: Reading) -> Expr:
    column = reading.column(field)
    if field.type is FieldType.STRING:
        return reading.flavour.same_text(column, [str(value) for value in values])
    if field.type is FieldType.UUID:
        return same_uuid(column, [str(value) for value in values])
    return one_of(reading.comparable(field), [reading.bound(field, value) for value in values])


def _one_of_folded(field: Field, values: tuple[Value, ...], reading: Reading) -> Expr:
    return reading.flavour.same_folded(reading.column(field), [str(value) for value in values])


def same_uuid(column: Expr, values: list[str]) -> Expr:
    """A uuid in any way databases write one, each untyped, so that uuid and text columns can both use their index."""
    forms = dict.fromkeys(
        form for value in values for plain in (value, value.replace("-", "")) for form in (plain, plain.upper())
    )
    return column.in_([bind(form) for form in forms])


def _text(match: Match) -> _Spelling:
    def spell(field: Field, values: tuple[Value, ...], reading: Reading) -> Expr:
        if field.type is FieldType.LIST:
            return reading.flavour.element(reading.elements(field), values[0])
        return reading.flavour.like_text(reading.column(field), str(values[0]), match)

    return spell


def _compare(symbol: str) -> _Spelling:
    def spell(field: Field, values: tuple[Value, ...], reading: Reading) -> Expr:
        return reading.comparable(field).bool_op(symbol)(reading.bound(field, values[0]))

    return spell


_AT_LEAST, _AT_MOST = _compare(">="), _compare("<=")


def _between(field: Field, values: tuple[Value, ...], reading: Reading) -> Expr:
    low, high = values
    sides = [
        side(field, (value,), reading) for side, value in ((_AT_LEAST, low), (_AT_MOST, high)) if value is not None
    ]
    return sa.and_(*sides)


def _is_null(field: Field, _values: tuple[Value, ...], reading: Reading) -> Expr:
    return reading.column(field).is_(None)


def _is_empty(field: Field, _values: tuple[Value, ...], reading: Reading) -> Expr:
    if field.type is FieldType.LIST:
        nothing = reading.flavour.no_elements(reading.elements(field))
    else:
        nothing = reading.flavour.same_text(reading.column(field), [""])
    return sa.or_(_is_null(field, (), reading), nothing)


def _is(value: bool) -> _Spelling:
    return lambda field, _values, reading: _one_of(field, (value,), reading)


def _contains_any(field: Field, values: tuple[Value, ...], reading: Reading) -> Expr:
    return sa.or_(*(reading.flavour.element(reading.elements(field), value) for value in values))


def _contains_all(field: Field, values: tuple[Value, ...], reading: Reading) -> Expr:
    return sa.and_(*(reading.flavour.element(reading.elements(field), value) for value in values))


_SPELLINGS: Mapping[Operator, _Spelling] = {
    Operator.EQ: _one_of,
    Operator.IN: _one_of,
    Operator.ON: _one_of,
    Operator.IEQ: _one_of_folded,
    Operator.CONTAINS: _text(Match.PART),
    Operator.STARTS_WITH: _text(Match.START),
    Operator.ENDS_WITH: _text(Match.END),
    Operator.GT: _compare(">"),
    Operator.GTE: _AT_LEAST,
    Operator.LT: _compare("<"),
    Operator.LTE: _AT_MOST,
    Operator.BETWEEN: _between,
    Operator.IS_NULL: _is_null,
    Operator.IS_EMPTY: _is_empty,
    Operator.IS_TRUE: _is(True),
    Operator.IS_FALSE: _is(False),
    Operator.CONTAINS_ANY: _contains_any,
    Operator.CONTAINS_ALL: _contains_all,
}

_NEGATIONS: Mapping[Operator, Operator] = {
    Operator.NE: Operator.EQ,
    Operator.INE: Operator.IEQ,
    Operator.NOT_IN: Operator.IN,
    Operator.NOT_ON: Operator.ON,
    Operator.NOT_CONTAINS: Operator.CONTAINS,
    Operator.NOT_BETWEEN: Operator.BETWEEN,
    Operator.IS_NOT_NULL: Operator.IS_NULL,
    Operator.IS_NOT_EMPTY: Operator.IS_EMPTY,
}
