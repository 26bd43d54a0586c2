"""Export jobs as people use them: submit, look at, cancel, retry, delete. What runs them is `service.runs`."""

import hashlib
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from offtake.appdb import jobs as table
from offtake.appdb.followers import next_instant
from offtake.appdb.idempotency import Once
from offtake.appdb.schedule_runs import find_run_of
from offtake.appdb.shares import revoke_shares_of_job
from offtake.errors import Conflict, Expired, InsufficientScope, InvalidRequest, NotFound, NotReady
from offtake.model.access import Principal, Scope, require
from offtake.model.export import ExportRequest, Plan
from offtake.model.ids import is_id, new_id
from offtake.model.job import Artifact, ExportJob, JobState, Recurrence
from offtake.model.ports import Turn
from offtake.query.filters import fields_of
from offtake.query.stored import request_json
from offtake.service.access import LOCAL
from offtake.service.datasets import plan_request
from offtake.service.downloads import check_file
from offtake.service.names import is_showable
from offtake.service.recipients import check_deliveries
from offtake.service.retention import expires_at
from offtake.service.runtime import Runtime
from offtake.service.trail import current_trail

FURTHEST = timedelta(days=366)
LONGEST_KEY = 255
PRIORITIES = range(1, 10)
ORDINARY = 5


@dataclass(frozen=True)
class Submission:
    """How a job is to be run. `priority` 1 goes first, 9 last; `start_at` None = at once.

    `share_running` gives the principal's own job that does the very same and has not ended, if there is one.
    `instant` is what relative dates mean, if that is not its start. `within` is called with the connection and the new
    job in the transaction that remembers it: if it raises, there is no job. `deliveries` are as `check_deliveries`
    wants them; a job that has some is not shared. `name`, `dialect`, `external_id`, `extra` and `recurrence` are as
    `ExportJob` has them; one that recurs is not shared, and starts at its first instant that is not in the past.
    """

    start_at: datetime | None = None
    priority: int = ORDINARY
    idempotency_key: str | None = None
    share_running: bool = False
    definition_id: str | None = None
    instant: datetime | None = None
    within: Callable[[Any, ExportJob], None] | None = None
    deliveries: Sequence[Mapping[str, Any]] = ()
    name: str | None = None
    dialect: str | None = None
    external_id: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    recurrence: Recurrence | None = None


@dataclass(frozen=True)
class Submitted:
    """The job, and whether it is a new one."""

    job: ExportJob
    is_new: bool


def submit_export(
    runtime: Runtime, principal: Principal, request: ExportRequest, how: Submission | None = None
) -> Submitted:
    """Put a job into the queue. Whatever is wrong with the request is raised now, before there is a job.

    Raises what `open_download` raises before its first byte, IdempotencyMismatch, and Conflict for an id in use.
    """
    how = how or Submission()
    prepared = prepare_export(runtime, principal, request, how)
    job, now = prepared.job, prepared.job.created_at
    once = None if how.idempotency_key is None else _once(principal, how.idempotency_key, request, how, now)
    if how.share_running and not job.deliveries and job.recurrence is None:
        going = table.find_alike(runtime.appdb, principal.id, request, prepared.start)
        if going is not None:
            id_ = going.id if once is None else table.share_job(runtime.appdb, going.id, once)
            return Submitted(going if id_ == going.id else find_export(runtime, principal, id_), False)

    def enqueue(connection: Any) -> None:
        if how.within is not None:
            how.within(connection, job)
        runtime.queue.enqueue(connection, prepared.turn(0))

    current_trail().thing = job.id
    made_before = table.insert_job(runtime.appdb, job, enqueue, once)
    return (
        Submitted(job, True) if made_before is None else Submitted(find_export(runtime, principal, made_before), False)
    )


@dataclass(frozen=True)
class Prepared:
    """A job proven and not yet remembered, and when it may start: what its `due_at` says, but never in the past."""

    job: ExportJob
    start: datetime

    def turn(self, number: int) -> Turn:
        """Its place in the queue."""
        delay_s = (self.start - self.job.created_at).total_seconds()
        return Turn(self.job.id, number, self.job.tenant, self.job.priority, delay_s)


