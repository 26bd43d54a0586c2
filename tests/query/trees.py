"""Hypothesis strategies: unchecked filter trees over the people, with values as callers send them."""

from typing import Any

from hypothesis import strategies as st

from offtake.model.dataset import Field, FieldType
from offtake.model.filter import And, Condition, Filter, Not, Operator, Or
from offtake.query.operators import Arity, arity_of, operators_for
from query import rows

T = FieldType
_VALUES: dict[FieldType, Any] = {
    T.STRING: st.sampled_from(rows.TEXTS),
    T.INTEGER: st.integers(-3, 12),
    T.DECIMAL: st.sampled_from(rows.DECIMALS),
    T.NUMBER: st.sampled_from(rows.SCORES),
    T.BOOLEAN: st.booleans(),
    T.DATE: st.sampled_from(rows.DAYS),
    T.DATETIME: st.sampled_from((*rows.INSTANTS, *rows.DAYS)),
    T.TIME: st.sampled_from(rows.TIMES),
    T.UUID: st.sampled_from(rows.UIDS),
}


def _values(field: Field, op: Operator) -> Any:
    arity = arity_of(op)
    if arity is Arity.NONE:
        return st.just(())
    one = _VALUES[field.items if field.type is T.LIST and field.items else field.type]
    if arity is Arity.ONE:
        return one.map(lambda value: (value,))
    if arity is Arity.SOME:
        return st.lists(one, min_size=1, max_size=3).map(tuple)
    return st.tuples(st.none() | one, st.none() | one).filter(lambda pair: pair != (None, None))


@st.composite
def conditions(draw: st.DrawFn) -> Condition:
    """A condition that goes with its field."""
    field = draw(st.sampled_from([field for field in rows.FIELDS if field.mask is None]))
    op = draw(st.sampled_from(operators_for(field)))
    return Condition(field.name, op, draw(_values(field, op)))


def filters() -> st.SearchStrategy[Filter]:
    """A tree of conditions."""
    return st.recursive(
        conditions(),
        lambda inner: (
            st.lists(inner, max_size=3).map(tuple).map(And)
            | st.lists(inner, max_size=3).map(tuple).map(Or)
            | inner.map(Not)
        ),
        max_leaves=6,
    )
