"""What Camunda's reports hold: raw records, numbers, maps and maps of maps."""

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dialect.conftest import Demo
from dialect.reports import changing, define, fields, get, of, page, refusal, walk
from offtake.appdb.definitions import insert_definition
from offtake.demo.reports import FIELDS, HYPER_MAP, LARGE, MAP, MONTHS, NUMBER, RAW
from offtake.dialect.camunda.shapes import ALL_AT_ONCE
from offtake.model.dataset import Sort
from offtake.model.export import DatePart, ExportRequest, Grouping, Measure, MeasureFn
from offtake.model.filter import Condition, Operator
from offtake.model.ids import new_id
from offtake.model.saved import Definition, Draft
from offtake.service.access import local_principal

AVERAGE = Measure(MeasureFn.AVG, "duration")


def test_a_record_has_the_fields_of_the_page(demo: Demo) -> None:
    for each in walk(demo, RAW):
        for record in each["data"]:
            assert list(record) == list(FIELDS)
            assert record["tenantId"] is None
            assert record["startDate"][-5:] == "+0200"
            assert isinstance(record["duration"], int)


def test_every_record_has_every_variable_of_the_whole_report(demo: Demo) -> None:
    with closing(sqlite3.connect(demo.home / "demo.db")) as rows:
        texts = rows.execute(
            "SELECT processInstanceId, variables FROM process_instances"
            " WHERE tenant = 'acme' AND processDefinitionKey = 'invoiceApproval'"
        ).fetchall()
    report = define(demo, filter=of("invoiceApproval"), fields=fields("processInstanceId", "variables"))
    records = [record for each in walk(demo, report, limit=200) for record in each["data"]]
    assert len(records) == 500
    names = sorted({name for _, text in texts for name in json.loads(text)})
    stored = {instance: json.loads(text, parse_float=str) for instance, text in texts}
    for record in records:
        assert list(record["variables"]) == names
        known = stored[record["processInstanceId"]]
        assert record["variables"] == {name: shown(known.get(name, "")) for name in names}
    assert list(page(demo, report, limit=1)["data"][0]["variables"]) == names


def test_object_variables_are_not_shown(demo: Demo) -> None:
    with changing(demo, "objects", '{"o": {"a": 1}, "l": [{"a": 1}], "n": null, "t": ["x", 2]}') as _:
        variables = page(demo, define(demo, filter=of("objects")), limit=1)["data"][0]["variables"]
        hidden = "<<OBJECT_VARIABLE_VALUE>>"
        assert variables == {"l": hidden, "n": "", "o": hidden, "t": "x, 2"}


def test_what_still_runs_has_run_until_now(demo: Demo) -> None:
    running = Condition("endDate", Operator.IS_NULL)
    before = datetime.now(UTC)
    records = page(demo, define(demo, filter=running), limit=10)["data"]
    assert len(records) == 10
    for record in records:
        started = datetime.strptime(record["startDate"], "%Y-%m-%dT%H:%M:%S.%f%z")
        least = (before - started) / timedelta(milliseconds=1)
        assert record["endDate"] is None
        assert least - 1000 <= record["duration"] <= least + 600_000


def test_instants_are_in_the_zone_of_the_report_else_utc(demo: Demo) -> None:
    sort = (Sort("startDate"), Sort("processInstanceId"))
    in_utc, in_chile = (
        page(demo, define(demo, filter=of("invoiceApproval"), sort=sort, timezone=zone))["data"]
        for zone in (None, "America/Santiago")
    )
    for utc, chile in zip(in_utc, in_chile, strict=True):
        assert (utc["startDate"][-5:], chile["startDate"][-5:]) == ("+0000", "-0300")
        moments = [datetime.strptime(each["startDate"], "%Y-%m-%dT%H:%M:%S.%f%z") for each in (utc, chile)]
        assert moments[0] == moments[1]


def test_records_come_with_the_latest_start_first_unless_sorted(demo: Demo) -> None:
    records = page(demo, LARGE, limit=1000)["data"]
    starts = [record["startDate"] for record in records]
    assert starts == sorted(starts, reverse=True)


