"""What a report may ask: names, types and masks are proven before a source hears of it."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from offtake.errors import InvalidRequest, UnknownField
from offtake.model.access import Principal
from offtake.model.dataset import FieldType, Mask, Sort
from offtake.model.export import DatePart, ExportRequest, FieldChoice, Grouping, Measure, MeasureFn, Plan
from offtake.query.groups import MOST_GROUPINGS
from offtake.query.plan import plan_export
from offtake.query.sql import build_select
from query import rows

NOW = datetime(2026, 4, 5, 12, tzinfo=UTC)
READER = Principal("p", "acme")
SUM = MeasureFn.SUM


def planned(principal: Principal = READER, dataset: Any = rows.TABLE, **wish: Any) -> Plan:
    return plan_export(dataset, ExportRequest("people", **wish), principal, NOW)


def refusal(**wish: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        planned(**wish)
    assert caught.value.hint
    return caught.value


def test_a_report_has_the_columns_of_its_keys_and_then_of_its_measures() -> None:
    plan = planned(
        group_by=(Grouping("name"), Grouping("seenAt", DatePart.MONTH, "Month")),
        measures=(Measure(MeasureFn.COUNT), Measure(SUM, "amount", "Total"), Measure(MeasureFn.AVG, "id")),
    )
    assert [(column.name, column.type, column.label) for column in plan.file_columns] == [
        ("name", FieldType.STRING, None),
        ("seenAt_month", FieldType.DATE, "Month"),
        ("count", FieldType.INTEGER, None),
        ("sum_amount", FieldType.DECIMAL, "Total"),
        ("avg_id", FieldType.NUMBER, None),
    ]
    assert [column.field.label for column in plan.columns][1:4] == ["Seen at (month)", "Count", "Sum of Amount"]


def test_groups_alone_are_counted() -> None:
    assert [column.name for column in planned(group_by=(Grouping("active"),)).columns] == ["active", "count"]


def test_the_order_ends_with_the_keys() -> None:
    groups = (Grouping("name"), Grouping("active"))
    assert [key.column for key in planned(group_by=groups).order] == ["name", "active"]
    order = planned(group_by=groups, sort=(Sort("count", descending=True), Sort("active"))).order
    assert [(key.column, key.descending) for key in order] == [("count", True), ("active", False), ("name", False)]


def test_a_column_named_like_another_gets_a_number() -> None:
    named = replace(rows.TABLE, fields=(*rows.FIELDS, replace(rows.FIELDS[0], name="count", column="count")))
    plan = planned(dataset=named, group_by=(Grouping("count"),))
    assert [column.name for column in plan.columns] == ["count", "count_2"]


@pytest.mark.parametrize(
    ("wish", "pointer"),
    [
        ({"group_by": (Grouping("taxId"),)}, "/group_by/0"),
        ({"measures": (Measure(MeasureFn.COUNT), Measure(MeasureFn.COUNT_DISTINCT, "taxId"))}, "/measures/1"),
        ({"measures": (Measure(MeasureFn.COUNT, "taxId"),)}, "/measures/0"),
        ({"measures": (Measure(MeasureFn.MAX, "taxId"),)}, "/measures/0"),
    ],
)
def test_what_is_masked_is_neither_grouped_nor_measured(wish: Any, pointer: str) -> None:
    error = refusal(**wish)
    assert "masked" in error.detail
    assert error.problems[0][0] == pointer
    planned(Principal("p", "acme", frozenset({"pii:read"})), **wish)


def test_a_hidden_field_does_not_exist_for_a_report() -> None:
    hidden = replace(rows.TABLE, fields=tuple(replace(f, mask=Mask.HIDE) if f.mask else f for f in rows.FIELDS))
    with pytest.raises(UnknownField):
        planned(dataset=hidden, group_by=(Grouping("taxId"),))


@pytest.mark.parametrize(
    "wish",
    [
        {"group_by": (Grouping("extra"),)},
        {"group_by": (Grouping("tags"),)},
        {"group_by": (Grouping("name", DatePart.MONTH),)},
        {"group_by": (Grouping("born", DatePart.HOUR),)},
        {"group_by": (Grouping("seenAt", "decade"),)},  # type: ignore[arg-type]
        {"measures": (Measure(SUM, "name"),)},
        {"measures": (Measure(SUM),)},
        {"measures": (Measure(MeasureFn.MEDIAN, "seenAt"),)},
        {"measures": (Measure(MeasureFn.MIN, "extra"),)},
        {"measures": (Measure(MeasureFn.MAX, "active"),)},
        {"measures": (Measure("total", "amount"),)},  # type: ignore[arg-type]
        {"group_by": (Grouping("name"), Grouping("name", label="Again"))},
        {"measures": (Measure(SUM, "id"), Measure(SUM, "id"))},
        {"group_by": (Grouping("id"),) * (MOST_GROUPINGS + 1)},
        {"group_by": (Grouping("name"),), "fields": (FieldChoice("id"),)},
        {"group_by": (Grouping("name"),), "expand": "tags"},
        {"group_by": (Grouping("name"),), "sort": (Sort("amount"),)},
        {"top": 5},
        {"group_by": (Grouping("name"),), "top": 0},
        {"group_by": (Grouping("amount"),), "top": 3},
        {"group_by": (Grouping("seenAt", DatePart.HOUR),), "top": 3},
    ],
)
def test_what_cannot_be_grouped_or_measured_so_is_refused_with_a_way_out(wish: Any) -> None:
    assert refusal(**wish).problems


def test_an_unknown_field_names_the_nearest() -> None:
    with pytest.raises(UnknownField) as caught:
        planned(group_by=(Grouping("nmae"),))
    assert "name" in caught.value.hint


def test_a_database_without_words_for_zones_refuses_parts_of_dates() -> None:
    with pytest.raises(InvalidRequest) as caught:
        build_select(planned(group_by=(Grouping("seenAt", DatePart.WEEK),)), "oracle")
    assert "week" in caught.value.detail
    assert "here" in caught.value.detail
    build_select(planned(group_by=(Grouping("name"),), measures=(Measure(MeasureFn.MEDIAN, "id"),)), "oracle")
