"""Wishes written down and read again."""

import dataclasses
import json
from datetime import datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from offtake.model.dataset import FieldType, Sort
from offtake.model.export import (
    Column,
    DatePart,
    DateRange,
    ExportRequest,
    FieldChoice,
    Grouping,
    Measure,
    MeasureFn,
)
from offtake.model.filter import And, Condition, Filter, Not, Operator, Or
from offtake.query.filters import check_filter
from offtake.query.stored import read_request, request_json
from query import rows, trees

TEXTS = st.text(max_size=12) | st.sampled_from(["", "\x00", "ü\u202e", "\ud800", '"\\', "and", "{}"])
ABSENT = st.none()
WHOLE = st.integers(1, 2**53)
# What JSON can hold, as bodies and query strings bring it; lists and objects are refused later, not here.
SCALARS = ABSENT | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3))


def filters() -> st.SearchStrategy[Filter]:
    """Trees of any shape, sensible or not."""
    conditions = st.builds(Condition, TEXTS, st.sampled_from(Operator), st.lists(JSON, max_size=3).map(tuple))
    return st.recursive(
        conditions,
        lambda inner: (
            st.lists(inner, max_size=3).map(tuple).map(And)
            | st.lists(inner, max_size=3).map(tuple).map(Or)
            | inner.map(Not)
        ),
        max_leaves=8,
    )


LABELS = ABSENT | TEXTS | st.dictionaries(TEXTS, TEXTS, max_size=3)
CHOICES = st.builds(FieldChoice, TEXTS, LABELS, ABSENT | TEXTS, ABSENT | st.sampled_from(FieldType))
WISHES: dict[str, st.SearchStrategy[Any]] = {
    "dataset": TEXTS,
    "format": TEXTS,
    "fields": ABSENT | st.lists(CHOICES, max_size=4).map(tuple),
    "filter": ABSENT | filters(),
    "sort": ABSENT | st.lists(st.builds(Sort, TEXTS, st.booleans()), max_size=3).map(tuple),
    "q": TEXTS,
    "date_range": ABSENT | st.builds(DateRange, ABSENT | TEXTS, ABSENT | TEXTS, ABSENT | TEXTS, st.booleans()),
    "limit": ABSENT | WHOLE,
    "locale": ABSENT | TEXTS,
    "timezone": ABSENT | TEXTS,
    "filename": ABSENT | TEXTS,
    "options": st.dictionaries(TEXTS, JSON, max_size=4),
    "compression": TEXTS,
    "expand": ABSENT | TEXTS,
    "schema": ABSENT | TEXTS,
    "include_all_custom_fields": st.booleans(),
    "allow_empty": st.booleans(),
    "part_rows": ABSENT | WHOLE,
    "part_bytes": ABSENT | WHOLE,
    "parts_if_needed": st.booleans(),
    "top": ABSENT | WHOLE,
    "group_by": st.lists(
        st.builds(Grouping, TEXTS, ABSENT | st.sampled_from(DatePart), ABSENT | TEXTS), max_size=3
    ).map(tuple),
    "measures": st.lists(
        st.builds(Measure, st.sampled_from(MeasureFn), ABSENT | TEXTS, ABSENT | TEXTS), max_size=4
    ).map(tuple),
}


def test_every_part_of_a_wish_is_drawn_here() -> None:
    assert {field.name for field in dataclasses.fields(ExportRequest)} == set(WISHES)


@given(st.builds(ExportRequest, **WISHES))
def test_a_wish_survives_being_kept(wish: ExportRequest) -> None:
    kept = json.dumps(request_json(wish))
    assert read_request(json.loads(kept)) == wish
    assert json.dumps(request_json(read_request(json.loads(kept)))) == kept


@given(trees.filters())
def test_a_filter_of_typed_values_means_the_same_after_being_kept(tree: Filter) -> None:
    kept = read_request(json.loads(json.dumps(request_json(ExportRequest("people", filter=tree)))))
    assert kept.filter is not None
    columns = [Column(field) for field in rows.FIELDS]
    assert check_filter(kept.filter, columns, rows.ZONE) == check_filter(tree, columns, rows.ZONE)


def test_an_instant_without_a_zone_stays_without_one() -> None:
    tree = Condition("seenAt", Operator.GT, (datetime(2026, 4, 5, 23, 30),))  # noqa: DTZ001
    assert request_json(ExportRequest("people", filter=tree))["filter"]["values"] == ["2026-04-05T23:30:00"]


def test_what_stands_at_its_default_is_not_kept() -> None:
    assert request_json(ExportRequest("orders")) == {"dataset": "orders"}


def test_a_wish_is_kept_in_plain_words() -> None:
    wish = ExportRequest(
        "orders",
        fields=(FieldChoice("id"), FieldChoice("total", "Total")),
        filter=Not(Condition("status", Operator.EQ, ("paid",))),
        sort=(Sort("id", descending=True),),
        part_rows=5,
    )
    assert request_json(wish) == {
        "dataset": "orders",
        "part_rows": 5,
        "fields": [
            {"field": "id", "label": None, "group": None},
            {"field": "total", "label": "Total", "group": None},
        ],
        "filter": {"not": {"field": "status", "op": "eq", "values": ["paid"]}},
        "sort": [{"field": "id", "descending": True}],
    }