@pytest.mark.parametrize(("report", "count"), [(NUMBER, 1), (MAP, 3), (HYPER_MAP, 3), (MONTHS, 12)])
def test_other_reports_come_whole_without_a_search_request_id(demo: Demo, report: str, count: int) -> None:
    found = page(demo, report, limit=count)
    assert list(found) == ["numberOfRecordsInResponse", "totalNumberOfRecords", "reportId", "data"]
    assert (found["numberOfRecordsInResponse"], found["totalNumberOfRecords"]) == (count, count)
    assert (found["reportId"], len(found["data"])) == (report, count)
    fewer = page(demo, report, limit=count - 1)
    assert fewer == found | {"message": ALL_AT_ONCE}


def test_a_number_without_a_value_is_an_empty_list(demo: Demo) -> None:
    found = page(demo, define(demo, filter=of("nothing"), measures=(AVERAGE,)), limit=0)
    assert (found["data"], found["numberOfRecordsInResponse"], found["totalNumberOfRecords"]) == ([], 0, 0)
    assert "message" not in found


def test_only_the_first_measure_is_exported_as_doubles(demo: Demo) -> None:
    both = (Measure(MeasureFn.COUNT), AVERAGE)
    assert get(demo, define(demo, filter=of("aProcess"), measures=both)).text.endswith('"data":[11.0]}')
    grouped = page(demo, define(demo, group_by=(Grouping("processDefinitionKey"),), measures=both))["data"]
    assert [entry["value"] for entry in grouped] == [11.0, 500.0, 25_000.0]


def test_a_value_may_be_null_and_a_group_without_a_key_is_missing(demo: Demo) -> None:
    with changing(demo, "undone"):
        wish: dict[str, Any] = {"filter": of("undone"), "group_by": (Grouping("tenantId"),), "measures": (AVERAGE,)}
        assert page(demo, define(demo, **wish))["data"] == [{"key": "missing", "value": None, "label": "missing"}]


def test_keys_of_dates_are_instants_and_labels_are_for_people(demo: Demo) -> None:
    groups = (Grouping("startDate", DatePart.MONTH),)
    wish: dict[str, Any] = {"filter": of("aProcess"), "group_by": groups, "timezone": "Europe/Helsinki"}
    plain, labelled = (page(demo, define(demo, **wish, locale=locale))["data"] for locale in (None, "de"))
    key = "2021-12-01T00:00:00.000+0200"
    assert plain == [{"key": key, "value": 11.0, "label": key}]
    assert labelled == [{"key": key, "value": 11.0, "label": "Dezember 2021"}]
    hours = page(demo, define(demo, **(wish | {"group_by": (Grouping("startDate", DatePart.HOUR),)})))["data"]
    assert "2021-12-02T17:00:00.000+0200" in {entry["key"] for entry in hours}


def test_what_is_not_among_the_top_keeps_its_key(demo: Demo) -> None:
    groups = (Grouping("startDate", DatePart.YEAR),)
    found = page(demo, define(demo, filter=of("orderFulfilment"), group_by=groups, top=1), limit=9)["data"]
    assert found[0]["key"] == "2021-01-01T00:00:00.000+0000"
    months = (Grouping("startDate", DatePart.MONTH),)
    found = page(demo, define(demo, filter=of("orderFulfilment"), group_by=months, top=1), limit=9)["data"]
    assert [entry["key"] for entry in found][1:] == ["other"]


def test_a_measure_that_is_no_number_cannot_be_evaluated(demo: Demo) -> None:
    report = define(demo, measures=(Measure(MeasureFn.MAX, "engineName"),))
    answer = get(demo, report)
    assert refusal(answer)[:2] == (400, "reportEvaluationError")
    assert answer.json()["errorMessage"] == "Could not evaluate the report."
    shown_definition = answer.json()["reportDefinition"]
    assert (shown_definition["id"], shown_definition["name"]) == (report, "A report")
    assert shown_definition["data"]["measures"] == [{"fn": "max", "field": "engineName"}]


def test_a_report_whose_dataset_is_gone_cannot_be_evaluated(demo: Demo) -> None:
    for wish in (ExportRequest("gone"), ExportRequest("process_instances", fields=fields("gone"))):
        owner, now = local_principal(demo.runtime, "acme"), demo.runtime.now()
        report = Definition(new_id(), "acme", owner, Draft("Broken", wish), now, now)
        insert_definition(demo.runtime.appdb, report)
        answer = get(demo, report.id)
        assert refusal(answer)[:2] == (400, "reportEvaluationError")
        assert answer.json()["reportDefinition"]["id"] == report.id


def shown(value: Any) -> str:
    """A variable as a text."""
    if isinstance(value, list):
        return ", ".join(value)
    return str(value).lower() if isinstance(value, bool) else str(value)
