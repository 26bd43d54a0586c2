"""Changing an export that nobody has begun."""

from dataclasses import replace

from offtake.appdb import jobs as table
from offtake.errors import Conflict
from offtake.model.access import Principal, Scope, require
from offtake.model.export import ExportRequest
from offtake.model.job import ExportJob, JobState
from offtake.service.exports import Submission, find_export, prepare_export
from offtake.service.runtime import Runtime
from offtake.service.trail import current_trail

CHANGEABLE = (JobState.SCHEDULED, JobState.QUEUED)


def change_export(
    runtime: Runtime, principal: Principal, job_id: str, request: ExportRequest, how: Submission
) -> ExportJob:
    """Put another wish, and another time, in the place of what the job was to do; its id and its dialect stay.

    Whoever changes an export owns it: it runs with their rights. Raises NotFound, Conflict for one that has begun or
    ended or that somebody changed in this moment, InsufficientScope, and what submitting it would raise.
    """
    seen = find_export(runtime, principal, job_id)
    if seen.owner.id != principal.id:
        require(principal, Scope.REPORTS_WRITE)
    prepared = prepare_export(runtime, principal, request, how)
    changed = replace(prepared.job, id=seen.id, external_id=seen.external_id, dialect=seen.dialect)
    turn = replace(prepared.turn(seen.turn + 1), job_id=seen.id)
    current_trail().thing = seen.id
    done = None
    if seen.state in CHANGEABLE:
        now = prepared.job.created_at
        done = table.change_job(runtime.appdb, seen, changed, now, lambda c: runtime.queue.enqueue(c, turn))
    if done is None:
        find_export(runtime, principal, job_id)
        hint = "Only one that waits can be changed: ask for a new one."
        raise Conflict("This export has begun or ended, or somebody changed it just now.", hint=hint)
    return done
