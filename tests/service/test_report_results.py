"""Reports through the service: one JSON value, a first look, a count, and every format."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from offtake.encode import FORMATS
from offtake.errors import InvalidRequest
from offtake.model.access import Principal
from offtake.model.dataset import Dataset, Field, FieldType, Sort
from offtake.model.export import DatePart, ExportRequest, Grouping, Measure, MeasureFn
from offtake.model.filter import Condition, Operator
from offtake.model.ports import SourceSpec, Stop
from offtake.service.datasets import count_rows
from offtake.service.downloads import open_download
from offtake.service.previews import preview_rows
from offtake.service.reports import report_result
from offtake.service.runtime import Runtime
from offtake.source import open_source
from sites import make_runtime
from source.sales import SALES, fill, sales

READER = Principal("p", "acme", frozenset({"reports:read"}))
COUNT, TOTAL = Measure(MeasureFn.COUNT), Measure(MeasureFn.SUM, "units", "Units")
OURS = [row for row in sales() if row["tenant"] == "acme"]


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runtime]:
    """A service over the sales in SQLite."""
    home = tmp_path_factory.mktemp("home")
    with closing(fill("sqlite", f"sqlite:///{home}/sales.db")) as source:
        yield make_runtime(home, {"db": source}, SALES)


def result(runtime: Runtime, **wish: Any) -> Any:
    return report_result(runtime, READER, ExportRequest("sales", **wish), stop=Stop())


def test_without_groups_it_is_a_number_or_a_list_of_them(runtime: Runtime) -> None:
    assert result(runtime, measures=(COUNT,)) == len(OURS)
    total = sum(row["units"] or 0 for row in OURS)
    assert result(runtime, measures=(COUNT, TOTAL)) == [len(OURS), total]


def test_one_grouping_is_a_map_with_text_for_keys(runtime: Runtime) -> None:
    found = result(runtime, group_by=(Grouping("paid"),))
    counted = {key: sum(row["paid"] is key for row in OURS) for key in (False, True, None)}
    assert found == [
        {"key": "false", "value": counted[False], "label": "false"},
        {"key": "true", "value": counted[True], "label": "true"},
        {"key": None, "value": counted[None], "label": None},
    ]


def test_two_groupings_are_a_map_of_maps_whatever_the_order(runtime: Runtime) -> None:
    for sort in (None, (Sort("count"),)):
        found = result(runtime, group_by=(Grouping("paid"), Grouping("stage")), sort=sort)
        pairs = {(outer["key"], inner["key"]): inner["value"] for outer in found for inner in outer["value"]}
        assert len(found) == 3
        assert sum(pairs.values()) == len(OURS)
        assert pairs["true", "won"] == sum(row["paid"] is True and row["stage"] == "won" for row in OURS)


def test_several_measures_make_every_value_a_list(runtime: Runtime) -> None:
    found = result(runtime, group_by=(Grouping("stage"),), measures=(COUNT, TOTAL))
    assert all(len(entry["value"]) == 2 for entry in found)


def test_labels_of_dates_are_written_as_the_locale_does(runtime: Runtime) -> None:
    since = Condition("moment", Operator.GTE, ("2024-09-01",))
    wish: dict[str, Any] = {"filter": since, "locale": "es-CL", "timezone": "America/Santiago"}
    months = result(runtime, group_by=(Grouping("moment", DatePart.MONTH),), **wish)
    assert [(entry["key"], entry["label"]) for entry in months] == [
        ("2024-09-01", "septiembre de 2024"),
        ("2024-10-01", "octubre de 2024"),
    ]
    top = result(runtime, group_by=(Grouping("moment", DatePart.MONTH),), top=1, **wish)
    assert [entry["label"] for entry in top][1:] == ["other"]


def test_a_result_of_too_many_groups_is_refused(tmp_path: Path) -> None:
    many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i <= 10000) SELECT i FROM n"
    numbers = Dataset("many", "db", sql=many, fields=(Field("i", FieldType.INTEGER, "i", "I"),))
    sqlite3.connect(tmp_path / "empty.db").executescript("CREATE TABLE t (a)").close()
    with closing(open_source(SourceSpec("db", f"sqlite:///{tmp_path}/empty.db"))) as source:
        runtime = make_runtime(tmp_path, {"db": source}, numbers)
        request = ExportRequest("many", group_by=(Grouping("i"),))
        with pytest.raises(InvalidRequest) as caught:
            report_result(runtime, READER, request, stop=Stop())
        assert len(report_result(runtime, READER, replace(request, limit=10_000), stop=Stop())) == 10_000
    assert "more than 10,000 groups" in caught.value.detail


def test_rows_have_no_result(runtime: Runtime) -> None:
    with pytest.raises(InvalidRequest):
        result(runtime)


def test_a_preview_and_a_count_are_of_groups(runtime: Runtime) -> None:
    request = ExportRequest("sales", group_by=(Grouping("id"),), measures=(TOTAL,))
    preview = preview_rows(runtime, READER, request)
    assert ([column.name for column in preview.columns], len(preview.rows)) == (["id", "sum_units"], 50)
    assert preview.total == count_rows(runtime, READER, request).matched == len(OURS)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("locale", [None, "es-CL"])
def test_every_format_takes_a_report(runtime: Runtime, name: str, locale: str | None) -> None:
    request = ExportRequest(
        "sales",
        format=name,
        group_by=(Grouping("stage"), Grouping("moment", DatePart.QUARTER), Grouping("wall", DatePart.HOUR)),
        measures=tuple(Measure(fn, "amount") for fn in MeasureFn),
        locale=locale,
        timezone="Asia/Kolkata",
    )
    seen: list[int] = []
    with closing(open_download(runtime, READER, request, on_rows=seen.append).chunks) as chunks:
        assert b"".join(chunks)
    assert sum(seen) == count_rows(runtime, READER, request).matched > 50


def test_a_report_in_json_has_its_columns_for_keys(runtime: Runtime) -> None:
    request = ExportRequest("sales", format="json", group_by=(Grouping("tenant"),), measures=(COUNT, TOTAL))
    rows = json.loads(b"".join(open_download(runtime, READER, request).chunks))
    assert [list(row) for row in rows] == [["tenant", "count", "sum_units"]]
