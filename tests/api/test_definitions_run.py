"""Definitions that are run, previewed and downloaded over HTTP, also after their dataset changed."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from api.desk import told
from api.shelf import Shelf, open_shelf
from offtake.model.dataset import Dataset
from sites import NUMBERS

EXPORTS = "/api/v1/exports"
KEY = {"Idempotency-Key": "8e03978e-40d5-43dd-bc93-6894a57f9324"}
WAYS = [("POST", "/run"), ("GET", "/preview"), ("GET", "/download")]


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    """One service for all of these tests."""
    with open_shelf(tmp_path_factory.mktemp("home")) as shelf:
        yield shelf


@pytest.fixture
def shelf(opened: Shelf) -> Iterator[Shelf]:
    """A shelf of this test's own; afterwards the datasets are what they were."""
    before = dict(opened.datasets)
    yield opened.own()
    opened.datasets.clear()
    opened.datasets.update(before)
    opened.desk.runtime.resolved.clear()


def configure(shelf: Shelf, dataset: Dataset) -> None:
    """Put another dataset of that name into the settings, as a restart would."""
    shelf.datasets[dataset.name] = dataset
    shelf.desk.runtime.resolved.clear()


def test_a_run_is_an_export_like_any_other(shelf: Shelf) -> None:
    id_ = shelf.save(fields=["text", "n"], format="ndjson")["id"]
    shelf.desk.clock.at += timedelta(minutes=5)
    run = shelf.ask("POST", f"/{id_}/run")
    made = run.json()
    assert (run.status_code, made["state"], made["definition_id"]) == (202, "queued", id_)
    assert run.headers["location"] == made["links"]["self"]
    assert shelf.read(id_)["last_executed_at"] == "2026-05-17T12:35:00Z"
    shelf.desk.run()
    file = shelf.desk.ask("GET", f"/{made['id']}/download")
    assert file.content == shelf.ask("GET", f"/{id_}/download").content


def test_exports_of_one_definition_can_be_listed(shelf: Shelf) -> None:
    first, second = shelf.save()["id"], shelf.save()["id"]
    made = [shelf.ask("POST", f"/{id_}/run").json()["id"] for id_ in (first, second, first)]
    page = shelf.desk.ask("GET", f"?definition_id={first}&limit=1").json()
    rest = shelf.desk.ask("GET", f"?definition_id={first}&limit=1&cursor={page['next_cursor']}").json()
    assert [job["id"] for job in (*page["data"], *rest["data"])] == [made[2], made[0]]
    foreign = shelf.desk.ask("GET", f"?definition_id={second}&cursor={page['next_cursor']}")
    assert told(foreign) == (422, "INVALID_CURSOR")
    for nothing in ("x", "%00"):
        assert shelf.desk.ask("GET", f"?definition_id={nothing}").json()["data"] == []


def test_a_run_may_wait_go_first_and_have_another_format(shelf: Shelf) -> None:
    id_ = shelf.save(format="xlsx", options={"deflate": "small"})["id"]
    body = {"start_at": "2026-06-01T06:00:00Z", "priority": 1, "format": "json"}
    made = shelf.ask("POST", f"/{id_}/run", json=body).json()
    assert (made["state"], made["start_at"]) == ("scheduled", body["start_at"])
    assert (made["priority"], made["format"]) == (1, "json")
    assert shelf.read(id_)["format"] == "xlsx"
    wrong = shelf.ask("POST", f"/{id_}/run", json={"format": "jsn"})
    assert [error["pointer"] for error in wrong.json()["errors"]] == ["/format"]


def test_the_same_run_under_the_same_key_is_made_once(shelf: Shelf) -> None:
    id_, other = shelf.save()["id"], shelf.save()["id"]
    answers = [shelf.ask("POST", f"/{id_}/run", headers=KEY) for _ in range(2)]
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert [answer.headers.get("idempotency-replayed") for answer in answers] == [None, "true"]
    assert told(shelf.ask("POST", f"/{other}/run", headers=KEY)) == (422, "IDEMPOTENCY_MISMATCH")


def test_looking_is_no_execution_but_downloading_is(shelf: Shelf) -> None:
    id_ = shelf.save()["id"]
    for method, path in [("GET", ""), ("GET", "/preview"), ("HEAD", "/download")]:
        assert shelf.ask(method, f"/{id_}{path}").status_code == 200
    assert shelf.read(id_)["last_executed_at"] is None
    assert shelf.ask("GET", f"/{id_}/download").status_code == 200
    shown = shelf.read(id_)
    assert (shown["last_executed_at"], shown["version"]) == ("2026-05-17T12:30:00Z", 1)


