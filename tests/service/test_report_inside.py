"""Reports on values inside json columns, and on fields a tenant added, on four databases."""

from typing import Any

import pytest

from offtake.errors import InvalidRequest
from offtake.model.export import DatePart, ExportRequest, Grouping, Measure, MeasureFn
from offtake.model.ports import Stop
from offtake.service.reports import report_result
from offtake.service.runtime import Runtime
from service.shaped import AMOUNT, READER, RISK

F = MeasureFn


def result(runtime: Runtime, **wish: Any) -> Any:
    return report_result(runtime, READER, ExportRequest("orders", **wish), stop=Stop())


def counts(runtime: Runtime, name: str, part: DatePart | None = None) -> dict[str | None, int]:
    return {entry["key"]: entry["value"] for entry in result(runtime, group_by=(Grouping(name, part),))}


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("info/address/country", {"CL": 1, "DE": 1, None: 3}),
        ("info.paid", {"false": 1, "true": 1, None: 3}),
        ("info.count", {"3": 1, "20": 1, None: 3}),
        (f"custom:cf_{RISK}", {"HIGH": 1, "low": 1, None: 3}),
    ],
)
def test_rows_are_grouped_by_what_lies_inside(runtime: Runtime, field: str, expected: dict[str | None, int]) -> None:
    assert counts(runtime, field) == expected


def test_dates_inside_are_divided(runtime: Runtime) -> None:
    assert counts(runtime, "info.day", DatePart.MONTH) == {"2026-04-01": 1, "2026-05-01": 1, None: 3}
    assert counts(runtime, "info.when", DatePart.DAY) == {"2026-05-01": 2, None: 3}


def test_numbers_inside_are_measured(runtime: Runtime) -> None:
    names = ("info.amount", "info.count", f"custom:cf_{AMOUNT}")
    for fn, expected in ((F.SUM, [21.5, 23, 19.5]), (F.MEDIAN, [10.75, 11.5, 9.75]), (F.COUNT, [2, 2, 2])):
        assert result(runtime, measures=tuple(Measure(fn, name) for name in names)) == expected


def test_mysql_says_when_it_cannot_follow_clocks_into_a_column(runtime: Runtime) -> None:
    wish = {"group_by": (Grouping("info.when", DatePart.DAY),), "timezone": "America/Santiago"}
    if runtime.sources["db"].__class__.__name__ != "DatabaseSource":
        assert [entry["key"] for entry in result(runtime, **wish)] == ["2026-05-01", None]
        return
    with pytest.raises(InvalidRequest) as caught:
        result(runtime, **wish)
    assert "info.when" in caught.value.detail
