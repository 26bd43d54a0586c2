"""A filter shown again is the filter that came in."""

from datetime import UTC, datetime
from decimal import Decimal

from offtake.model.filter import And, Condition, Not, Operator, Or
from offtake.query.filters import parse_filter
from offtake.query.shown import filter_json, filter_text

TREE = And(
    (
        Condition("stage", Operator.IN, ("Lead", "Client")),
        Or((Condition("total", Operator.GTE, (10,)), Not(Condition("note", Operator.IS_NULL)))),
    )
)


def test_shown_as_json_it_parses_back() -> None:
    assert parse_filter(filter_json(TREE)) == TREE


def test_instants_and_decimals_are_shown_as_text() -> None:
    shown = filter_json(Condition("x", Operator.BETWEEN, (datetime(2026, 5, 1, tzinfo=UTC), Decimal("1.10"))))
    assert shown["values"] == ["2026-05-01T00:00:00Z", "1.10"]


def test_for_people_it_is_one_line() -> None:
    assert filter_text(TREE) == "stage in Lead, Client and (total ≥ 10 or (not note is null))"
    assert filter_text(None) == ""
