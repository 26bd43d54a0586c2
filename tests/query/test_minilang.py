"""The mini-language: what it means, what it refuses, and that it says every tree it can write."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offtake.errors import InvalidFilter
from offtake.model.filter import And, Condition, Filter, Operator, Or
from offtake.query.minilang import parse_minilang


def c(field: str, op: Operator, *values: str | None) -> Condition:
    return Condition(field, op, values)


MEANINGS: dict[str, Filter] = {
    "status:paid": c("status", Operator.IEQ, "paid"),
    "status:paid;country:US,CA": And((c("status", Operator.IEQ, "paid"), c("country", Operator.IEQ, "US", "CA"))),
    "total:10..": c("total", Operator.BETWEEN, "10", None),
    "total:..20": c("total", Operator.BETWEEN, None, "20"),
    "total:10..20": c("total", Operator.BETWEEN, "10", "20"),
    "total:0.5..1.5": c("total", Operator.BETWEEN, "0.5", "1.5"),
    "total:!10..20": c("total", Operator.NOT_BETWEEN, "10", "20"),
    "createdTime:2021-02-14T13:30:00Z": c("createdTime", Operator.IEQ, "2021-02-14T13:30:00Z"),
    "createdTime:2021-02-14T13:30:00Z..": c("createdTime", Operator.BETWEEN, "2021-02-14T13:30:00Z", None),
    "firstName:!John": c("firstName", Operator.INE, "John"),
    "firstName:!John,!Bob": c("firstName", Operator.INE, "John", "Bob"),
    "firstName:!John,Bob": c("firstName", Operator.INE, "John", "Bob"),
    "billingAddress.country:US": c("billingAddress.country", Operator.IEQ, "US"),
    "a:1,5..7,null": Or((c("a", Operator.IEQ, "1"), c("a", Operator.BETWEEN, "5", "7"), c("a", Operator.IS_NULL))),
    "a:!1,!5..7": And((c("a", Operator.INE, "1"), c("a", Operator.NOT_BETWEEN, "5", "7"))),
    "a:null": c("a", Operator.IS_NULL),
    "a:!null": c("a", Operator.IS_NOT_NULL),
    'a:"null"': c("a", Operator.IEQ, "null"),
    'a:""': c("a", Operator.IEQ, ""),
    'a:"x,y;z:.."': c("a", Operator.IEQ, "x,y;z:.."),
    r"a:x\,y\;z\.\.": c("a", Operator.IEQ, "x,y;z.."),
    r'a:"\"\\"': c("a", Operator.IEQ, '"\\'),
    r"a:\!x": c("a", Operator.IEQ, "!x"),
    r'custom\:cf_1:x;"custom:cf_2":y': And((c("custom:cf_1", Operator.IEQ, "x"), c("custom:cf_2", Operator.IEQ, "y"))),
    "custom:cf_1:x;custom:cf": And((c("custom:cf_1", Operator.IEQ, "x"), c("custom", Operator.IEQ, "cf"))),
    " a : x y , z ; ": c("a", Operator.IEQ, "x y", "z"),
    'a:" x "': c("a", Operator.IEQ, " x "),
    "a:b:c": c("a", Operator.IEQ, "b:c"),
    "": And(()),
}


@pytest.mark.parametrize(("text", "tree"), MEANINGS.items())
def test_it_means(text: str, tree: Filter) -> None:
    assert parse_minilang(text) == tree


REFUSED = {
    "status": "At character 6",
    ":x": "At character 1",
    "a:": "At character 3",
    "a:1,,2": "a value is missing",
    "a:..": "At character 3",
    'a:"x': "At character 3",
    "a:x\\": "At character 4",
    "a:@vip": "no lists are configured",
    "a:!@vip": "no lists are configured",
    "a:1,!2": "At character 5",
    "a:!": "a value is missing",
}


@pytest.mark.parametrize(("text", "complaint"), REFUSED.items())
def test_it_refuses_and_says_where(text: str, complaint: str) -> None:
    with pytest.raises(InvalidFilter, match=complaint) as caught:
        parse_minilang(text)
    assert caught.value.hint


@given(st.text(max_size=60))
def test_any_text_is_a_filter_or_refused(text: str) -> None:
    with suppress(InvalidFilter):
        parse_minilang(text)


def write(tree: Filter) -> str:
    """A text that means the tree, for those trees that the language can say."""
    match tree:
        case And(items) if not items or len({_field(item) for item in items}) == len(items):
            return ";".join(write(item) for item in items)
        case And(items) | Or(items):
            parts = [write(item) for item in items]
            return parts[0] + "".join("," + part.split(":", 1)[1] for part in parts[1:])
        case Condition(field, op, values):
            mark = "!" if op in (Operator.INE, Operator.NOT_BETWEEN, Operator.IS_NOT_NULL) else ""
            return f"{field}:{_values(op, values, mark)}"
    raise AssertionError(tree)


def _field(tree: Filter) -> str:
    return tree.field if isinstance(tree, Condition) else _field(tree.items[0])  # type: ignore[union-attr]


def _values(op: Operator, values: tuple[object, ...], mark: str) -> str:
    if not values:
        return f"{mark}null"
    said = ["" if value is None else _quoted(str(value)) for value in values]
    if op in (Operator.BETWEEN, Operator.NOT_BETWEEN):
        return f"{mark}{said[0]}..{said[1]}"
    return ",".join(mark + each for each in said)


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


texts = st.text(max_size=8)
sides = st.tuples(st.none() | texts, st.none() | texts).filter(lambda pair: pair != (None, None))


@st.composite
def clauses(draw: st.DrawFn, field: str) -> Filter:
    negated = draw(st.booleans())
    literals = tuple(draw(st.lists(texts, max_size=3)))
    ranges = [
        Condition(field, Operator.NOT_BETWEEN if negated else Operator.BETWEEN, pair)
        for pair in draw(st.lists(sides, max_size=2))
    ]
    nulls = [Condition(field, Operator.IS_NOT_NULL if negated else Operator.IS_NULL)] if draw(st.booleans()) else []
    all_of_it = [
        *([Condition(field, Operator.INE if negated else Operator.IEQ, literals)] if literals else []),
        *ranges,
        *nulls,
    ]
    if not all_of_it:
        return Condition(field, Operator.IS_NULL)
    if len(all_of_it) == 1:
        return all_of_it[0]
    return And(tuple(all_of_it)) if negated else Or(tuple(all_of_it))


@given(
    st.lists(st.sampled_from("abcd"), unique=True).flatmap(lambda names: st.tuples(*(clauses(name) for name in names)))
)
def test_what_is_written_is_read_back(parts: tuple[Filter, ...]) -> None:
    tree = parts[0] if len(parts) == 1 else And(parts)
    assert parse_minilang(write(tree)) == tree