def test_a_preview_shows_the_columns_as_the_file_has_them(shelf: Shelf) -> None:
    id_ = shelf.save(format="json", fields=[{"field": "text", "label": "Words"}, "n"])["id"]
    shown = shelf.ask("GET", f"/{id_}/preview").json()
    assert [column["label"] for column in shown["columns"]] == ["Words", "N"]
    assert shown["data"] == [["row", 0], ["row", 1], ["row", 2]]


def test_a_field_that_is_gone_is_told_wherever_the_definition_is_used(shelf: Shelf) -> None:
    id_ = shelf.save(fields=["n", "text"], sort=["n"])["id"]
    assert shelf.read(id_)["problems"] == []
    configure(shelf, replace(NUMBERS, fields=NUMBERS.fields[:1]))
    problem = shelf.read(id_)["problems"]
    assert [each["pointer"] for each in problem] == ["/fields/1"]
    assert "'text'" in problem[0]["detail"]
    for method, path in WAYS:
        answer = shelf.ask(method, f"/{id_}{path}")
        assert told(answer) == (422, "UNKNOWN_FIELD")
        assert answer.json()["errors"] == problem
    assert shelf.read(id_)["last_executed_at"] is None
    mended = shelf.ask("PATCH", f"/{id_}", json={"fields": ["n"]})
    assert (mended.status_code, mended.json()["problems"]) == (200, [])


def test_a_filter_or_an_order_that_no_longer_fits_is_told_by_its_place(shelf: Shelf) -> None:
    filtered = shelf.save(fields=["n"], filter={"and": [{"field": "text", "op": "eq", "value": "x"}]})["id"]
    sorted_ = shelf.save(fields=["n"], sort=["n", "-text"])["id"]
    configure(shelf, replace(NUMBERS, fields=NUMBERS.fields[:1]))
    assert [each["pointer"] for each in shelf.read(filtered)["problems"]] == ["/filter/and/0"]
    assert [each["pointer"] for each in shelf.read(sorted_)["problems"]] == ["/sort/1"]


def test_a_dataset_that_is_gone_does_not_look_like_a_definition_that_is(shelf: Shelf) -> None:
    id_ = shelf.save()["id"]
    del shelf.datasets["numbers"]
    assert [each["pointer"] for each in shelf.read(id_)["problems"]] == ["/dataset"]
    for method, path in WAYS:
        answer = shelf.ask(method, f"/{id_}{path}")
        assert told(answer) == (422, "INVALID_REQUEST")
        assert [error["pointer"] for error in answer.json()["errors"]] == ["/dataset"]


def test_a_database_that_does_not_answer_is_no_problem_of_the_definition(shelf: Shelf) -> None:
    id_ = shelf.save(dataset="broken")["id"]
    configure(shelf, replace(shelf.datasets["broken"], fields=()))
    source = shelf.desk.runtime.sources["dead"]
    source.is_up = False  # type: ignore[attr-defined]
    try:
        answer = shelf.ask("GET", f"/{id_}")
        assert (answer.status_code, answer.json()["problems"]) == (200, None)
        assert told(shelf.ask("POST", f"/{id_}/run")) == (502, "SOURCE_FAILED")
    finally:
        source.is_up = True  # type: ignore[attr-defined]


def test_a_definition_runs_with_the_rights_of_who_runs_it(shelf: Shelf) -> None:
    seeing = shelf.holding("reports:read", "reports:write", "pii:read")
    id_ = seeing.save(dataset="masked")["id"]
    bare, masked = (each.ask("POST", f"/{id_}/run").json()["id"] for each in (seeing, shelf))
    shelf.desk.run()
    assert told(shelf.desk.ask("GET", f"/{bare}/download")) == (403, "INSUFFICIENT_SCOPE")
    assert shelf.desk.ask("GET", f"/{masked}/download").status_code == 200


def test_a_definition_of_a_dataset_out_of_reach_says_what_is_missing(shelf: Shelf) -> None:
    id_ = shelf.holding("reports:read", "reports:write", "payroll:read").save(dataset="payroll")["id"]
    assert "payroll:read" in shelf.read(id_)["problems"][0]["detail"]
    for method, path in WAYS:
        assert told(shelf.ask(method, f"/{id_}{path}")) == (403, "INSUFFICIENT_SCOPE")