def prepare_export(runtime: Runtime, principal: Principal, request: ExportRequest, how: Submission) -> Prepared:
    """The job that would do it. Raises what `submit_export` raises before there is a job."""
    _check_submission(runtime, how)
    deliveries = check_deliveries(runtime, how.deliveries)
    check_file(runtime, request)
    _, plan = plan_request(runtime, principal, request)
    if principal.tenant is None:
        raise InvalidRequest("A job belongs to one tenant.", hint="Name a tenant.")
    runtime.counters.check_day(principal)
    now = runtime.now()
    wanted = _first_instant(how.recurrence, now) if how.recurrence else how.start_at or now
    start = max(wanted, now)
    job = ExportJob(
        id=new_id(),
        tenant=principal.tenant,
        owner=principal,
        request=request,
        state=JobState.SCHEDULED if start > now else JobState.QUEUED,
        created_at=now,
        due_at=wanted if how.recurrence else start,
        instant=how.instant or (wanted if how.recurrence else None),
        needs=needs_of(plan, principal),
        priority=how.priority,
        definition_id=how.definition_id,
        deliveries=deliveries,
        name=how.name,
        dialect=how.dialect,
        external_id=how.external_id,
        extra=how.extra,
        recurrence=how.recurrence,
    )
    return Prepared(job, start)


def _first_instant(recurrence: Recurrence, now: datetime) -> datetime:
    """The first that is not in the past; the start itself if that is now, to the second."""
    first = next_instant(recurrence, max(recurrence.start, now).replace(microsecond=0))
    if first is None:
        raise InvalidRequest("This rule has no instant left.", hint="Change it, or its start.", pointer="/rrule")
    if first > now + FURTHEST:
        raise InvalidRequest("The first instant is more than a year away.", pointer="/rrule")
    return first


def _check_submission(runtime: Runtime, how: Submission) -> None:
    if how.priority not in PRIORITIES:
        raise InvalidRequest("priority is 1 (first) to 9 (last).", hint="Leave it out for 5.", pointer="/priority")
    if how.start_at is not None and how.start_at > runtime.now() + FURTHEST:
        raise InvalidRequest("start_at is more than a year away.", hint="Choose an earlier time.", pointer="/start_at")
    if how.name is not None and not is_showable(how.name):
        raise InvalidRequest("A name has printable characters, and some that are not blank.", pointer="/name")
    key = how.idempotency_key
    if key is not None and not (0 < len(key) <= LONGEST_KEY and key.isprintable()):
        raise InvalidRequest(
            f"An Idempotency-Key has 1 to {LONGEST_KEY} printable characters.", hint="A UUID is a good one."
        )


def _once(principal: Principal, key: str, request: ExportRequest, how: Submission, now: datetime) -> Once:
    asked = [
        request_json(request),
        None if how.start_at is None else how.start_at.timestamp(),
        how.priority,
        how.share_running,
        how.definition_id,
        *how.deliveries,
    ]
    body_hash = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
    return Once(principal.id, key, body_hash, now)


def needs_of(plan: Plan, principal: Principal) -> frozenset[str]:
    """What a reader of the file must hold: the dataset's scopes, and those that lifted a mask for its owner."""
    named = {key.column for key in plan.order} | {column.field.column for column in plan.columns}
    filtered = set() if plan.where is None else fields_of(plan.where)
    lifted = {
        field.unless_scope
        for field in plan.dataset.fields
        if field.mask and principal.lifts(field.unless_scope) and (field.column in named or field.name in filtered)
    }
    return plan.dataset.scopes | lifted


def find_export(runtime: Runtime, principal: Principal, job_id: str) -> ExportJob:
    """The tenant's job of that id. Raises NotFound, InsufficientScope."""
    require(principal, Scope.REPORTS_READ)
    job = table.find_job(runtime.appdb, job_id) if is_id(job_id) else None
    if job is None or principal.tenant not in (None, job.tenant):
        raise NotFound("There is no such export.", hint="List the exports to see their ids.")
    current_trail().dataset = job.request.dataset
    return job


def look_at_exports(runtime: Runtime, ids: Collection[str]) -> Mapping[str, ExportJob]:
    """Those of the jobs that there are still, by id, for whoever has found them before."""
    return table.find_jobs(runtime.appdb, ids)


def list_exports(
    runtime: Runtime,
    principal: Principal,
    *,
    state: JobState | None = None,
    dataset: str | None = None,
    definition_id: str | None = None,
    before: str | None = None,
    limit: int = 50,
) -> tuple[ExportJob, ...]:
    """The tenant's jobs, the newest first, from the one after `before` on."""
    require(principal, Scope.REPORTS_READ)
    # PostgreSQL refuses NUL in text.
    if (before is not None and not is_id(before)) or "\0" in f"{dataset}{definition_id}":
        return ()
    return table.list_jobs(
        runtime.appdb,
        runtime.now(),
        tenant=principal.tenant,
        state=state,
        dataset=dataset,
        definition_id=definition_id,
        before=before,
        limit=limit,
    )


