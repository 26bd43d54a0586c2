"""JSON conditions and hand-built trees: what they become, and what is refused with a way out."""

import re
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offtake.errors import InvalidFilter, UnknownField
from offtake.model.dataset import Field, FieldType, Mask
from offtake.model.export import Column
from offtake.model.filter import And, Condition, Filter, Not, Operator, Or
from offtake.query.filters import MAX_DEPTH, check_filter, parse_filter
from offtake.query.operators import NAMES, operators_for, read_operator, spelled
from query import rows
from query.trees import filters

T = FieldType
COLUMNS = (
    *(Column(field) for field in rows.FIELDS if field.mask is None),
    Column(Field("stage", T.STRING, "stage", "Stage", values=("Lead", "Client"))),
    Column(Field("labels", T.LIST, "labels", "Labels", items=T.STRING, values=("red", "green"))),
    Column(Field("shape", T.STRUCT, "shape", "Shape")),
    Column(Field("moments", T.LIST, "moments", "Moments", items=T.DATETIME)),
    Column(Field("taxId", T.STRING, "tax_id", "Tax id", unless_scope="pii:read"), mask=Mask.LAST4),
)


def checked(body: object, timezone: str = "UTC") -> Filter:
    return check_filter(parse_filter(body), COLUMNS, timezone, dataset="people")


def test_conditions_nest_in_and_or_and_not() -> None:
    body = {"and": [{"field": "id", "op": "eq", "value": 1}, {"or": []}, {"not": {"field": "name", "op": "isNull"}}]}
    name = Condition("name", Operator.IS_NULL)
    assert parse_filter(body) == And((Condition("id", Operator.EQ, (1,)), Or(()), Not(name)))


@pytest.mark.parametrize(
    ("op", "values", "meant"),
    [
        ("equals", ["Lead"], Operator.IEQ),
        ("notEquals", ["Lead"], Operator.INE),
        ("in", ["Lead", "Client"], Operator.IEQ),
        ("notIn", ["Lead"], Operator.INE),
        ("equals", ["Lead", "Client"], Operator.EQ),
        ("contains", ["Lead"], Operator.CONTAINS),
    ],
)
def test_equality_can_be_asked_for_in_any_case(op: str, values: list[str], meant: Operator) -> None:
    body = {"or": [{"not": {"and": [{"field": "stage", "op": op, "values": values}]}}]}
    said = Condition("stage", meant, tuple(values))
    assert parse_filter(body, any_case=True) == Or((Not(And((said,))),))
    assert parse_filter(body) == Or((Not(And((replace(said, op=read_operator(op)),))),))


ALIASES = {
    "equals eq is = == EQ Equals": Operator.EQ,
    "notEquals ne neq not isNot doesNotEqual NOT_EQUALS": Operator.NE,
    "in isAnyOf anyOf equalsAny": Operator.IN,
    "notIn nin noneOf isNoneOf not_in NOTIN": Operator.NOT_IN,
    "contains like ilk": Operator.CONTAINS,
    "notContains doesNotContain": Operator.NOT_CONTAINS,
    "startsWith sw prefix starts_with": Operator.STARTS_WITH,
    "endsWith ew suffix": Operator.ENDS_WITH,
    "greaterThan gt after": Operator.GT,
    "greaterThanOrEqual gte ge onOrAfter from": Operator.GTE,
    "lessThan lt before": Operator.LT,
    "lessThanOrEqual lte le onOrBefore to": Operator.LTE,
    "between btw range inRange": Operator.BETWEEN,
    "notBetween nbtw": Operator.NOT_BETWEEN,
    "isNull notExists": Operator.IS_NULL,
    "isNotNull exists": Operator.IS_NOT_NULL,
    "isEmpty blank": Operator.IS_EMPTY,
    "isNotEmpty notBlank": Operator.IS_NOT_EMPTY,
    "isTrue": Operator.IS_TRUE,
    "isFalse": Operator.IS_FALSE,
    "containsAny hasSome": Operator.CONTAINS_ANY,
    "containsAll hasEvery": Operator.CONTAINS_ALL,
    "dateIs on": Operator.ON,
    "dateIsNot notOn": Operator.NOT_ON,
    "ieq": Operator.IEQ,
    "ine": Operator.INE,
}


@pytest.mark.parametrize(("names", "operator"), ALIASES.items())
def test_an_operator_goes_by_all_its_names(names: str, operator: Operator) -> None:
    assert {read_operator(name) for name in names.split()} == {operator}


