"""Rebilly's data exports: who may ask where, what is in the files, what the objects say of them."""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dialect.adviser import changed, renamed
from dialect.biller import Biller, links
from dialect.conftest import Demo
from offtake.model.delivery import Letter, Sent, SmtpSpec
from offtake.model.limits import Limits
from offtake.service.access import create_key, local_principal
from offtake.service.counters import Counters
from offtake.service.deliveries import deliver_next
from offtake.service.exports import cancel_export
from offtake.service.external import find_external_export
from offtake.service.runs import claim_run

PREFIXES = (
    "",
    "/experimental",
    "/organizations/acme",
    "/experimental/organizations/acme",
    "/organizations/acme/experimental",
)
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


@pytest.fixture
def biller(demo: Demo) -> Iterator[Biller]:
    """The administrator of acme; what a test made is deleted after it."""
    admin = Biller(demo)
    yield admin
    demo.clock.at = None
    admin.clear()


@pytest.mark.parametrize("prefix", PREFIXES)
def test_the_api_is_found_at_every_prefix_that_clients_know(biller: Biller, prefix: str) -> None:
    base = f"{biller.demo.site.url}{prefix}/data-exports"
    made = biller.ask("POST", f"{prefix}/data-exports/", json={"name": "p", "resource": "disputes", "format": "csv"})
    assert made.headers["location"] == f"{base}/{made.json()['id']}" == links(made.json())["self"]
    for path in ("/data-exports?", "/data-exports/"):
        assert made.json() in biller.ask("GET", f"{prefix}{path}").json()
    assert biller.ask("GET", f"{prefix}/data-exports/{made.json()['id']}").json() == made.json()
    assert biller.ask("DELETE", f"{prefix}/data-exports/{made.json()['id']}").content == b""


def test_the_user_of_an_export_has_an_address_for_those_of_its_tenant(biller: Biller) -> None:
    made = biller.queue()
    path = links(made)["user"].removeprefix(biller.demo.site.url)
    assert biller.ask("GET", path).json() == {
        "id": made["userId"],
        "_links": [{"rel": "self", "href": links(made)["user"]}],
    }
    assert Biller(biller.demo, "reader").ask("GET", path).status_code == 200
    assert Biller(biller.demo, "globex").ask("GET", path).status_code == 404
    assert biller.ask("GET", "/users/nobody%00").status_code == 404


def test_the_organization_is_the_tenants_name_or_uuid(biller: Biller) -> None:
    uuid = biller.demo.tenant_uuid
    for name, status in (("acme", 200), (uuid, 200), (uuid.upper(), 200), ("ACME", 404), ("globex", 404), ("x", 404)):
        assert biller.ask("GET", f"/organizations/{name}/data-exports").status_code == status, name


@pytest.mark.parametrize(
    ("headers", "status", "tenant"),
    [
        ({"REB-APIKEY": "admin"}, 200, "acme"),
        ({"Authorization": "Bearer admin"}, 200, "acme"),
        ({"Authorization": "Bearer globex", "REB-APIKEY": "admin"}, 200, "globex"),
        ({"Authorization": "Bearer nobody", "REB-APIKEY": "admin"}, 200, "acme"),
        ({"Authorization": "bearer admin", "REB-APIKEY": "nobody"}, 200, "acme"),
        ({"Authorization": "admin"}, 401, ""),
        ({"x-api-key": "admin"}, 401, ""),
        ({"Authorization": "Bearer x", "REB-APIKEY": "y"}, 401, ""),
        ({}, 401, ""),
    ],
)
def test_one_valid_credential_is_enough_and_a_bearer_counts_first(
    demo: Demo, headers: dict[str, str], status: int, tenant: str
) -> None:
    sent = dict(headers)
    for name, value in headers.items():
        scheme, space, key = value.rpartition(" ")
        sent[name] = f"{scheme}{space}{demo.keys.get(key, key)}"
    answer = demo.client.get("/data-exports", headers=sent)
    assert answer.status_code == status
    if tenant:
        assert demo.client.get(f"/organizations/{tenant}/data-exports", headers=sent).status_code == 200
    else:
        assert answer.json()["title"] == "Unauthorized"
        assert answer.headers["www-authenticate"].startswith("Bearer")


def test_what_another_tenant_has_is_not_there(biller: Biller) -> None:
    made = biller.finish(name="secret")
    stranger = Biller(biller.demo, "globex")
    assert stranger.listed() == []
    for method in ("GET", "DELETE"):
        assert stranger.ask(method, f"/data-exports/{made['id']}").status_code == 404
    for path in (f"/files/{made['fileId']}", f"/files/{made['fileId']}/download"):
        assert stranger.ask("GET", path).status_code == 404
    assert stranger.put(made["id"]).status_code == 201  # an id of its own, which hides nothing of ours
    assert biller.get(made["id"])["name"] == "secret"
    stranger.clear()