def cancel_export(runtime: Runtime, principal: Principal, job_id: str) -> ExportJob:
    """End the job, wherever it stands; its worker stops within a second.

    Raises NotFound, Conflict, InsufficientScope.
    """
    job = _own_export(runtime, principal, job_id)
    now = runtime.now()
    done = table.cancel_job(runtime.appdb, job.id, now, expires_at(runtime, job, now), runtime.queue)
    if done is None:
        job = find_export(runtime, principal, job_id)
        if job.state is not JobState.CANCELLED:
            raise Conflict(f"This export has {job.state}.", hint="Only one that has not ended can be cancelled.")
        return job
    return done


def retry_export(runtime: Runtime, principal: Principal, job_id: str) -> ExportJob:
    """Start a failed or cancelled job over. Raises NotFound, Conflict, InsufficientScope."""
    job = _own_export(runtime, principal, job_id)
    run = find_run_of(runtime.appdb, job.id)
    if run is not None and run.window is not None:
        detail = "This export was a schedule's delta, and the next one takes its rows."
        raise Conflict(detail, hint="Run the schedule instead.")
    # At least as many turns as attempts: no machine that was lost before counts any more.
    turn = Turn(job.id, max(job.turn + 1, job.attempt), job.tenant, job.priority)
    done = table.retry_job(runtime.appdb, job, turn.number, runtime.now(), lambda c: runtime.queue.enqueue(c, turn))
    if done is None:
        raise Conflict(f"This export is {job.state}.", hint="Only a failed or cancelled one can be retried.")
    return done


def delete_export(runtime: Runtime, principal: Principal, job_id: str) -> None:
    """Forget the job, delete its bytes and revoke its shares; one that runs is cancelled first, and its series ends.

    Raises NotFound, InsufficientScope.
    """
    job = _own_export(runtime, principal, job_id)
    now = runtime.now()
    table.cancel_job(runtime.appdb, job.id, now, now)
    ended = table.find_job(runtime.appdb, job.id) or job
    delete_artifact(runtime, ended)
    revoke_shares_of_job(runtime.appdb, job.id, now)
    table.delete_job(runtime.appdb, job.id)


def delete_artifact(runtime: Runtime, job: ExportJob) -> None:
    """Delete everything the job left in the store."""
    if job.artifact is not None:
        runtime.store.delete([job.artifact.name, job.artifact.manifest_name])


def find_artifact(runtime: Runtime, principal: Principal, job_id: str) -> tuple[ExportJob, Artifact]:
    """The job with its finished file. Raises NotFound, InsufficientScope, NotReady, Conflict, Expired."""
    job = find_export(runtime, principal, job_id)
    require_needs(principal, job)
    return job, artifact_of(runtime, job)


def require_needs(principal: Principal, job: ExportJob) -> None:
    """Raise InsufficientScope unless the principal may read what is in the job's file."""
    missing = sorted(job.needs - principal.scopes)
    if missing and principal.id != LOCAL:
        raise InsufficientScope(
            f"This file needs the scope {missing[0]}.", hint=f"Ask for a key with {', '.join(missing)}."
        )


def artifact_of(runtime: Runtime, job: ExportJob) -> Artifact:
    """The job's file. Raises NotReady, Conflict, Expired."""
    if not job.state.is_final:
        raise NotReady("This export has not finished.", hint="Ask again, or listen to its events.")
    if job.state is not JobState.SUCCEEDED:
        raise Conflict(f"This export {_PAST[job.state]}.", hint="Retry it, or ask for a new one.")
    if job.artifact is None or (job.expires_at is not None and job.expires_at <= runtime.now()):
        raise Expired("This file had its time and was deleted.", hint="Ask for a new export.")
    return job.artifact


_PAST = {JobState.FAILED: "failed", JobState.CANCELLED: "was cancelled"}


def read_manifest(runtime: Runtime, principal: Principal, job_id: str) -> Mapping[str, Any]:
    """The manifest of the finished file, as JSON. Raises what `find_artifact` raises, StoreFailed."""
    _, artifact = find_artifact(runtime, principal, job_id)
    manifest: Mapping[str, Any] = json.loads(b"".join(runtime.store.read(artifact.manifest_name)))
    return manifest


def _own_export(runtime: Runtime, principal: Principal, job_id: str) -> ExportJob:
    """The job, if it is the principal's own or it may write reports."""
    job = find_export(runtime, principal, job_id)
    if job.owner.id != principal.id:
        require(principal, Scope.REPORTS_WRITE)
    return job
