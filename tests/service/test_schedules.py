"""Schedules: what they run, what they make up for, when they wait, who owns them, what they refuse."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from offtake.appdb.jobs import oldest_waiting
from offtake.appdb.tables_saved import AUDIT
from offtake.errors import Conflict, InsufficientScope, InvalidRequest, NotFound, OfftakeError, PreconditionFailed
from offtake.model.dataset import Field, FieldType
from offtake.model.delivery import Target, WebhookRules
from offtake.model.export import DateRange, ExportRequest, FieldChoice
from offtake.model.job import JobLimits
from offtake.model.ports import StoreSpec
from offtake.model.schedule import CatchUp, Delta, Overlap, RunState, Schedule, ScheduleState
from offtake.notify import open_outbox
from offtake.service.access import authenticate, local_principal, revoke_key
from offtake.service.definitions import delete_definition
from offtake.service.deliveries import deliver_next
from offtake.service.exports import cancel_export, delete_export, read_manifest, retry_export
from offtake.service.schedules import (
    change_schedule,
    create_schedule,
    delete_schedule,
    find_schedule,
    list_schedules,
    next_instants,
    pause_schedule,
    resume_schedule,
    run_schedule,
)
from offtake.service.ticks import PATIENCE, take_due
from offtake.service.webhooks import create_webhook
from offtake.store import open_store
from receivers import receiving
from service.at_work import CLERK, FOREIGN, READER
from service.calendar import Office, open_office
from sites import NOW, NUMBERS, FakeSource, failing_after, few, make_key

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
AT = Field("at", FieldType.DATETIME, "at", "At")
DATED = replace(NUMBERS, name="dated", fields=(*NUMBERS.fields, AT), date_field="at")
BROKEN = replace(NUMBERS, name="broken", source="dead")


class Counted(FakeSource):
    """A source that cannot be counted while it is down."""

    def count(self, plan: Any, stop: Any) -> int:
        self.ping()
        return self.matched


@pytest.fixture
def office(tmp_path: Path) -> Office:
    sources = {"fake": Counted(few, matched=3), "dead": FakeSource(failing_after(0))}
    opened = open_office(tmp_path, NUMBERS, DATED, BROKEN, sources=sources, job_limits=JobLimits(attempts=1))
    return replace(opened, source=sources["fake"])


def states(office: Office, schedule: Schedule) -> list[RunState]:
    return [run.state for run in office.runs(schedule)]


def test_a_due_instant_becomes_one_export_that_is_written_down(office: Office) -> None:
    made = office.schedule("FREQ=DAILY")
    assert made.next_at == NOW + DAY  # the instant it was made at has begun
    office.tick(NOW + DAY + timedelta(seconds=1))
    office.tick()
    office.work()
    (run,) = office.runs(made)
    assert (run.instant, run.state) == (NOW + DAY, RunState.SUCCEEDED)
    assert office.job(run).definition_id == made.draft.definition_id
    shown = office.look(made)
    assert (shown.next_at, shown.last_at, shown.runs, shown.version) == (NOW + 2 * DAY, NOW + DAY, 1, 1)


def test_relative_dates_mean_the_instant_however_late_it_runs(office: Office) -> None:
    yesterday = DateRange("yesterday midnight", "today midnight")
    request = ExportRequest("dated", fields=(FieldChoice("n"),), date_range=yesterday, timezone="America/Santiago")
    made = office.schedule("FREQ=DAILY;BYHOUR=23;BYMINUTE=30", request, timezone="America/Santiago")
    office.tick(NOW + 10 * DAY)
    office.clock.at = NOW + 11 * DAY
    office.work()
    run = office.runs(made)[-1]
    assert run.instant == datetime(2026, 5, 27, 3, 30, tzinfo=UTC)
    job = office.job(run)
    assert (job.as_of, job.due_at) == (run.instant, NOW + 10 * DAY)
    shown = read_manifest(office.runtime, CLERK, job.id)["filter"]
    assert "2026-05-25T04:00:00Z" in str(shown)
    assert "2026-05-26T04:00:00Z" in str(shown)


def test_what_is_caught_up_waits_since_it_was_put_into_the_queue(office: Office) -> None:
    made = office.schedule("FREQ=DAILY")
    office.tick(NOW + DAY + 5 * HOUR)
    (run,) = office.runs(made)
    job = office.job(run)
    assert (run.instant, job.due_at) == (NOW + DAY, office.clock.at)
    assert oldest_waiting(office.runtime.appdb, office.clock.at) == office.clock.at


def test_the_export_of_a_run_means_its_instant_when_it_is_retried_too(office: Office) -> None:
    made = office.schedule("FREQ=DAILY")
    office.tick(NOW + DAY)
    (run,) = office.runs(made)
    cancel_export(office.runtime, CLERK, office.job(run).id)
    office.clock.at += 3 * DAY
    retried = retry_export(office.runtime, CLERK, office.job(run).id)
    assert (retried.as_of, retried.due_at) == (run.instant, office.clock.at)


@pytest.mark.parametrize(
    ("policy", "hours"),
    [(CatchUp.SKIP, []), (CatchUp.ONE, [5]), (CatchUp.ALL, [3, 4, 5])],
)
def test_what_was_missed_is_made_up_for_as_was_wished(office: Office, policy: CatchUp, hours: list[int]) -> None:
    made = office.schedule("FREQ=HOURLY", catch_up=policy, catch_up_limit=3, overlap=Overlap.ALLOW)
    office.tick(NOW + 5 * HOUR + timedelta(minutes=30))
    for _ in range(3):
        office.tick()
    runs = office.runs(made)
    assert [run.instant for run in runs if run.state is RunState.SUBMITTED] == [NOW + hour * HOUR for hour in hours]
    (skipped,) = [run for run in runs if run.state is RunState.SKIPPED]
    assert skipped.reason.startswith(f"{5 - len(hours)} instants")
    assert office.look(made).next_at == NOW + 6 * HOUR


def test_an_instant_a_moment_ago_was_not_missed(office: Office) -> None:
    made = office.schedule("FREQ=HOURLY", catch_up=CatchUp.SKIP)
    office.tick(NOW + HOUR + timedelta(seconds=59))
    assert states(office, made) == [RunState.SUBMITTED]


@pytest.mark.parametrize(
    ("overlap", "then", "at_last"),
    [
        (Overlap.SKIP, ["submitted", "skipped"], ["succeeded", "skipped"]),
        (Overlap.QUEUE, ["submitted", "waiting"], ["succeeded", "submitted"]),
        (Overlap.ALLOW, ["submitted", "submitted"], ["succeeded", "succeeded"]),
    ],
)
def test_a_run_that_is_not_over_is_met_as_was_wished(
    office: Office, overlap: Overlap, then: list[str], at_last: list[str]
) -> None:
    made = office.schedule("FREQ=HOURLY", overlap=overlap)
    office.tick(NOW + HOUR)
    office.tick(NOW + 2 * HOUR)
    office.tick()
    assert states(office, made) == then
    office.work()
    office.tick()
    assert states(office, made) == at_last


def test_nothing_is_made_of_no_rows_if_so_wished(office: Office) -> None:
    made = office.schedule("FREQ=HOURLY", skip_if_empty=True)
    office.source.matched = 0
    office.tick(NOW + HOUR)
    office.source.matched = 1
    office.tick(NOW + 2 * HOUR)
    assert states(office, made) == [RunState.SKIPPED, RunState.SUBMITTED]
    assert office.runs(made)[0].reason == "There were no rows."


def test_an_export_that_fails_is_told_to_its_owner(office: Office) -> None:
    made = office.schedule("FREQ=HOURLY", ExportRequest("broken"))
    office.tick(NOW + HOUR)
    office.work()
    (run,) = office.runs(made)
    assert (run.state, run.reason) == (RunState.FAILED, "The database broke off: s3cret-driver-text.")
    with office.runtime.appdb.read() as connection:
        (told,) = connection.execute(sa.select(AUDIT).where(AUDIT.c.action == "schedule.failed")).all()
    assert (told.thing, told.tenant, told.outcome) == (made.id, "acme", "failed")


def test_a_failed_run_is_told_to_webhooks(office: Office) -> None:
    with receiving() as receiver:
        rules = WebhookRules(frozenset({"127.0.0.1"}), 2.0)
        office.runtime = replace(
            office.runtime, outbox=open_outbox(None, rules, {}), public_url="https://x.example.com"
        )
        create_webhook(office.runtime, CLERK, receiver.url, ["schedule.failed"])
        made = office.schedule("FREQ=HOURLY", ExportRequest("dated"))
        office.runtime.datasets.pop("dated")  # type: ignore[attr-defined]
        office.tick(NOW + HOUR)
        office.tick()
        while deliver_next(office.runtime):
            pass
        (told,) = [json.loads(body) for _, body in receiver.calls]
    assert (told["type"], told["data"]["schedule_id"]) == ("schedule.failed", made.id)
    assert told["data"]["reason"] == office.runs(made)[0].reason
    assert told["data"]["links"]["runs"] == f"https://x.example.com/api/v1/schedules/{made.id}/runs"


def test_each_file_goes_where_the_schedule_says(office: Office, tmp_path: Path) -> None:
    archive = Target(open_store(StoreSpec(str(tmp_path / "archive"))))
    outbox = open_outbox(None, WebhookRules(frozenset(), 2.0), {"archive": archive})
    office.runtime = replace(office.runtime, outbox=outbox, public_url="https://x.example.com")
    wish = {"channel": "store", "target": "archive", "name": "{date}.csv"}
    made = office.schedule("FREQ=DAILY", deliveries=(wish,))
    assert office.look(made).draft.deliveries == (wish,)
    office.tick(NOW + DAY)
    office.work()
    assert deliver_next(office.runtime)
    assert [Path(file.name).name for file in archive.store.list()] == ["2026-05-18.csv"]


def test_an_export_that_is_cancelled_or_deleted_ends_its_run(office: Office) -> None:
    made = office.schedule("FREQ=HOURLY", overlap=Overlap.ALLOW)
    office.tick(NOW + HOUR)
    office.tick(NOW + 2 * HOUR)
    first, second = office.runs(made)
    cancel_export(office.runtime, CLERK, str(first.job_id))
    delete_export(office.runtime, CLERK, str(second.job_id))
    office.tick()
    assert states(office, made) == [RunState.CANCELLED, RunState.CANCELLED]


def test_a_key_that_has_ended_runs_nothing_more(office: Office) -> None:
    holder = authenticate(office.runtime, make_key(office.runtime, "reports:read", "reports:write"))
    office.who = holder
    made = office.schedule("FREQ=HOURLY")
    revoke_key(office.runtime, local_principal(office.runtime, None), holder.id)
    office.tick(NOW + HOUR)
    office.who = CLERK
    (run,) = office.runs(made)
    assert (run.state, run.reason) == (RunState.FAILED, "The key that asked for this has ended.")


def test_a_dataset_that_is_gone_fails_the_run_and_not_the_ticking(office: Office) -> None:
    made, other = office.schedule("FREQ=HOURLY", ExportRequest("dated")), office.schedule("FREQ=HOURLY")
    office.runtime.datasets.pop("dated")  # type: ignore[attr-defined]
    office.tick(NOW + HOUR)
    assert states(office, made) == [RunState.FAILED]
    assert states(office, other) == [RunState.SUBMITTED]


def test_a_source_that_does_not_answer_is_waited_for_a_while(office: Office) -> None:
    made = office.schedule("FREQ=DAILY", skip_if_empty=True)
    office.source.is_up = False
    office.tick(NOW + DAY)
    assert states(office, made) == [RunState.WAITING]
    office.source.is_up = True
    office.tick(NOW + DAY + timedelta(seconds=20))
    assert states(office, made) == [RunState.SUBMITTED]
    office.work()
    office.source.is_up = False
    office.tick(NOW + 2 * DAY)
    office.tick(NOW + 2 * DAY + PATIENCE)
    assert states(office, made)[1:] == [RunState.FAILED]


def test_a_rule_that_runs_out_ends_its_schedule(office: Office) -> None:
    made = office.schedule("FREQ=HOURLY;COUNT=3")
    office.tick(NOW + HOUR)
    assert office.look(made).state is ScheduleState.ACTIVE
    office.tick(NOW + 2 * HOUR)
    assert (office.look(made).state, office.look(made).next_at) == (ScheduleState.ENDED, None)
    assert next_instants(office.runtime, CLERK, made.id, 5) == ()
    with pytest.raises(Conflict):
        pause_schedule(office.runtime, CLERK, made.id)


def test_the_end_is_local_and_included(office: Office) -> None:
    start, end = datetime(2026, 5, 17, 9), datetime(2026, 5, 20, 9)  # noqa: DTZ001
    made = office.schedule("FREQ=DAILY", timezone="America/Santiago", start=start, end=end)
    assert [f"{each:%d %H}" for each in next_instants(office.runtime, CLERK, made.id, 9)] == [
        "17 13", "18 13", "19 13", "20 13"
    ]  # fmt: skip


def test_instants_of_a_pause_are_not_made_up_for(office: Office) -> None:
    made = office.schedule("FREQ=HOURLY", overlap=Overlap.QUEUE)
    office.tick(NOW + HOUR)
    office.clock.at = NOW + 2 * HOUR
    take_due(office.runtime)
    paused = pause_schedule(office.runtime, CLERK, made.id)
    assert (paused.state, paused.next_at, paused.version) == (ScheduleState.PAUSED, None, 2)
    assert pause_schedule(office.runtime, CLERK, made.id) == paused
    assert next_instants(office.runtime, CLERK, made.id, 5) == ()
    office.tick(NOW + 5 * HOUR)
    assert states(office, made) == [RunState.SUBMITTED, RunState.SKIPPED]
    assert resume_schedule(office.runtime, CLERK, made.id).next_at == NOW + 6 * HOUR
    office.tick(NOW + 5 * HOUR + timedelta(minutes=1))
    assert len(office.runs(made)) == 2


def test_run_now_runs_a_paused_one_too_and_changes_no_instant(office: Office) -> None:
    made = office.schedule("FREQ=DAILY")
    pause_schedule(office.runtime, CLERK, made.id)
    run = run_schedule(office.runtime, CLERK, made.id)
    assert (run.state, run.instant) == (RunState.SUBMITTED, NOW)
    office.clock.at = NOW + timedelta(seconds=1)
    assert run_schedule(office.runtime, CLERK, made.id).state is RunState.SKIPPED


def test_a_deleted_definition_ends_its_schedules(office: Office) -> None:
    made = office.schedule("FREQ=HOURLY")
    office.tick(NOW + HOUR)
    delete_definition(office.runtime, CLERK, made.draft.definition_id)
    office.tick(NOW + 2 * HOUR)
    with pytest.raises(NotFound):
        office.look(made)
    assert office.runs(made) == []


def test_whoever_changes_a_schedule_owns_it(office: Office) -> None:
    made = office.schedule("FREQ=DAILY")
    other = replace(CLERK, id="successor")
    changed = change_schedule(office.runtime, other, made.id, lambda found: replace(found.draft, skip_if_empty=True))
    assert (changed.owner.id, changed.version, changed.draft.skip_if_empty) == ("successor", 2, True)


def test_an_editor_who_saw_an_older_version_is_told(office: Office) -> None:
    made = office.schedule("FREQ=DAILY")
    with pytest.raises(PreconditionFailed):
        change_schedule(office.runtime, CLERK, made.id, lambda found: found.draft, is_seen=lambda version: version == 7)
    with pytest.raises(PreconditionFailed):
        delete_schedule(office.runtime, CLERK, made.id, is_seen=lambda version: version == 7)


def test_schedules_are_their_tenants(office: Office) -> None:
    made = office.schedule("FREQ=DAILY")
    for use in (find_schedule, pause_schedule, resume_schedule, delete_schedule, run_schedule):
        with pytest.raises(NotFound):
            use(office.runtime, FOREIGN, made.id)
    assert list_schedules(office.runtime, FOREIGN) == ()
    assert [each.id for each in list_schedules(office.runtime, READER)] == [made.id]
    for change in (pause_schedule, resume_schedule, delete_schedule, run_schedule):
        with pytest.raises(InsufficientScope):
            change(office.runtime, READER, made.id)


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"rrule": "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30"}, "/rrule"),
        ({"rrule": "FREQ=DAILY;UNTIL=20200101"}, "/rrule"),
        ({"timezone": "America/Santigo"}, "/timezone"),
        ({"start": NOW}, "/start"),
        ({"start": datetime(9000, 1, 1)}, "/start"),  # noqa: DTZ001
        ({"catch_up": CatchUp.ALL}, "/overlap"),
        ({"catch_up_limit": 0}, "/catch_up_limit"),
        ({"delta": Delta("n"), "overlap": Overlap.ALLOW}, "/overlap"),
        ({"delta": Delta("text")}, "/delta/field"),
        ({"delta": Delta("m")}, "/delta/field"),
        ({"delta": Delta("n", -1)}, "/delta/settle_s"),
        ({"delta": Delta("n"), "request": ExportRequest("numbers", limit=5)}, "/delta"),
        ({"deliveries": ({"channel": "pigeon"},)}, "/deliveries/0/channel"),
    ],
)
def test_what_could_not_run_is_refused_when_it_is_made(office: Office, change: dict[str, Any], place: str) -> None:
    given = {"rrule": "FREQ=DAILY", **change}
    with pytest.raises(OfftakeError) as refusal:
        office.schedule(given.pop("rrule"), **given)
    assert [pointer for pointer, _ in refusal.value.problems] == [place]


def test_a_definition_nobody_knows_cannot_be_scheduled(office: Office) -> None:
    made = office.schedule("FREQ=DAILY")
    with pytest.raises(InvalidRequest) as refusal:
        create_schedule(office.runtime, CLERK, replace(made.draft, definition_id="nobodys"))
    assert refusal.value.problems[0][0] == "/definition_id"