def test_who_may_only_read_has_exports_of_its_own_and_cannot_touch_those_of_others(biller: Biller) -> None:
    biller.put("ours", recurring={"instruction": "FREQ=DAILY;BYHOUR=3"})
    reader = Biller(biller.demo, "reader")
    assert reader.put("ours").status_code == reader.ask("DELETE", "/data-exports/ours").status_code == 403
    assert reader.put("theirs").status_code == 201
    assert reader.put("theirs", name="again").status_code == 200
    assert reader.ask("DELETE", "/data-exports/theirs").status_code == 204


def test_an_export_is_a_native_job_too(biller: Biller) -> None:
    made = biller.finish()
    native = biller.demo.client.get(f"/api/v1/exports/{made['id']}", headers={"x-api-key": biller.demo.keys["admin"]})
    assert (native.json()["state"], native.json()["dataset"]) == ("succeeded", "disputes")


FORMATS = {
    "csv": ("text/csv; charset=utf-8", "csv"),
    "detailed-csv": ("text/csv; charset=utf-8", "csv"),
    "json": ("application/json", "json"),
    "json-api": ("application/vnd.api+json", "jsonapi"),
    "xml": ("application/xml", "xml"),
    "pdf": ("application/pdf", "pdf"),
}


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("resource", ["disputes", "invoices"])
def test_every_format_works_for_every_resource(biller: Biller, format: str, resource: str) -> None:
    # The name has what templates of file names mean by braces, and what no file name has.
    made = biller.finish(name="a {b}/c", format=format, resource=resource, arguments={"filter": "amount:..100"})
    media_type, extension = FORMATS[format]
    file = biller.file(made)
    assert (made["format"], made["status"], file.headers["content-type"]) == (format, "completed", media_type)
    assert file.headers["content-disposition"].startswith('attachment; filename="a (b)_c_20')
    assert biller.ask("GET", f"/files/{made['fileId']}").json()["extension"] == extension
    assert int(file.headers["content-length"]) == len(file.content)
    assert made["recordCount"] > 0


def test_json_api_resources_are_of_the_type_that_was_asked_for(biller: Biller) -> None:
    made = biller.finish(resource="invoiceItems", format="json-api", fields=["id", "price"])
    data = biller.file(made).json()["data"]
    assert {each["type"] for each in data} == {"invoiceItems"}
    assert len(data) == made["recordCount"]


def header(biller: Biller, **body: Any) -> list[str]:
    """The header of the file."""
    return next(csv.reader(io.StringIO(biller.file(biller.finish(**body)).text)))


def test_fields_are_those_asked_for_in_their_order_else_all(biller: Biller) -> None:
    asked = ["lifetimeRevenue/amount", "id", "averageValue.currency"]
    small = {"arguments": {"filter": "status:blocked", "sort": "id"}, "resource": "customers"}
    assert header(biller, fields=asked, **small) == ["lifetimeRevenue.amount", "id", "averageValue.currency"]
    for fields in ([], None):
        assert header(biller, fields=fields, **small)[:3] == ["id", "email", "firstName"]
    assert "lifetimeRevenue" in header(biller, fields=None, **small)


def test_detailed_csv_has_the_members_of_objects_and_custom_fields_as_columns(biller: Biller) -> None:
    names = header(
        biller, resource="customers", format="detailed-csv", fields=None, arguments={"filter": "status:blocked"}
    )
    assert names[8:12] == [
        f"{each}.{part}" for each in ("lifetimeRevenue", "averageValue") for part in ("currency", "amount")
    ]
    assert header(biller, resource="customers", format="detailed-csv", fields=["averageValue", "id"]) == [
        "averageValue.currency",
        "averageValue.amount",
        "id",
    ]
    few: dict[str, Any] = {"arguments": {"filter": "stage:Lead;contactType:ARCHIVED;firstName:A"}}
    custom = header(biller, resource="contacts", format="detailed-csv", fields=None, **few)
    assert set(custom) > set(header(biller, resource="contacts", fields=None, **few))


def test_more_than_a_million_records_come_as_a_zip_of_parts(biller: Biller) -> None:
    made = biller.queue()
    job = find_external_export(biller.demo.runtime, local_principal(biller.demo.runtime, "acme"), "rebilly", made["id"])
    assert (job.request.part_rows, job.request.parts_if_needed) == (1_000_000, True)


