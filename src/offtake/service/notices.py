"""Telling owners what went wrong with what they left to run by itself."""

from typing import Any

from offtake.appdb.audit import write_entry
from offtake.model.audit import AuditEntry, Outcome
from offtake.model.delivery import Event
from offtake.model.ids import new_id
from offtake.model.schedule import ScheduleRun
from offtake.service.deliveries import announce
from offtake.service.runtime import Runtime


def tell_owner(runtime: Runtime, connection: Any, run: ScheduleRun, reason: str) -> None:
    """Say that a run of a schedule failed, in the transaction of that connection that makes it so."""
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
    announce(runtime, connection, run.tenant, Event.SCHEDULE_FAILED, told)
