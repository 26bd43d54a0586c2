"""Optimaite's export configurations: what they hold, what they give, what is refused."""

import csv
import io
from datetime import datetime, timedelta
from typing import Any

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialect.office import CONFIGS, MAY, NOON, Office
from offtake.dialect.optimaite.shapes import id_of, native_id
from offtake.model.access import Principal
from offtake.model.export import ExportRequest
from offtake.model.ids import new_id
from offtake.model.saved import Definition, Draft


def test_a_body_needs_no_more_than_a_name_and_a_source(office: Office) -> None:
    made = office.told(office.ask("POST", json={"name": "All", "source": "parties"}), 201)
    assert {name: made[name] for name in ("description", "format", "filters", "columns", "schedule")} == {
        "description": "",
        "format": "json",
        "filters": {},
        "columns": [],
        "schedule": None,
    }
    assert (made["last_executed_at"], made["created_at"]) == (None, "2026-05-27T12:00:00Z")


def test_nulls_are_as_good_as_nothing(office: Office) -> None:
    empty = dict.fromkeys(("description", "filters", "columns", "schedule"))
    made = office.create(**empty)
    assert (made["description"], made["filters"], made["columns"], made["schedule"]) == ("", {}, [], None)
    assert office.create(filters={"status": None, "date_to": None})["filters"] == {"status": None, "date_to": None}
    assert office.create(columns=[{"field": "status", "label": None}])["columns"] == [
        {"field": "status", "label": None}
    ]


def test_read_only_and_unknown_keys_are_ignored(office: Office) -> None:
    wrong = {"id": "exp_mine", "last_executed_at": "2020-01-01T00:00:00Z", "created_at": None, "colour": "red"}
    made = office.create(**wrong)
    assert (made["id"] != "exp_mine", made["last_executed_at"], "colour" in made) == (True, None, False)


def test_creating_says_where_it_is(office: Office) -> None:
    answer = office.ask("POST", json={"name": "Here", "source": "cases"})
    assert answer.headers["location"].endswith(f"{CONFIGS}/{answer.json()['id']}")


def test_put_replaces_and_what_it_leaves_out_becomes_empty(office: Office) -> None:
    made = office.create(description="Of May", schedule={"rrule": "FREQ=DAILY"})
    done = office.told(office.ask("PUT", f"/{made['id']}", json={"name": "Less", "source": "cases", "format": "csv"}))
    assert done == made | {
        "name": "Less",
        "source": "cases",
        "format": "csv",
        "description": "",
        "filters": {},
        "columns": [],
        "schedule": None,
    }
    assert office.told(office.ask("GET", f"/{made['id']}")) == done


def test_the_list_is_whole_and_newest_first_unless_a_part_is_asked_for(office: Office) -> None:
    office.demo.clock.at = NOON + timedelta(days=3650)
    made = [office.create(name=str(number)) for number in range(3)]
    whole = office.told(office.ask("GET"))
    assert whole["data"][:3] == made[::-1]
    assert whole["meta"] == {"total": len(whole["data"])}
    parts = [office.told(office.ask("GET", params={"page": page, "limit": 2}))["data"] for page in (1, 2)]
    assert [*parts[0], *parts[1]] == whole["data"][:4]
    assert len(office.told(office.ask("GET", params={"page": 1}))["data"]) == min(50, whole["meta"]["total"])
    for wrong in ({"page": 0}, {"limit": 0}, {"limit": 1001}, {"limit": "many"}):
        assert office.code(office.ask("GET", params=wrong), 400) == "INVALID_REQUEST"


@given(st.uuids())
def test_an_id_can_be_read_back(id_: Any) -> None:
    who = Principal("key", "acme")
    definition = Definition(str(id_), "acme", who, Draft("Any", ExportRequest("any")), NOON, NOON)
    assert native_id(id_of(definition)) == str(id_)


@pytest.mark.parametrize("id_", ["exp_", "exp_%00", "exp_ZZZZZZZZZZZZZZZZZZZZZZZZZZ", "exp_" + "u" * 26, "1", new_id()])
def test_an_id_that_is_none_is_not_found(office: Office, id_: str) -> None:
    assert office.code(office.ask("GET", f"/{id_}"), 404) == "CONFIG_NOT_FOUND"


@pytest.mark.parametrize(
    "wrong",
    [{"name": ""}, {"name": None}, {"name": "x" * 201}, {"name": "a\nb"}, {"description": "x" * 5001}, {"name": 7}],
)
def test_a_name_that_cannot_be_is_refused(office: Office, wrong: dict[str, Any]) -> None:
    assert office.refused(**wrong) == "INVALID_REQUEST"


