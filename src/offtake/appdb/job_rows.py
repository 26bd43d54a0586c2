"""An export job as a row of its table, and back."""

import hashlib
import json
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from offtake.appdb.principals import read_principal, write_principal
from offtake.appdb.words import join_words, split_words
from offtake.model.export import ExportRequest
from offtake.model.job import Artifact, ExportJob, JobError, JobState, Recurrence
from offtake.query.stored import read_request, request_json


def hash_request(request: ExportRequest) -> str:
    """The same for the same wish: SHA-256 of its JSON, in lower-case hex."""
    return hashlib.sha256(json.dumps(request_json(request), sort_keys=True).encode()).hexdigest()


def wish_row(job: ExportJob) -> dict[str, Any]:
    """The columns that say what the job is to do, and under which name."""
    return {
        "dataset": job.request.dataset,
        "format": job.request.format,
        "request": json.dumps(request_json(job.request), ensure_ascii=False),
        "request_hash": hash_request(job.request),
        "needs": join_words(sorted(job.needs)),
        "deliveries": json.dumps([dict(wish) for wish in job.deliveries]),
        "name": job.name,
        "sort_name": None if job.name is None else job.name.casefold(),
        "words": "\n".join((job.public_id, job.name or "", job.request.schema or "")).casefold(),
        "extra": json.dumps(dict(job.extra)) if job.extra else None,
        "instant": job.instant,
        "recurrence": None if job.recurrence is None else _write_recurrence(job.recurrence),
    }


def _write_recurrence(recurrence: Recurrence) -> str:
    return json.dumps({"rrule": recurrence.rrule, "start": recurrence.start.isoformat()})


def _read_recurrence(text: str) -> Recurrence:
    known = json.loads(text)
    return Recurrence(known["rrule"], datetime.fromisoformat(known["start"]))


def write_job(job: ExportJob) -> dict[str, Any]:
    """The columns of a job that waits for its first turn; `read_job` is the inverse."""
    return wish_row(job) | {
        "id": job.id,
        "tenant": job.tenant,
        "owner_id": job.owner.id,
        "owner": write_principal(job.owner),
        "state": job.state,
        "priority": job.priority,
        "attempt": job.attempt,
        "failures": job.failures,
        "turn": 0,
        "revision": job.revision,
        "rows": job.rows,
        "bytes": job.bytes,
        "definition_id": job.definition_id,
        "dialect": job.dialect,
        "external_id": job.external_id,
        "created_at": job.created_at,
        "due_at": job.due_at,
    }


def read_job(row: sa.Row[Any]) -> ExportJob:
    """The job that the row holds."""
    return ExportJob(
        id=row.id,
        tenant=row.tenant,
        owner=read_principal(row.owner),
        request=read_request(json.loads(row.request)),
        state=JobState(row.state),
        created_at=row.created_at,
        due_at=row.due_at,
        needs=frozenset(split_words(row.needs)),
        priority=row.priority,
        attempt=row.attempt,
        failures=row.failures,
        turn=row.turn,
        rows=row.rows,
        bytes=row.bytes,
        total=row.total,
        error=None if row.error is None else JobError(**json.loads(row.error)),
        artifact=None if row.artifact is None else Artifact(**json.loads(row.artifact)),
        started_at=row.started_at,
        finished_at=row.finished_at,
        expires_at=row.expires_at,
        beat_at=row.beat_at,
        stages=json.loads(row.stages or "{}"),
        definition_id=row.definition_id,
        deliveries=tuple(json.loads(row.deliveries)),
        revision=row.revision,
        name=row.name,
        dialect=row.dialect,
        external_id=row.external_id,
        extra=json.loads(row.extra or "{}"),
        recurrence=None if row.recurrence is None else _read_recurrence(row.recurrence),
        follower_id=row.follower_id,
        modified_at=row.modified_at,
        instant=row.instant,
    )