def test_arguments_filter_sort_and_search(biller: Biller) -> None:
    won = biller.finish(
        fields=["status", "amount"], arguments={"filter": "status:!lost,!won;amount:100..2000", "sort": "-amount"}
    )
    found = [line.split(",") for line in biller.rows(won)[1:]]
    assert found
    assert {status for status, _ in found} == {"response-needed", "under-review", "forfeited"}
    assert [float(amount) for _, amount in found] == sorted((float(amount) for _, amount in found), reverse=True)
    one = biller.finish(resource="customers", fields=["email"], arguments={"q": "CUSTOMER77@"})
    assert biller.rows(one) == ["email", "customer77@acme.example"]


def test_a_date_range_is_half_open_over_the_created_time_unless_it_names_a_field(biller: Biller) -> None:
    biller.demo.clock.at = NOON
    day = {"start": "2026-03-01T00:00:00Z", "end": "2026-03-02T00:00:00Z"}
    made = biller.finish(resource="invoices", fields=["createdTime", "dueTime"], dateRange=day)
    assert made["dateRange"] == {**day, "field": "createdTime"}
    assert {line[:10] for line in biller.rows(made)[1:]} == {"2026-03-01"}
    due = biller.finish(resource="invoices", fields=["createdTime", "dueTime"], dateRange={**day, "field": "dueTime"})
    assert {line.split(",")[1][:10] for line in biller.rows(due)[1:]} == {"2026-03-01"}


def test_no_range_is_all_time_also_as_old_samples_write_it(biller: Biller) -> None:
    counts = {biller.finish(dateRange=dates)["recordCount"] for dates in (None, [], {"range": "all"}, {})}
    assert len(counts) == 1
    assert biller.finish(dateRange={"range": "all"})["dateRange"] is None


def test_a_resource_without_a_created_time_takes_the_date_of_its_dataset(biller: Biller) -> None:
    made = biller.finish(
        resource="time_entries", fields=["date"], dateRange={"start": "2026-01-05", "end": "2026-01-05"}
    )
    assert set(biller.rows(made)[1:]) == {"2026-01-05"}


def test_an_export_goes_through_its_states(biller: Biller) -> None:
    biller.demo.clock.at = NOON
    made = biller.queue()
    assert (made["status"], made["fileId"], made["recordCount"]) == ("queued", None, 0)
    assert list(links(made)) == ["self", "user"]
    assert made["scheduledTime"] == made["createdTime"] == made["updatedTime"] == "2026-03-10T12:00:00Z"
    biller.demo.clock.at = NOON + timedelta(seconds=5)
    claim_run(biller.demo.runtime, made["id"], 0)
    begun = biller.get(made["id"])
    assert (begun["status"], begun["updatedTime"]) == ("processing", "2026-03-10T12:00:05Z")
    assert biller.put(made["id"]).status_code == 409
    cancel_export(biller.demo.runtime, local_principal(biller.demo.runtime, "acme"), made["id"])
    assert (biller.get(made["id"])["status"], biller.get(made["id"])["failureReason"]) == ("failed", None)


def test_an_export_that_has_too_many_rows_says_so(biller: Biller) -> None:
    with renamed(biller.demo, "disputes", row_limit=3) as limited:
        failed = Biller(limited).finish()
    assert (failed["status"], failed["failureReason"]) == ("failed", "record-limit-exceeded")
    assert (failed["fileId"], list(links(failed))) == (None, ["self", "user"])


def test_an_export_that_failed_for_good_was_tried_often_enough(biller: Biller) -> None:
    made = biller.queue()
    while claim_run(biller.demo.runtime, made["id"], 0) is not None:
        pass  # its machine is lost, each time
    failed = biller.get(made["id"])
    assert (failed["status"], failed["failureReason"]) == ("failed", "max-retries-reached")


def test_the_signed_link_needs_no_key_and_lasts_an_hour(biller: Biller) -> None:
    biller.demo.clock.at = NOON
    made = biller.finish()
    url = links(made)["signedLink"]
    assert biller.demo.client.get(url).text == biller.file(made).text
    assert biller.demo.client.get(url, headers={"Range": "bytes=0-1"}).status_code == 206
    assert biller.demo.client.get(url.replace("signature=", "signature=x")).status_code == 403
    biller.demo.clock.at = NOON + timedelta(seconds=3601)
    assert biller.demo.client.get(url).status_code == 410


def test_who_may_not_read_what_is_in_a_file_is_not_led_to_it(biller: Biller) -> None:
    made = biller.finish(resource="contacts", fields=["taxId"], arguments={"filter": "stage:Lead;contactType:ARCHIVED"})
    reader = Biller(biller.demo, "reader")
    assert list(links(made)) == ["self", "user", "download", "signedLink"]
    assert list(links(reader.get(made["id"]))) == ["self", "user"]
    assert reader.get(made["id"], expand="file")["_embedded"] == {"file": None}
    assert reader.ask("GET", f"/files/{made['fileId']}/download").status_code == 403


