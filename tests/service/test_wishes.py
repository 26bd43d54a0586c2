"""Wishes that foreign clients write in their own way."""

from typing import Any

import pytest

from offtake.errors import InvalidFilter
from offtake.model.dataset import FieldType
from offtake.model.filter import Condition, Filter, Operator, Or
from offtake.service.datasets import FieldView
from offtake.service.wishes import match_any


def view(name: str, type: FieldType) -> FieldView:
    return FieldView(name, name, type, nullable=True, operators=())


ID, NAME, NUMBER = (
    view("case_id", FieldType.UUID),
    view("case_name", FieldType.STRING),
    view("case_number", FieldType.INTEGER),
)
KEY = "6f1f7a52-1c0d-4e8b-9a53-2b7c9d40e611"


@pytest.mark.parametrize(
    ("fields", "values", "found"),
    [
        ([NAME], ["Smith"], Condition("case_name", Operator.IEQ, ("Smith",))),
        ([NAME], ["Smith", "Jones"], Condition("case_name", Operator.IEQ, ("Smith", "Jones"))),
        ([ID, NAME], ["Smith"], Condition("case_name", Operator.IEQ, ("Smith",))),
        ([NUMBER, NAME], [7], Condition("case_number", Operator.IEQ, (7,))),
        (
            [ID, NAME],
            [KEY, "Smith"],
            Or((Condition("case_id", Operator.IEQ, (KEY,)), Condition("case_name", Operator.IEQ, (KEY, "Smith")))),
        ),
    ],
)
def test_a_value_is_looked_for_in_every_field_that_could_hold_it(
    fields: list[FieldView], values: list[Any], found: Filter
) -> None:
    assert match_any(fields, values) == found


@pytest.mark.parametrize("value", [None, True, {}, [], "Smith", "\ud800"])
def test_a_value_that_no_field_could_hold_is_refused(value: Any) -> None:
    with pytest.raises(InvalidFilter, match="no value"):
        match_any([ID, NUMBER, view("tags", FieldType.LIST)], [KEY, value])


def test_nothing_to_compare_is_refused() -> None:
    for fields, values in (([], ["Smith"]), ([NAME], [])):
        with pytest.raises(InvalidFilter, match="nothing to compare"):
            match_any(fields, values)