def test_no_two_operators_share_a_name() -> None:
    assert set(NAMES.values()) == set(Operator)


VALUES: list[tuple[str, Any, Any]] = [
    ("name", "12", "12"),
    ("id", "12", 12),
    ("id", " -3 ", -3),
    ("id", 12.0, 12),
    ("amount", "10.50", Decimal("10.50")),
    ("amount", 0.1, Decimal("0.1")),
    ("amount", "1e3", Decimal("1e3")),
    ("score", "12.5", 12.5),
    ("score", 3, 3.0),
    ("active", "TRUE", True),
    ("active", False, False),
    ("born", "2026-05-01", date(2026, 5, 1)),
    ("seenAt", "2026-05-01T10:00:00Z", datetime(2026, 5, 1, 10, tzinfo=UTC)),
    ("seenAt", "2026-05-01T10:00:00+02:00", datetime(2026, 5, 1, 8, tzinfo=UTC)),
    ("opens", "09:30", time(9, 30)),
    ("uid", rows.UIDS[0].upper(), rows.UIDS[0]),
    ("stage", "Lead", "Lead"),
]


@pytest.mark.parametrize(("field", "sent", "typed"), VALUES)
def test_a_value_takes_the_type_of_its_field(field: str, sent: Any, typed: Any) -> None:
    tree = checked({"field": field, "op": "eq", "value": sent})
    assert tree == Condition(field, Operator.EQ, (typed,))
    assert type(tree.values[0]) is type(typed)  # type: ignore[union-attr]


WRONG: list[tuple[str, str, Any]] = [
    ("name", "eq", True),
    ("name", "eq", 12),
    ("name", "eq", "a\0b"),
    ("name", "contains", "\ud800"),
    ("id", "eq", "twelve"),
    ("id", "eq", 1.5),
    ("id", "eq", True),
    ("id", "gt", 2**63),
    ("id", "eq", float("nan")),
    ("id", "eq", [[1]]),
    ("id", "eq", {"a": 1}),
    ("id", "eq", None),
    ("amount", "eq", "1_000"),
    ("amount", "eq", "NaN"),
    ("amount", "eq", "1e9999"),
    ("score", "eq", "inf"),
    ("score", "eq", 10**400),
    ("active", "eq", "yes"),
    ("active", "eq", 1),
    ("born", "eq", "31/05/2026"),
    ("born", "eq", "2026-05-01T00:00:00Z"),
    ("seenAt", "eq", 1_700_000_000),
    ("seenAt", "gt", "yesterday-ish"),
    ("seenAt", "eq", "0001-01-01T00:00:00+14:00"),
    ("opens", "eq", "25:00"),
    ("uid", "eq", "123"),
    ("stage", "eq", "lead"),
    ("stage", "ieq", "prospect"),
    ("labels", "containsAny", "blue"),
    ("sizes", "contains", "big"),
]


@pytest.mark.parametrize(("field", "op", "sent"), WRONG)
def test_a_wrong_value_names_the_field_and_what_would_do_but_not_our_word_for_the_operator(
    field: str, op: str, sent: Any
) -> None:
    with pytest.raises(InvalidFilter) as caught:
        checked({"and": [{"field": field, "op": op, "value": sent}]})
    assert caught.value.detail.startswith(f"{field}: ")
    assert caught.value.hint
    assert not re.search(r"\b(i?eq|gt)\b", caught.value.detail + caught.value.hint)
    assert caught.value.problems[0][0] == "/filter/and/0"


