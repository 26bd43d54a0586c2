"""JSON conditions -> filter tree, and any filter tree -> the same tree proven against a dataset's columns.

Three ways lead in: JSON (`parse_filter`), the mini-language (`query.minilang`) and plain Python (`And`, `Or`, `Not` and
`Condition` built by hand). All three give an unchecked tree, and `check_filter` is the one gate they all go through.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from offtake.errors import InvalidFilter, UnknownField
from offtake.model.dataset import Field, FieldType, follow, inside
from offtake.model.export import Column
from offtake.model.filter import And, Condition, Filter, Not, Operator, Or, Value
from offtake.query.nearest import did_you_mean
from offtake.query.operators import Arity, arity_of, fitted, folded, operators_for, read_operator, spelled
from offtake.query.values import EXPECTED, day_end, day_start, read_value

MAX_DEPTH = 32
MAX_CONDITIONS = 300  # SQLite parses no deeper than 1,000, and every condition of a chain is one level or two
MAX_VALUES = 10_000
_KEYS = ("field", "op", "value", "values")
_JOINTS = ("and", "or", "not")


def parse_filter(body: object, pointer: str = "/filter", *, any_case: bool = False) -> Filter:
    """The unchecked tree of `{"field", "op", "value" | "values"}` and `{"and": […]}`, `{"or": […]}`, `{"not": …}`.

    With `any_case`, text equals text in any case, whether it is compared with one value or with several.
    Raises InvalidFilter with a JSON pointer to what is wrong.
    """
    tree = _parse(body, pointer, 1)
    return _in_any_case(tree) if any_case else tree


def _in_any_case(tree: Filter) -> Filter:
    match tree:
        case And(items):
            return And(tuple(map(_in_any_case, items)))
        case Or(items):
            return Or(tuple(map(_in_any_case, items)))
        case Not(item):
            return Not(_in_any_case(item))
        case Condition(field, op, values):
            return Condition(field, folded(op, len(values)), values)


def _parse(body: object, pointer: str, depth: int) -> Filter:
    if depth > MAX_DEPTH:
        raise _too_deep(pointer)
    if not isinstance(body, Mapping):
        raise InvalidFilter("A filter is an object.", hint=_SHAPES, pointer=pointer)
    if len(body) == 1:
        key, inner = next(iter(body.items()))
        match str(key).lower():
            case "and":
                return And(tuple(_parse_all(inner, f"{pointer}/{key}", depth)))
            case "or":
                return Or(tuple(_parse_all(inner, f"{pointer}/{key}", depth)))
            case "not":
                return Not(_parse(inner, f"{pointer}/{key}", depth + 1))
    return _parse_condition(body, pointer)


_SHAPES = 'Write {"field", "op", "value"}, {"and": […]}, {"or": […]} or {"not": …}.'


def _too_deep(pointer: str) -> InvalidFilter:
    return InvalidFilter(f"The filter is nested deeper than {MAX_DEPTH} levels.", hint="Flatten it.", pointer=pointer)


def _parse_all(items: object, pointer: str, depth: int) -> Iterator[Filter]:
    if not isinstance(items, list | tuple):
        raise InvalidFilter("Here stands a list of filters.", hint=_SHAPES, pointer=pointer)
    for index, item in enumerate(items):
        yield _parse(item, f"{pointer}/{index}", depth + 1)


def _parse_condition(body: Mapping[object, object], pointer: str) -> Condition:
    for key in body:
        if str(key).lower() in _JOINTS:
            raise InvalidFilter(f"{key!r} stands alone in its object.", hint=_SHAPES, pointer=pointer)
        if key not in _KEYS:
            hint = did_you_mean(str(key), [*_KEYS, *_JOINTS], "Known keys")
            raise InvalidFilter(f"A condition has no key {str(key)[:40]!r}.", hint=hint, pointer=pointer)
    field, op = body.get("field"), body.get("op")
    if not isinstance(field, str) or not isinstance(op, str):
        raise InvalidFilter(
            "A condition names its field and its operator, both as text.", hint=_SHAPES, pointer=pointer
        )
    if "value" in body and "values" in body:
        raise InvalidFilter("A condition has `value` or `values`, not both.", hint="Drop one.", pointer=pointer)
    operator = read_operator(op, f"{pointer}/op", field)
    given = body.get("values", body.get("value"))
    values = tuple(given) if isinstance(given, list | tuple) else (given,) if _holds_value(body, operator) else ()
    return Condition(field, operator, values)


def _holds_value(body: Mapping[object, object], operator: Operator) -> bool:
    if arity_of(operator) is Arity.NONE:
        return body.get("values", body.get("value")) is not None
    return "value" in body or "values" in body


@dataclass(frozen=True)
class _Gate:
    """What a tree is checked against."""

    columns: Mapping[str, Column]
    zone: ZoneInfo
    dataset: str


def check_filter(
    tree: Filter, columns: Sequence[Column], timezone: str = "UTC", *, dataset: str = "", pointer: str = "/filter"
) -> Filter:
    """The tree with every value in its field's type, every name and operator proven; checking it again changes nothing.

    `columns` are those the principal sees (`query.plan.visible_fields`). A bare date given for a datetime means that
    whole day in `timezone` and becomes a half-open range of instants. Raises UnknownField or InvalidFilter.
    """
    _measure(tree, pointer)
    gate = _Gate({column.name: column for column in columns}, ZoneInfo(timezone), dataset or "the dataset")
    return _check(tree, gate, pointer)


def _measure(tree: Filter, pointer: str) -> None:
    """Refuse what is too deep or too large before anything walks it recursively."""
    waiting: list[tuple[object, int]] = [(tree, 1)]
    conditions = values = 0
    while waiting:
        node, depth = waiting.pop()
        if depth > MAX_DEPTH:
            raise _too_deep(pointer)
        match node:
            case And(items) | Or(items):
                waiting.extend((item, depth + 1) for item in items)
                conditions += 1
            case Not(item):
                waiting.append((item, depth + 1))
            case Condition(_, op, given):
                conditions += len(given) if op in _ONE_BY_ONE else 1
                values += len(given)
            case _:
                raise InvalidFilter("A filter is made of And, Or, Not and Condition.", pointer=pointer)
        if conditions > MAX_CONDITIONS or values > MAX_VALUES:
            raise InvalidFilter(
                f"The filter has more than {MAX_CONDITIONS} conditions or {MAX_VALUES} values.",
                hint="Compare with a list of values instead of many conditions.",
                pointer=pointer,
            )


_ONE_BY_ONE = (Operator.CONTAINS_ANY, Operator.CONTAINS_ALL)


def _check(tree: Filter, gate: _Gate, pointer: str) -> Filter:
    match tree:
        case And(items):
            return And(tuple(_check(item, gate, f"{pointer}/and/{index}") for index, item in enumerate(items)))
        case Or(items):
            return Or(tuple(_check(item, gate, f"{pointer}/or/{index}") for index, item in enumerate(items)))
        case Not(item):
            return Not(_check(item, gate, f"{pointer}/not"))
        case Condition():
            return _check_condition(tree, gate, pointer)


def _check_condition(condition: Condition, gate: _Gate, pointer: str) -> Filter:
    field = find_unmasked(condition.field, gate.columns, gate.dataset, "filtered by", pointer)
    given = read_operator(condition.op, pointer)
    if given is Operator.INE and field.type is FieldType.LIST:
        return Not(_check_condition(Condition(field.name, Operator.IEQ, condition.values), gate, pointer))
    op = fitted(given, field, len(condition.values))
    if op not in operators_for(field):
        raise InvalidFilter(
            f"{field.name}: the operator does not go with {_a(field.type)}.",
            hint=f"Operators of {field.name}: {', '.join(spelled(operators_for(field)))}.",
            pointer=pointer,
        )
    _check_count(field, op, condition.values, pointer)
    values = tuple(_check_value(field, op, value, gate.zone, pointer) for value in condition.values)
    if field.type is FieldType.DATETIME and values:
        return _in_instants(field.name, op, values, gate.zone, pointer)
    return Condition(field.name, op, values)


def find_column(name: object, columns: Mapping[str, Column], dataset: str, pointer: str) -> Column:
    """The column of that field, or of a value inside a json or struct field; UnknownField names the nearest one.

    What lies inside a field is seen through the field's mask.
    """
    column = columns.get(name) if isinstance(name, str) else None
    led = follow(name, columns) if isinstance(name, str) and column is None and _is_text(name) else None
    if led is not None:
        outer = columns[led[0]]
        inner = inside(outer.field, led[1])
        if inner is not None:
            return Column(inner, mask=outer.mask)
        raise _nothing_inside(str(name), outer, pointer)
    if column is None:
        hint = did_you_mean(str(name), columns, "Fields")
        raise UnknownField(f"{dataset} has no field {str(name)[:80]!r}.", hint=hint, pointer=pointer)
    return column


def _nothing_inside(name: str, outer: Column, pointer: str) -> UnknownField:
    if outer.field.type is FieldType.LIST:
        detail = f"{name[:80]!r} is a part of the items of {outer.name}, and only a row has fields."
        hint = f"Expand {outer.name} to have a row an item; filters and orders go by what is outside it."
        return UnknownField(detail, hint=hint, pointer=pointer)
    known = [f"{outer.name}.{member.name}" for member in outer.field.fields]
    hint = did_you_mean(name, known, f"Inside {outer.name}")
    return UnknownField(f"{outer.name} has nothing inside called {name[:80]!r}.", hint=hint, pointer=pointer)


def _is_text(name: str) -> bool:
    """Whether a database can take it: a NUL and half a surrogate pair are characters of no text there."""
    return "\0" not in name and not any("\ud800" <= character <= "\udfff" for character in name)


def fields_of(tree: Filter) -> set[str]:
    """The names of the fields that the tree asks about."""
    if isinstance(tree, Condition):
        return {tree.field}
    items = (tree.item,) if isinstance(tree, Not) else tree.items
    return set().union(*(fields_of(item) for item in items))


def find_unmasked(name: object, columns: Mapping[str, Column], dataset: str, verb: str, pointer: str) -> Field:
    """The field, if the principal sees it unmasked: what is masked would be revealed by what is `verb` it.

    Raises UnknownField, or InvalidFilter for a masked one.
    """
    column = find_column(name, columns, dataset, pointer)
    if column.mask is not None:
        scope = column.field.unless_scope
        hint = f"A key with the scope {scope} sees it." if scope else "Choose another field."
        raise InvalidFilter(f"{column.name} is masked, so it cannot be {verb}.", hint=hint, pointer=pointer)
    return column.field


def _a(type_: FieldType) -> str:
    return f"{'an' if type_ is FieldType.INTEGER else 'a'} {type_.value} field"


def _check_count(field: Field, op: Operator, values: Sequence[object], pointer: str) -> None:
    arity = arity_of(op)
    count = len(values)
    fits = {Arity.NONE: count == 0, Arity.ONE: count == 1, Arity.SOME: count > 0, Arity.RANGE: count == 2}[arity]
    if op in _ONE_BY_ONE and count > MAX_CONDITIONS:
        raise InvalidFilter(f"{field.name}: more than {MAX_CONDITIONS} values.", pointer=pointer)
    if not fits or (arity is Arity.RANGE and values[0] is None and values[1] is None):
        raise InvalidFilter(
            f"{field.name}: the operator takes {arity.value}, not {count}.",
            hint="Give one value as `value`, several as `values`.",
            pointer=pointer,
        )


def _check_value(field: Field, op: Operator, value: object, zone: ZoneInfo, pointer: str) -> Value:
    if value is None and arity_of(op) is Arity.RANGE:
        return None
    type_ = field.items if field.type is FieldType.LIST and field.items else field.type
    try:
        typed = read_value(type_, value, zone)
    except (ValueError, ArithmeticError, TypeError):
        shown = "null" if value is None else repr(value)[:60]
        hint = f"{field.name} takes {EXPECTED[type_]}" + ("; or ask whether it is null." if value is None else ".")
        raise InvalidFilter(f"{field.name}: {shown} is a wrong value.", hint=hint, pointer=pointer) from None
    if field.values and op in _LISTED:
        _check_listed(field, op, str(typed), pointer)
    return typed


_EXACT = {Operator.EQ, Operator.NE, Operator.IN, Operator.NOT_IN}
_LISTED = {
    *_EXACT,
    *(Operator.IEQ, Operator.INE, Operator.CONTAINS_ANY, Operator.CONTAINS_ALL),
}


def _check_listed(field: Field, op: Operator, value: str, pointer: str) -> None:
    if value in field.values:
        return
    if op not in _EXACT and value.casefold() in (known.casefold() for known in field.values):
        return
    raise InvalidFilter(
        f"{field.name}: {value[:60]!r} is not one of its values.",
        hint=did_you_mean(value, field.values, "Values"),
        pointer=pointer,
    )


def _in_instants(name: str, op: Operator, values: tuple[Value, ...], zone: ZoneInfo, pointer: str) -> Filter:
    """A condition on a datetime in which no bare date is left: a day is a half-open range of instants."""
    if op in _OPPOSITES:
        if all(isinstance(value, datetime) for value in values) and op is not Operator.NOT_ON:
            return Condition(name, op, values)
        return Not(_in_instants(name, _OPPOSITES[op], values, zone, pointer))
    if op is Operator.ON:
        values = tuple(value.astimezone(zone).date() if isinstance(value, datetime) else value for value in values)
    days = [value for value in values if not isinstance(value, datetime)]
    if not any(days):
        return Condition(name, op, values)
    if len(days) > MAX_DEPTH * 3:
        raise InvalidFilter(f"{name}: too many days.", hint="Ask for a range of days.", pointer=pointer)
    return _DAYS[op](name, values, zone)


_OPPOSITES = {
    Operator.NE: Operator.EQ,
    Operator.NOT_IN: Operator.IN,
    Operator.NOT_ON: Operator.ON,
    Operator.NOT_BETWEEN: Operator.BETWEEN,
}


def _any_of(name: str, values: tuple[Value, ...], zone: ZoneInfo) -> Filter:
    instants = tuple(value for value in values if isinstance(value, datetime))
    days = [_within(name, (value, value), zone) for value in values if not isinstance(value, datetime)]
    items = (*days, Condition(name, Operator.IN, instants)) if instants else tuple(days)
    return items[0] if len(items) == 1 else Or(items)


def _within(name: str, values: tuple[Value, ...], zone: ZoneInfo) -> Filter:
    sides = [
        side(name, (value,), zone) for side, value in zip((_from, _up_to), values, strict=True) if value is not None
    ]
    return sides[0] if len(sides) == 1 else And(tuple(sides))


def _from(name: str, values: tuple[Value, ...], zone: ZoneInfo) -> Condition:
    return Condition(name, Operator.GTE, (_bound(values[0], day_start, zone),))


def _after(name: str, values: tuple[Value, ...], zone: ZoneInfo) -> Condition:
    op = Operator.GT if isinstance(values[0], datetime) else Operator.GTE
    return Condition(name, op, (_bound(values[0], day_end, zone),))


def _up_to(name: str, values: tuple[Value, ...], zone: ZoneInfo) -> Condition:
    op = Operator.LTE if isinstance(values[0], datetime) else Operator.LT
    return Condition(name, op, (_bound(values[0], day_end, zone),))


def _before(name: str, values: tuple[Value, ...], zone: ZoneInfo) -> Condition:
    return Condition(name, Operator.LT, (_bound(values[0], day_start, zone),))


def _bound(value: Value, edge: Callable[[date, ZoneInfo], datetime], zone: ZoneInfo) -> Value:
    return edge(value, zone) if isinstance(value, date) and not isinstance(value, datetime) else value


_DAYS: dict[Operator, Callable[[str, tuple[Value, ...], ZoneInfo], Filter]] = {
    Operator.EQ: _any_of,
    Operator.ON: _any_of,
    Operator.IN: _any_of,
    Operator.BETWEEN: _within,
    Operator.GT: _after,
    Operator.GTE: _from,
    Operator.LT: _before,
    Operator.LTE: _up_to,
}
