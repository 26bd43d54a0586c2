"""Telling owners what went wrong with what they left to run by itself."""

from typing import Any

from offtake.appdb.notices import insert_notice
from offtake.model.schedule import ScheduleRun
from offtake.service.runtime import Runtime

FAILED = "schedule.failed"


def tell_owner(runtime: Runtime, connection: Any, run: ScheduleRun, reason: str) -> None:
    """Say that a run of a schedule failed, in the transaction of that connection that makes it so."""
    insert_notice(connection, at=runtime.now(), tenant=run.tenant, action=FAILED, thing=run.schedule_id, detail=reason)