REFUSED: list[tuple[object, str]] = [
    ([], "an object"),
    ("id:1", "an object"),
    ({}, "names its field"),
    ({"field": "id"}, "names its field"),
    ({"field": 1, "op": "eq"}, "names its field"),
    ({"field": "id", "operator": "eq", "value": 1}, "no key 'operator'"),
    ({"field": "id", "op": "eq", "value": 1, "values": [1]}, "not both"),
    ({"field": "id", "op": "equalz", "value": 1}, "no operator 'equalz'"),
    ({"and": {}}, "a list"),
    ({"and": [], "or": []}, "'and' stands alone"),
    ({"field": "id", "op": "eq", "value": 1, "Not": {}}, "'Not' stands alone"),
    ({"field": "id", "op": "eq"}, "takes one value, not 0"),
    ({"field": "id", "op": "eq", "values": [1, 2]}, "takes one value, not 2"),
    ({"field": "id", "op": "between", "values": [1]}, "two values"),
    ({"field": "id", "op": "between", "values": [None, None]}, "two values"),
    ({"field": "id", "op": "in", "values": []}, "one value or more"),
    ({"field": "id", "op": "isNull", "value": 1}, "no value"),
    ({"field": "id", "op": "contains", "value": "1"}, "id: .*go with an integer field"),
    ({"field": "name", "op": "gt", "value": "a"}, "name: .*go with a string field"),
    ({"field": "extra", "op": "eq", "value": "a"}, "extra: .*go with a json field"),
    ({"field": "shape", "op": "eq", "value": "a"}, "shape: .*go with a struct field"),
    ({"field": "tags", "op": "eq", "value": "a"}, "tags: .*go with a list field"),
    ({"field": "moments", "op": "contains", "value": "a"}, "moments: .*go with a list field"),
    ({"field": "taxId", "op": "eq", "value": "1"}, "masked"),
    ({"field": "id", "op": "in", "values": list(range(10_001))}, "more than"),
]


@pytest.mark.parametrize(("body", "complaint"), REFUSED)
def test_a_wrong_condition_is_refused_with_a_pointer(body: object, complaint: str) -> None:
    with pytest.raises(InvalidFilter, match=complaint) as caught:
        checked(body)
    assert caught.value.problems[0][0].startswith("/filter")


def test_an_unknown_field_names_the_nearest() -> None:
    with pytest.raises(UnknownField, match="people has no field 'nmae'") as caught:
        checked({"field": "nmae", "op": "eq", "value": "x"})
    assert caught.value.hint.startswith("Did you mean name? Fields: id, name")


def test_an_unknown_operator_names_the_nearest() -> None:
    with pytest.raises(InvalidFilter) as caught:
        parse_filter({"field": "a", "op": "startswit", "value": "x"})
    assert caught.value.detail == "There is no operator 'startswit' for 'a'."
    assert caught.value.hint.startswith("Did you mean startsWith? Operators: equals, notEquals, ")


def test_operators_are_listed_by_names_that_every_api_takes() -> None:
    names = spelled(Operator)
    assert [read_operator(name) for name in names] == list(Operator)
    assert {"in", "notIn", "isNull", "greaterThanOrEqual", "dateIs"} < set(names)
    with pytest.raises(InvalidFilter) as caught:
        checked({"field": "uid", "op": "gt", "value": rows.UIDS[0]})
    assert caught.value.hint == "Operators of uid: equals, notEquals, in, notIn, isNull, isNotNull."


def test_null_as_a_value_is_refused_in_nobodys_words() -> None:
    with pytest.raises(InvalidFilter) as caught:
        checked({"field": "stage", "op": "eq", "value": None})
    told = ("stage: null is a wrong value.", "stage takes text; or ask whether it is null.")
    assert (caught.value.detail, caught.value.hint) == told


def test_elements_of_a_list_are_among_its_values_in_any_case() -> None:
    tree = checked({"field": "labels", "op": "containsAny", "values": ["RED", "green"]})
    assert tree == Condition("labels", Operator.CONTAINS_ANY, ("RED", "green"))


def test_one_value_may_come_in_a_list_and_a_list_may_hold_one() -> None:
    assert checked({"field": "id", "op": "eq", "values": ["7"]}) == Condition("id", Operator.EQ, (7,))
    assert checked({"field": "name", "op": "in", "value": "a,b"}) == Condition("name", Operator.IN, ("a,b",))
    assert checked({"field": "id", "op": "in", "value": [1, "2"]}) == Condition("id", Operator.IN, (1, 2))
    assert checked({"field": "id", "op": "isNull", "value": None}) == Condition("id", Operator.IS_NULL)


def test_case_matters_to_text_alone() -> None:
    assert checked({"field": "id", "op": "ieq", "value": "1"}) == Condition("id", Operator.EQ, (1,))
    assert checked({"field": "id", "op": "ine", "values": [1, 2]}) == Condition("id", Operator.NOT_IN, (1, 2))
    assert checked({"field": "stage", "op": "ieq", "value": "lead"}) == Condition("stage", Operator.IEQ, ("lead",))
    assert checked({"field": "tags", "op": "ieq", "value": "a"}) == Condition("tags", Operator.CONTAINS_ANY, ("a",))
    assert checked({"field": "tags", "op": "ine", "value": "a"}) == Not(
        Condition("tags", Operator.CONTAINS_ANY, ("a",))
    )