def test_expand_embeds_what_it_names_and_nothing_else(biller: Biller) -> None:
    made = biller.finish()
    assert "_embedded" not in made
    assert "_embedded" not in biller.get(made["id"], expand="organization")
    both = biller.get(made["id"], expand="user, file")["_embedded"]
    assert both["user"]["id"] == made["userId"]
    assert both["file"] == biller.ask("GET", f"/files/{made['fileId']}").json()
    assert biller.listed(expand="user")[0]["_embedded"] == {"user": both["user"]}


def test_every_field_is_echoed_and_times_are_in_utc_without_fractions(biller: Biller) -> None:
    biller.demo.clock.at = NOON
    said = {
        "name": "Täglich 🐳",
        "resource": "invoices",
        "format": "json-api",
        "arguments": {"filter": "status:paid", "sort": "-amount", "q": "a"},
        "fields": ["id", "amount"],
        "recurring": {"instruction": "RRULE:FREQ=WEEKLY;BYDAY=MO", "start": "2026-03-20T02:00:00.5+02:00"},
        "dateRange": {"start": "3 days ago midnight", "end": "now", "field": "dueTime"},
    }
    made = biller.queue(**said)
    recurring = {"instruction": "RRULE:FREQ=WEEKLY;BYDAY=MO", "start": "2026-03-20T00:00:00Z"}
    assert {name: made[name] for name in said} == {**said, "recurring": recurring}
    assert (made["status"], made["scheduledTime"]) == ("pending", "2026-03-23T00:00:00Z")


def test_a_name_that_cannot_be_shown_is_refused(biller: Biller) -> None:
    assert biller.wrong(name="a\nb") == biller.wrong(name=" ") == ["name"]


def test_mails_go_to_those_who_are_to_be_notified(biller: Biller) -> None:
    letters: list[Letter] = []

    def note(letter: Letter) -> Sent:
        letters.append(letter)
        return Sent()

    outbox = replace(biller.demo.runtime.outbox, mail=note, smtp=SmtpSpec("localhost", "offtake@example.com"))
    with changed(
        biller.demo, lambda runtime: replace(runtime, outbox=outbox, public_url="https://x.example")
    ) as mailing:
        office = Biller(mailing)
        assert office.wrong(emailNotification=["ops@example.com", "nobody"]) == ["emailNotification.1"]
        made = office.finish(name="mailed", emailNotification=["ops@example.com", "boss@example.com"])
        while deliver_next(mailing.runtime) is not None:
            pass
    assert made["emailNotification"] == ["ops@example.com", "boss@example.com"]
    (letter,) = letters
    assert letter.to == ("ops@example.com", "boss@example.com")
    assert f"/api/v1/exports/{made['id']}/download?" in letter.text


def test_too_many_requests_are_told_when_to_come_back(biller: Biller) -> None:
    counters = Counters(Limits(rate="2/minute"))
    with changed(biller.demo, lambda runtime: replace(runtime, counters=counters)) as busy:
        answers = [Biller(busy).ask("GET", "/data-exports/foobar-001") for _ in range(3)]
    refused = answers[-1]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert (refused.json()["title"], refused.json()["status"]) == ("Rate Limit Exceeded", 429)
    for name in (
        "Retry-After",
        "X-RateLimit-Retry-After",
        "X-RateLimit-Limit",
        "X-RateLimit-Remaining",
        "Rate-Limit-Limit",
    ):
        assert int(refused.headers[name]) >= 0


def test_a_revoked_key_and_one_without_scopes_are_told_apart(biller: Biller) -> None:
    owner = local_principal(biller.demo.runtime, None)
    _, secret = create_key(biller.demo.runtime, owner, tenant="acme", scopes=("reports:read",))
    assert Biller(biller.demo, secret).ask("GET", "/data-exports").status_code == 200
    assert Biller(biller.demo, "none").ask("GET", "/data-exports").status_code == 403


def test_an_export_is_written_down_in_the_audit(biller: Biller) -> None:
    made = biller.finish()
    lines = biller.demo.client.get("/api/v1/audit?limit=20", headers={"x-api-key": biller.demo.keys["admin"]}).json()
    actions = [line["action"] for line in lines["data"] if line["thing"] == made["id"]]
    assert {"export.submit", "export.succeeded"} <= set(actions)


def test_errors_are_json_that_clients_can_show(biller: Biller) -> None:
    answer = biller.ask("POST", "/data-exports", content=json.dumps({"name": "x", "format": "csv", "resource": 7}))
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert body["error"] == body["detail"]
    assert body["invalidFields"] == [{"field": "resource", "message": "resource takes text."}]