def test_a_body_that_is_none_is_refused(office: Office) -> None:
    for content in (b"{", b"[]", b"", b"\xff"):
        answer = office.ask("POST", content=content, headers={"Content-Type": "application/json"})
        assert office.code(answer, 400) == "INVALID_REQUEST"
    plain = office.ask("POST", content=b"{}", headers={"Content-Type": "text/plain"})
    assert office.code(plain, 415) == "UNSUPPORTED_MEDIA_TYPE"


def test_json_has_the_fields_for_keys_and_numbers_for_numbers(office: Office) -> None:
    columns = [{"field": "invoice_number", "label": "Invoice #"}, {"field": "total_gross", "label": "Amount (EUR)"}]
    rows = office.rows(columns=columns, filters=MAY | {"case": "smith V. jones"})
    assert {"invoice_number": "RE-2026-042", "total_gross": 2677.50} in rows


def test_csv_has_the_labels_for_a_header(office: Office) -> None:
    made = office.create(format="csv", name='Q2: "May" {x}/ü')
    answer = office.ask("GET", f"/{made['id']}/execute")
    rows = list(csv.reader(io.StringIO(answer.text)))
    assert (rows[0], len(rows)) == (["Invoice #", "State"], 43)
    assert answer.headers["content-type"].startswith("text/csv")
    disposition = answer.headers["content-disposition"]
    assert disposition.startswith('attachment; filename="')
    assert "filename*=UTF-8''Q2_%20_May_%20%28x%29_%C3%BC_2026-05-27.csv" in disposition


def test_without_columns_all_fields_come_under_their_own_labels(office: Office) -> None:
    made = office.create(format="csv", columns=[])
    header = next(csv.reader(io.StringIO(office.ask("GET", f"/{made['id']}/execute").text)))
    assert header[:4] == ["ID", "Invoice #", "Case ID", "Case"]
    assert list(office.rows(columns=[])[0])[:4] == ["id", "invoice_number", "case_id", "case_name"]


def test_a_workbook_has_the_labels_and_true_numbers_and_dates(office: Office) -> None:
    columns = [{"field": "total_gross", "label": "Amount"}, {"field": "invoice_date"}]
    answer = office.ask("GET", f"/{office.create(format='xlsx', columns=columns)['id']}/execute")
    sheet = openpyxl.load_workbook(io.BytesIO(answer.content)).active
    assert sheet is not None
    rows = list(sheet.iter_rows(values_only=True))
    assert (rows[0], len(rows)) == (("Amount", "Invoice date"), 43)
    assert isinstance(rows[1][0], float | int)
    assert isinstance(rows[1][1], datetime)


def test_no_rows_are_a_file_without_any(office: Office) -> None:
    assert office.rows(filters={"date": "1999-01-01"}) == []


def test_a_preview_is_ten_rows_as_json_and_no_execution(office: Office) -> None:
    for format in ("json", "csv", "xlsx"):
        made = office.create(format=format)
        seen = office.told(office.ask("GET", f"/{made['id']}/preview"))
        assert seen["meta"] == {"config_id": made["id"], "executed_at": "2026-05-27T12:00:00Z", "row_count": 10}
        assert seen["data"] == office.rows()[:10]
        assert office.told(office.ask("GET", f"/{made['id']}"))["last_executed_at"] is None


def test_executing_sets_when(office: Office) -> None:
    made = office.create()
    office.ask("HEAD", f"/{made['id']}/execute")
    assert office.told(office.ask("GET", f"/{made['id']}"))["last_executed_at"] is None
    office.demo.clock.at = NOON + timedelta(hours=1)
    executed = office.told(office.ask("GET", f"/{made['id']}/execute"))
    assert executed["meta"]["executed_at"] == "2026-05-27T13:00:00Z"
    assert office.told(office.ask("GET", f"/{made['id']}"))["last_executed_at"] == "2026-05-27T13:00:00Z"


@pytest.mark.parametrize("format", ["pdf", "parquet", "XLSX", "", None, 7])
def test_there_are_three_formats(office: Office, format: Any) -> None:
    assert office.refused(format=format) == "INVALID_FORMAT"


@pytest.mark.parametrize("source", ["planets", "", None, 7, "a\0b", "x" * 2000])
def test_an_unknown_source_is_refused(office: Office, source: Any) -> None:
    assert office.refused(source=source) == "INVALID_SOURCE"


@pytest.mark.parametrize("columns", [["status"], [{"field": "state"}], [{}], [{"field": "status"}] * 2001, "status"])
def test_an_unknown_column_is_refused(office: Office, columns: Any) -> None:
    assert office.refused(columns=columns) == "INVALID_COLUMN"