DAY = datetime(2026, 5, 1, 4, tzinfo=UTC), datetime(2026, 5, 2, 4, tzinfo=UTC)
WHOLE = And((Condition("seenAt", Operator.GTE, DAY[:1]), Condition("seenAt", Operator.LT, DAY[1:])))
DAYS: dict[str, Filter] = {
    "eq": WHOLE,
    "on": WHOLE,
    "ne": Not(WHOLE),
    "not_on": Not(WHOLE),
    "gt": Condition("seenAt", Operator.GTE, DAY[1:]),
    "gte": Condition("seenAt", Operator.GTE, DAY[:1]),
    "lt": Condition("seenAt", Operator.LT, DAY[:1]),
    "lte": Condition("seenAt", Operator.LT, DAY[1:]),
}


@pytest.mark.parametrize(("op", "tree"), DAYS.items())
def test_a_date_on_an_instant_is_that_whole_day_in_the_zone(op: str, tree: Filter) -> None:
    assert checked({"field": "seenAt", "op": op, "value": "2026-05-01"}, "America/Santiago") == tree


def test_between_two_dates_covers_the_last_day() -> None:
    tree = checked({"field": "seenAt", "op": "between", "values": ["2026-04-30", "2026-05-01"]}, "America/Santiago")
    start = datetime(2026, 4, 30, 4, tzinfo=UTC)
    assert tree == And((Condition("seenAt", Operator.GTE, (start,)), Condition("seenAt", Operator.LT, DAY[1:])))


def test_a_day_that_begins_at_one_o_clock_begins_there() -> None:
    tree = checked({"field": "seenAt", "op": "gte", "value": "2026-09-06"}, "America/Santiago")
    assert tree == Condition("seenAt", Operator.GTE, (datetime(2026, 9, 6, 4, tzinfo=UTC),))


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
@pytest.mark.parametrize("op", [*DAYS, "in"])
def test_the_first_and_the_last_day_there_is_are_days_too(day: str, op: str) -> None:
    checked({"field": "seenAt", "op": op, "value": day}, "Pacific/Kiritimati")


def test_a_tree_built_by_hand_goes_through_the_same_gate() -> None:
    tree = Or((Condition("born", "gte", (date(2026, 1, 1),)), Not(Condition("active", Operator.IS_TRUE))))  # type: ignore[arg-type]
    typed = Or((Condition("born", Operator.GTE, (date(2026, 1, 1),)), Not(Condition("active", Operator.IS_TRUE))))
    assert check_filter(tree, COLUMNS) == typed
    with pytest.raises(InvalidFilter):
        check_filter("id = 1", COLUMNS)  # type: ignore[arg-type]


def test_ten_thousand_nested_nots_are_refused_not_followed() -> None:
    tree: Filter = Condition("id", Operator.IS_NULL)
    body: object = {"field": "id", "op": "is_null"}
    for _ in range(10_000):
        tree, body = Not(tree), {"not": body}
    for attempt in (lambda: check_filter(tree, COLUMNS), lambda: parse_filter(body)):
        with pytest.raises(InvalidFilter, match=f"deeper than {MAX_DEPTH}"):
            attempt()


def test_ten_thousand_conditions_are_refused() -> None:
    with pytest.raises(InvalidFilter, match="more than 300 conditions"):
        check_filter(And((Condition("id", Operator.IS_NULL),) * 10_000), COLUMNS)


@given(filters())
def test_checking_twice_changes_nothing(tree: Filter) -> None:
    once = check_filter(tree, COLUMNS, rows.ZONE)
    assert check_filter(once, COLUMNS, rows.ZONE) == once


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["field", "op", "value", "values", "and", "or", "not", "x"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)
json_conditions = st.fixed_dictionaries(
    {"field": st.sampled_from([column.name for column in COLUMNS]), "op": st.sampled_from(sorted(NAMES))},
    optional={"value": json_values},
)


@given(json_values | json_conditions)
def test_any_json_is_a_filter_or_an_expected_error(body: object) -> None:
    with suppress(InvalidFilter, UnknownField):
        checked(body)


@pytest.mark.parametrize("type_", list(FieldType))
def test_every_type_has_operators(type_: FieldType) -> None:
    assert operators_for(Field("x", type_, "x", "X", items=T.STRING))[-1] is Operator.IS_NOT_NULL
