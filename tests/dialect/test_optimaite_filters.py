"""The filters of Optimaite's export configurations, on every source of its page."""

import json
from typing import Any

import pytest

from dialect.office import MAY, Office

# Of every source the filters that the page names, with values that the demo has.
FILTERS: dict[str, dict[str, Any]] = {
    "invoices": {"date_from": "2026-05-01", "status": "paid", "case": "Smith v. Jones", "party": "?"},
    "time_entries": {"date_from": "2026-01-01", "user": "Helena Krüger", "case": "?", "billable": True},
    "cases": {"status": "open", "type": "litigation", "dezernat": "Mietrecht", "date_from": "2024-01-01"},
    "parties": {"type": "client", "date_to": "2025-12-31"},
    "documents": {"date_from": "2025-01-01", "case": "?", "folder": "court"},
    "deadlines": {"date_to": "2026-06-30", "status": "open", "case": "?"},
}
DATED = {
    "invoices": "invoice_date",
    "time_entries": "date",
    "cases": "opened_at",
    "parties": "created_at",
    "documents": "created_at",
    "deadlines": "due_date",
}


@pytest.mark.parametrize(("source", "key"), [(source, key) for source, keys in FILTERS.items() for key in keys])
def test_every_source_has_the_filters_of_the_page(office: Office, source: str, key: str) -> None:
    every = office.rows(source=source, columns=[], filters={})
    value = FILTERS[source][key]
    if value == "?":
        value = next(row[f"{key}_name"] for row in every if row[f"{key}_name"])
    found = office.rows(source=source, columns=[], filters={key: value})
    assert 0 < len(found) < len(every)
    if key.startswith("date_"):
        is_in = (lambda day: day >= value) if key == "date_from" else (lambda day: day <= value)
        wanted = [row for row in every if is_in(row[DATED[source]][:10])]
    else:
        field = key if key in every[0] else f"{key}_name"
        wanted = [row for row in every if str(row[field]).casefold() == str(value).casefold()]
    assert found == wanted


@pytest.mark.parametrize(
    ("source", "key"),
    [
        ("invoices", "folder"),
        ("time_entries", "status"),
        ("cases", "billable"),
        ("parties", "case"),
        ("documents", "party"),
        ("deadlines", "dezernat"),
        ("invoices", "colour"),
        ("invoices", "native"),
    ],
)
def test_a_filter_that_a_source_lacks_is_refused(office: Office, source: str, key: str) -> None:
    assert office.refused(source=source, filters={key: "open"}) == "INVALID_FILTER"


def test_a_person_is_found_by_id_or_name_in_any_case_and_a_list_means_any_of(office: Office) -> None:
    known = office.rows(columns=[], filters=MAY | {"case": "Smith v. Jones"})
    assert {row["case_name"] for row in known} == {"Smith v. Jones"}
    id_ = known[0]["case_id"]
    for value in (id_, id_.lower(), "SMITH V. JONES", ["nobody", id_]):
        assert office.rows(columns=[], filters=MAY | {"case": value}) == known
    many = office.rows(columns=[], filters=MAY | {"status": ["paid", "Draft"]})
    assert {row["status"] for row in many} == {"paid", "draft"}


def test_whether_it_is_billable_is_told_as_truth_or_text(office: Office) -> None:
    found = [office.rows(source="time_entries", columns=[], filters={"billable": value}) for value in (False, "false")]
    assert found[0] == found[1]
    assert {row["billable"] for row in found[0]} == {False}


def test_both_ends_of_a_range_are_in_it(office: Office) -> None:
    every = office.rows(source="parties", columns=[], filters={})
    first, last = every[-1]["created_at"], every[0]["created_at"]
    found = office.rows(source="parties", columns=[], filters={"date_from": first, "date_to": last})
    assert found == every
    one = office.rows(source="parties", columns=[], filters={"date_from": last, "date_to": last})
    assert last in [row["created_at"] for row in one]
    day = {row["invoice_date"] for row in office.rows(columns=[], filters={"date": "2026-05-11"})}
    assert day <= {"2026-05-11"}
    assert office.rows(columns=[], filters={"date_from": "first day of this month", "date_to": "2026-05-31"})


@pytest.mark.parametrize(
    "filters",
    [
        {"date_from": "2026-13-01"},
        {"date_from": 20260501},
        {"date_to": ""},
        {"date": ["2026-05-01"]},
        {"date_from": "2026-06-01", "date_to": "2026-05-01"},
        {"date": "2026-05-01", "date_to": "2026-05-02"},
        {"status": "lost"},
        {"status": []},
        {"status": {"not": "paid"}},
        {"status": True},
        {"status": ["paid", None]},
        {"status": "\ud800"},
        {"\ud800": None},
        {"a\0b": None},
        {"colour": None},
        {"native": None},
        {"a\0b": "open"},
        "paid",
        [],
    ],
)
def test_a_filter_that_makes_no_sense_is_refused(office: Office, filters: Any) -> None:
    body = json.dumps({"name": "Ours", "source": "invoices", "filters": filters})
    answer = office.ask("POST", content=body, headers={"Content-Type": "application/json"})
    assert office.code(answer, 400) == "INVALID_FILTER"


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        ({"status": "bogus"}, "status: 'bogus' is not one of its values. Values: "),
        ({"status": 5}, "status: 5 is no value of it. It takes text."),
        ({"status": None, "colour": None}, "invoices has no filter 'colour'. Filters: "),
        (
            {"date_from": "2026-05-31", "date_to": "2026-05-01"},
            "The range ends (2026-05-01) before it starts (2026-05-31)",
        ),
    ],
)
def test_what_is_wrong_with_a_filter_is_told_in_the_words_that_were_sent(
    office: Office, filters: Any, message: str
) -> None:
    answer = office.ask("POST", json={"name": "Ours", "source": "invoices", "filters": filters})
    assert answer.json()["error"]["message"].startswith(message)


def test_code_and_message_are_of_the_same_problem(office: Office) -> None:
    for body, code, message in (
        ({}, "INVALID_REQUEST", "name is missing."),
        ({"name": "Ours"}, "INVALID_SOURCE", "source is missing."),
        ({"name": "Ours", "source": "invoices", "description": "a\0b"}, "INVALID_REQUEST", "description holds NUL"),
    ):
        answer = office.ask("POST", json=body)
        assert office.code(answer, 400) == code
        assert answer.json()["error"]["message"].startswith(message)


def test_a_label_that_no_file_can_hold_is_refused(office: Office) -> None:
    columns = [{"field": "status", "label": "State\0"}]
    assert office.refused(columns=columns) == "INVALID_COLUMN"


def test_a_value_of_another_type_is_refused(office: Office) -> None:
    for value in ("perhaps", 1, "yes"):
        assert office.refused(source="time_entries", filters={"billable": value}) == "INVALID_FILTER"
