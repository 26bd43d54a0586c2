"""Camunda's pages: every record once, whoever changes what, for as long as somebody asks."""

from datetime import UTC, datetime, timedelta

from dialect.conftest import Demo
from dialect.reports import changing, define, get, of, page, refusal, walk
from offtake.demo.reports import ALSO_RAW, LARGE, RAW
from offtake.model.dataset import Sort


def test_the_pages_together_are_the_report_and_the_loop_ends(demo: Demo) -> None:
    pages = list(walk(demo, ALSO_RAW))
    assert [each["numberOfRecordsInResponse"] for each in pages] == [5, 5, 1]
    assert [len(each["data"]) for each in pages] == [5, 5, 1]
    assert {each["totalNumberOfRecords"] for each in pages} == {11}
    assert {each["reportId"] for each in pages} == {RAW}
    assert len({record["processInstanceId"] for each in pages for record in each["data"]}) == 11
    assert all(each["searchRequestId"].strip() for each in pages)
    assert not any("message" in each for each in pages)


def test_after_the_end_there_is_an_empty_page_again_and_again(demo: Demo) -> None:
    last = page(demo, RAW, limit=11)
    for _ in range(3):
        last = page(demo, RAW, searchRequestId=last["searchRequestId"])
        assert (last["data"], last["numberOfRecordsInResponse"], last["totalNumberOfRecords"]) == ([], 0, 11)
        assert last["searchRequestId"].strip()


def test_a_page_is_as_large_as_the_first_whatever_the_limit_says(demo: Demo) -> None:
    first = page(demo, RAW, limit=3)
    second = page(demo, RAW, limit=10_000, searchRequestId=first["searchRequestId"])
    assert (len(first["data"]), len(second["data"])) == (3, 3)
    assert len(page(demo, RAW, limit=0, searchRequestId=second["searchRequestId"])["data"]) == 3


def test_a_page_can_be_asked_for_again(demo: Demo) -> None:
    first = page(demo, RAW)
    answers = [get(demo, RAW, searchRequestId=first["searchRequestId"]) for _ in range(3)]
    assert len({answer.content for answer in answers}) == 1


def test_an_empty_search_request_id_is_none(demo: Demo) -> None:
    assert page(demo, RAW, searchRequestId="")["data"] == page(demo, RAW)["data"]


def test_a_limit_of_nothing_gives_the_total_alone(demo: Demo) -> None:
    first = page(demo, RAW, limit=0)
    assert (first["data"], first["numberOfRecordsInResponse"], first["totalNumberOfRecords"]) == ([], 0, 11)
    assert page(demo, RAW, searchRequestId=first["searchRequestId"])["data"] == []


def test_the_largest_limit_is_ten_thousand(demo: Demo) -> None:
    assert page(demo, LARGE, limit=10_000)["numberOfRecordsInResponse"] == 10_000


def test_a_report_without_records_is_one_empty_page(demo: Demo) -> None:
    found = page(demo, define(demo, filter=of("nothing")))
    assert (found["data"], found["totalNumberOfRecords"]) == ([], 0)
    assert found["searchRequestId"].strip()


def test_every_request_renews_the_timeout_it_names(demo: Demo) -> None:
    demo.clock.at = datetime.now(UTC)
    found = page(demo, RAW, paginationTimeout=60)
    for seconds in (60, 300, 300, 60):
        demo.clock.at += timedelta(seconds=59)
        found = page(demo, RAW, paginationTimeout=seconds, searchRequestId=found["searchRequestId"])
    demo.clock.at += timedelta(seconds=62)
    sent = found["searchRequestId"]
    status, code, detail = refusal(get(demo, RAW, searchRequestId=sent))
    assert (status, code) == (400, "badRequestError")
    assert detail == f"search_context_missing_exception: No search context found for id [{sent}]"


def test_ids_of_others_and_of_nobody_are_refused(demo: Demo) -> None:
    mine = page(demo, RAW)["searchRequestId"]
    colleague = get(demo, RAW, key="reader", searchRequestId=mine)
    elsewhere = get(demo, LARGE, searchRequestId=mine)
    native = demo.client.get(
        f"/api/v1/definitions/{RAW}/pages", params={"limit": 2}, headers={"x-api-key": demo.keys["admin"]}
    ).json()["next_cursor"]
    forged = [get(demo, RAW, searchRequestId=each) for each in ("x", mine[:-2], f"{mine}AA", "é\0", native, "9" * 9000)]
    for answer in (colleague, elsewhere, *forged):
        assert refusal(answer)[:2] == (400, "badRequestError")


def test_rows_that_change_meanwhile_do_not_change_the_pages(demo: Demo) -> None:
    with changing(demo, "changing") as rows:
        report = define(demo, filter=of("changing"), sort=(Sort("businessKey"),))
        first = page(demo, report, limit=2)
        rows.execute("DELETE FROM process_instances WHERE businessKey = '3'")
        rows.execute("UPDATE process_instances SET businessKey = '0' WHERE businessKey = '4'")
        rest = page(demo, report, searchRequestId=first["searchRequestId"])
        assert [each["businessKey"] for each in first["data"] + rest["data"]] == ["1", "2", "3", "4"]
        assert page(demo, report, limit=9)["totalNumberOfRecords"] == 3


def test_head_reads_nothing(demo: Demo) -> None:
    path = f"/api/public/export/report/{RAW}/result/json?limit=2&paginationTimeout=60"
    answer = demo.client.head(path, headers={"Authorization": demo.keys["admin"]})
    assert (answer.status_code, answer.headers["content-type"], answer.content) == (200, "application/json", b"")
