"""What the end of an export sends: exactly one of each is written down, and each arrives at least once."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook as Verifier

from offtake.app import close_runtime
from offtake.appdb import deliveries as table
from offtake.errors import Conflict, InvalidConfig, InvalidRequest, NotFound
from offtake.model.access import Secret
from offtake.model.delivery import Delivery, DeliveryState, Event, Target, WebhookRules
from offtake.model.job import ExportJob
from offtake.model.ports import Stop, StoreSpec
from offtake.notify import open_outbox
from offtake.service.deliveries import LEASES, announce, attempt, deliver_next, deliveries_of, redeliver
from offtake.service.exports import cancel_export, retry_export
from offtake.service.runs import run_attempt
from offtake.service.runtime import Runtime
from offtake.service.sealing import seal, unseal
from offtake.service.webhooks import create_webhook, delete_webhook, rotate_secret, try_webhook
from offtake.store import open_store
from receivers import Receiver, receiving
from service.at_work import CLERK, FOREIGN, READER, claim, find, run, submit
from sites import NUMBERS, FakeSource, asking, failing_after, few, make_runtime

BROKEN = replace(NUMBERS, name="broken", source="dead")


class Clock:
    """The time it is, until a test moves it."""

    def __init__(self) -> None:
        self.at = datetime.now(UTC)  # receivers refuse calls that are older than five minutes

    def __call__(self) -> datetime:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def runtime(tmp_path: Path, clock: Clock) -> Iterator[Runtime]:
    sources = {"fake": FakeSource(few), "dead": FakeSource(failing_after(0))}
    runtime = make_runtime(tmp_path, sources, NUMBERS, BROKEN, now=clock)
    targets = {"archive": Target(open_store(StoreSpec(str(tmp_path / "archive"))))}
    outbox = open_outbox(None, WebhookRules(frozenset({"127.0.0.1"}), 2.0), targets)
    runtime = replace(runtime, outbox=outbox, public_url="https://exports.example.com")
    yield runtime
    close_runtime(runtime)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


def deliver_all(runtime: Runtime) -> list[Delivery]:
    """Send whatever is due by now."""
    return list(iter(lambda: deliver_next(runtime), None))


def sent_for(runtime: Runtime, job: ExportJob) -> tuple[Delivery, ...]:
    return deliveries_of(runtime, [job]).get(job.id, ())


def test_a_webhook_is_told_of_the_end_in_words_that_the_reference_library_verifies(
    runtime: Runtime, receiver: Receiver
) -> None:
    _, secret = create_webhook(runtime, CLERK, receiver.url, ["export.succeeded"])
    job = run(runtime, submit(runtime))
    (done,) = deliver_all(runtime)
    headers, body = receiver.calls[0]
    told = Verifier(secret).verify(body, headers)
    assert (told["type"], told["data"]["export_id"], told["data"]["rows"]) == ("export.succeeded", job.id, 3)
    assert told["data"]["links"]["download"] == f"https://exports.example.com/api/v1/exports/{job.id}/download"
    assert (done.state, done.status, done.attempts) == ("succeeded", 204, 1)
    assert headers["webhook-id"] == done.id


def test_each_end_is_told_to_who_wants_it_and_to_nobody_else(runtime: Runtime, receiver: Receiver) -> None:
    create_webhook(runtime, CLERK, receiver.url, ["export.failed"])
    create_webhook(runtime, CLERK, receiver.url, ["export.cancelled"])
    create_webhook(runtime, FOREIGN, receiver.url, ["export.succeeded", "export.failed", "export.cancelled"])
    failed = submit(runtime, CLERK, replace(submit(runtime).request, dataset="broken"))
    for _ in range(runtime.job_limits.attempts):
        run(runtime, failed)
    cancel_export(runtime, CLERK, submit(runtime).id)
    deliver_all(runtime)
    told = [json.loads(body) for _, body in receiver.calls]
    assert [each["type"] for each in told] == ["export.failed", "export.cancelled"]
    assert told[0]["data"]["error"] == "SOURCE_FAILED"


def tell_foreign(_runtime: Runtime, job: ExportJob, event: Event) -> dict[str, str | None]:
    return {"name": job.name, "what": event}


def test_a_webhook_of_a_foreign_api_is_told_in_its_words_of_what_was_made_through_it(
    runtime: Runtime, receiver: Receiver
) -> None:
    runtime = replace(runtime, telling=lambda name: tell_foreign if name == "rebilly" else None)
    webhook, secret = create_webhook(runtime, CLERK, receiver.url, ["export.succeeded"], "rebilly")
    for dialect in ("rebilly", "exelensia", None):
        run(runtime, submit(runtime, name=f"of {dialect}", dialect=dialect))
    deliver_all(runtime)
    (call,) = receiver.calls
    assert Verifier(secret).verify(call[1], call[0]) == {"name": "of rebilly", "what": "export.succeeded"}
    try_webhook(runtime, CLERK, webhook.id)
    assert json.loads(receiver.calls[-1][1])["type"] == "test"


def test_a_webhook_of_an_api_that_tells_nothing_is_refused_and_one_of_an_api_that_is_gone_is_not_called(
    runtime: Runtime, receiver: Receiver
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        create_webhook(runtime, CLERK, receiver.url, ["export.succeeded"], "rebilly")
    assert caught.value.problems[0][0] == "/dialect"
    create_webhook(
        replace(runtime, telling=lambda _: tell_foreign), CLERK, receiver.url, ["export.succeeded"], "rebilly"
    )
    run(runtime, submit(runtime, dialect="rebilly"))
    (done,) = deliver_all(runtime)
    assert (done.state, receiver.calls) == ("failed", [])


def test_a_job_without_anybody_to_tell_makes_no_delivery(runtime: Runtime) -> None:
    assert sent_for(runtime, run(runtime, submit(runtime))) == ()


def test_nobody_asks_what_was_delivered_of_a_job_that_never_ended(runtime: Runtime) -> None:
    create_webhook(runtime, CLERK, "http://127.0.0.1:9/", ["export.cancelled"])
    job = submit(runtime)
    running = claim(runtime, job)
    with asking(runtime) as sent:
        assert sent_for(runtime, running) == ()
    assert sent == []
    cancel_export(runtime, READER, job.id)
    told = sent_for(runtime, find(runtime, job))
    assert [delivery.event for delivery in told] == [Event.EXPORT_CANCELLED]
    assert sent_for(runtime, retry_export(runtime, READER, job.id)) == told


def test_two_secrets_sign_for_a_day_after_a_rotation(runtime: Runtime, receiver: Receiver, clock: Clock) -> None:
    webhook, old = create_webhook(runtime, CLERK, receiver.url, ["export.succeeded"])
    _, new = rotate_secret(runtime, CLERK, webhook.id)
    assert try_webhook(runtime, CLERK, webhook.id).state is DeliveryState.SUCCEEDED
    headers, body = receiver.calls[0]
    assert Verifier(old).verify(body, headers) == Verifier(new).verify(body, headers)
    assert len(headers["webhook-signature"].split()) == 2
    clock.at += timedelta(days=1, seconds=1)
    try_webhook(runtime, CLERK, webhook.id)
    assert len(receiver.calls[1][0]["webhook-signature"].split()) == 1


def test_secrets_are_sealed_under_the_newest_and_opened_by_any(runtime: Runtime) -> None:
    webhook, secret = create_webhook(runtime, CLERK, "https://example.com/", ["export.succeeded"])
    assert secret not in webhook.secret
    newer = replace(runtime, secrets=(*runtime.secrets, Secret("k2", b"another secret that only tests know")))
    assert unseal(newer, webhook.secret) == secret
    with pytest.raises(InvalidConfig):
        unseal(runtime, seal(newer, "x"))


def test_what_fails_is_tried_ten_times_over_a_day(runtime: Runtime, receiver: Receiver, clock: Clock) -> None:
    receiver.status = 503
    create_webhook(runtime, CLERK, receiver.url, ["export.succeeded"])
    began = clock.at
    job = run(runtime, submit(runtime))
    while (delivery := (deliver_all(runtime) or sent_for(runtime, job))[-1]).next_at is not None:
        assert (delivery.state, delivery.status) == ("pending", 503)
        clock.at = delivery.next_at
    assert (delivery.state, delivery.attempts, len(receiver.calls)) == ("failed", 10, 10)
    assert delivery.error == "The receiver answered 503."
    assert timedelta(hours=18) < clock.at - began < timedelta(hours=30)
    assert {headers["webhook-id"] for headers, _ in receiver.calls} == {delivery.id}
    assert find(runtime, job).state == "succeeded"


def test_one_that_failed_can_be_sent_once_more_under_its_id(runtime: Runtime, receiver: Receiver) -> None:
    receiver.status = 410
    create_webhook(runtime, CLERK, receiver.url, ["export.succeeded"])
    run(runtime, submit(runtime))
    (failed,) = deliver_all(runtime)
    assert (failed.state, failed.attempts) == ("failed", 1)
    receiver.status = 200
    redeliver(runtime, CLERK, failed.id)
    with pytest.raises(Conflict):
        redeliver(runtime, CLERK, failed.id)
    (done,) = deliver_all(runtime)
    assert (done.id, done.state, done.error) == (failed.id, "succeeded", None)
    with pytest.raises(NotFound):
        redeliver(runtime, FOREIGN, failed.id)


def test_a_courier_that_dies_between_sending_and_writing_it_down_has_it_sent_again(
    runtime: Runtime, receiver: Receiver, clock: Clock
) -> None:
    create_webhook(runtime, CLERK, receiver.url, ["export.succeeded"])
    run(runtime, submit(runtime))
    claimed = table.claim_due(runtime.appdb, clock.at, LEASES)
    assert claimed is not None
    dead = replace(runtime, appdb=DyingAfterwards(runtime))  # type: ignore[arg-type]
    with pytest.raises(Killed):
        attempt(dead, claimed)
    assert deliver_all(runtime) == []  # its lease lasts
    clock.at += LEASES["webhook"]
    (again,) = deliver_all(runtime)
    assert (again.id, again.attempts, again.state) == (claimed.id, 2, "succeeded")
    assert [headers["webhook-id"] for headers, _ in receiver.calls] == [claimed.id] * 2


class Killed(BaseException):
    """Nobody catches a kill."""


class DyingAfterwards:
    """The app database of a process that is killed before it writes."""

    def __init__(self, runtime: Runtime) -> None:
        self.read = runtime.appdb.read

    def write(self) -> Any:
        raise Killed


def test_many_couriers_send_each_delivery_once(runtime: Runtime, receiver: Receiver) -> None:
    create_webhook(runtime, CLERK, receiver.url, ["export.succeeded"])
    for _ in range(10):
        run(runtime, submit(runtime))
    with ThreadPoolExecutor(6) as couriers:
        for done in [couriers.submit(deliver_all, runtime) for _ in range(6)]:
            done.result(30)
    ids = [headers["webhook-id"] for headers, _ in receiver.calls]
    assert (len(ids), len(set(ids))) == (10, 10)


def test_an_address_inside_is_a_failure_that_says_not_allowed(runtime: Runtime) -> None:
    webhook, _ = create_webhook(runtime, CLERK, "http://localhost/", ["export.succeeded"])
    tried = try_webhook(runtime, CLERK, webhook.id)
    assert (tried.state, tried.status) == ("failed", None)
    assert "not allowed" in (tried.error or "")


def test_what_waits_for_a_deleted_webhook_is_forgotten(runtime: Runtime, receiver: Receiver) -> None:
    webhook, _ = create_webhook(runtime, CLERK, receiver.url, ["export.succeeded"])
    run(runtime, submit(runtime))
    delete_webhook(runtime, CLERK, webhook.id)
    assert (deliver_all(runtime), receiver.calls) == ([], [])


def test_an_event_is_announced_only_if_its_transaction_commits(runtime: Runtime, receiver: Receiver) -> None:
    create_webhook(runtime, CLERK, receiver.url, ["schedule.failed"])
    with suppress(Killed), runtime.appdb.write() as connection:
        announce(runtime, connection, "acme", Event.SCHEDULE_FAILED, {"schedule_id": "1"})
        raise Killed
    with runtime.appdb.write() as connection:
        announce(runtime, connection, "acme", Event.SCHEDULE_FAILED, {"schedule_id": "2"})
    deliver_all(runtime)
    assert [json.loads(body)["data"] for _, body in receiver.calls] == [{"schedule_id": "2"}]


def test_a_copy_lies_under_its_name_within_the_folder_of_its_tenant(runtime: Runtime, clock: Clock) -> None:
    wish = {"channel": "store", "target": "archive", "name": "../{dataset}/../../{date}-{filename}"}
    job = run(runtime, submit(runtime, deliveries=[wish]))
    (done,) = deliver_all(runtime)
    assert (done.state, done.channel) == ("succeeded", "store")
    archive = runtime.outbox.targets["archive"].store
    (copy,) = archive.list()
    assert job.artifact is not None
    assert copy.name == f"acme/numbers/{clock.at:%Y-%m-%d}-{job.artifact.filename}"
    assert b"".join(archive.read(copy.name)) == b"".join(runtime.store.read(job.artifact.name))


@pytest.mark.parametrize(
    ("wish", "pointer"),
    [
        ({"channel": "pigeon"}, "/deliveries/0/channel"),
        ({"channel": "store", "target": "arhive"}, "/deliveries/0/target"),
        ({"channel": "store", "target": "archive", "name": "{nope}"}, "/deliveries/0/name"),
        ({"channel": "store", "target": "archive", "to": ["a@b.c"]}, "/deliveries/0/to"),
        ({"channel": "mail", "to": ["a@b.c"]}, "/deliveries/0"),  # no mail server is configured
    ],
)
def test_a_delivery_that_cannot_be_is_refused_before_there_is_a_job(
    runtime: Runtime, wish: dict[str, Any], pointer: str
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        submit(runtime, deliveries=[wish])
    assert refused.value.problems[0][0] == pointer


def test_a_job_that_two_attempts_finished_tells_once(runtime: Runtime, receiver: Receiver) -> None:
    create_webhook(runtime, CLERK, receiver.url, ["export.succeeded"])
    job = submit(runtime)
    first, second = claim(runtime, job), claim(runtime, job)
    assert first.attempt != second.attempt
    assert [run_attempt(runtime, each, Stop()) for each in (first, second)] == [False, True]
    assert len(deliver_all(runtime)) == 1
