"""Telling owners what went wrong with what they left to run by itself."""

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from offtake.appdb.audit import write_entry
from offtake.appdb.deliveries import find_deliveries
from offtake.errors import InvalidRequest
from offtake.model.audit import AuditEntry, Outcome
from offtake.model.delivery import Delivery, Event
from offtake.model.ids import new_id
from offtake.model.schedule import RunState, Schedule, ScheduleRun
from offtake.service.deliveries import announce
from offtake.service.recipients import MOST, check_deliveries
from offtake.service.runtime import Runtime

_MAILS = uuid.UUID("5d8c1f0e-6d0c-4c4b-9a57-3f1f6a0e2b11")  # the namespace of their ids (RFC 9562 §5.5)


def tell_owner(runtime: Runtime, connection: Any, run: ScheduleRun, reason: str, schedule: Schedule | None) -> None:
    """Say that a run of a schedule failed, in the transaction of that connection that makes it so.

    Whoever gets the schedule's files by mail is told by mail: here, if there is no export whose end tells them.
    """
    entry = AuditEntry(
        id=new_id(),
        at=runtime.now(),
        tenant=run.tenant,
        principal=None,
        action=Event.SCHEDULE_FAILED,
        outcome=Outcome.FAILED,
        thing=run.schedule_id,
        detail=run.job_id,
    )
    write_entry(connection, entry)
    own = f"/api/v1/schedules/{run.schedule_id}"
    told = {
        "schedule_id": run.schedule_id,
        "instant": run.instant.isoformat(),
        "export_id": run.job_id,
        "reason": reason,
        "links": {"self": own, "runs": f"{own}/runs"},
    }
    mails = {} if schedule is None or run.job_id else dict(_mails(runtime, run, schedule.draft.deliveries))
    announce(runtime, connection, run.tenant, Event.SCHEDULE_FAILED, told, mails)


def notices_of(runtime: Runtime, runs: Iterable[ScheduleRun]) -> Mapping[datetime, Sequence[Delivery]]:
    """The mails that tell of those of a schedule's runs that failed before they had an export, by their instants."""
    failed = [run for run in runs if run.state is RunState.FAILED and run.job_id is None]
    ids = {run.instant: [_mail_id(run, number) for number in range(MOST)] for run in failed}
    found = find_deliveries(runtime.appdb, [id_ for each in ids.values() for id_ in each]) if failed else {}
    return {instant: [found[id_] for id_ in each if id_ in found] for instant, each in ids.items()}


def _mails(
    runtime: Runtime, run: ScheduleRun, wishes: Sequence[Mapping[str, Any]]
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for number, wish in enumerate(wishes):
        if wish["channel"] == "mail":
            with suppress(InvalidRequest):  # the settings no longer allow mail there
                yield _mail_id(run, number), check_deliveries(runtime, [wish])[0]


def _mail_id(run: ScheduleRun, number: int) -> str:
    """The id of the delivery by the schedule's so many-th wish: it can be told from the run."""
    return str(uuid.uuid5(_MAILS, f"{run.schedule_id} {run.instant.timestamp()} {number}"))
