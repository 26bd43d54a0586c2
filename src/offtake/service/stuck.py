"""Jobs that nobody works on though somebody should: for people who look after the workers."""

from datetime import timedelta

from offtake.appdb.jobs import stuck_jobs
from offtake.model.access import Principal, Scope, require
from offtake.model.job import ExportJob
from offtake.service.runtime import Runtime

SILENT = timedelta(seconds=60)  # a running attempt tells of itself once a second
WAITING = timedelta(minutes=10)


def list_stuck(runtime: Runtime, principal: Principal, limit: int = 50) -> tuple[ExportJob, ...]:
    """Running jobs not heard of for a minute and due ones that no worker took for ten, the oldest first.

    Of the principal's tenant, or of all if it has none. Raises InsufficientScope.
    """
    require(principal, Scope.REPORTS_READ)
    now = runtime.now()
    return stuck_jobs(runtime.appdb, now - SILENT, now - WAITING, tenant=principal.tenant, limit=limit)
