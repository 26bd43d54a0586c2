"""An export job as a row of its table, and back."""

import hashlib
import json
from typing import Any

import sqlalchemy as sa

from offtake.appdb.principals import read_principal, write_principal
from offtake.appdb.words import join_words, split_words
from offtake.model.export import ExportRequest
from offtake.model.job import Artifact, ExportJob, JobError, JobState
from offtake.query.stored import read_request, request_json


def hash_request(request: ExportRequest) -> str:
    """The same for the same wish: SHA-256 of its JSON, in lower-case hex."""
    return hashlib.sha256(json.dumps(request_json(request), sort_keys=True).encode()).hexdigest()


def write_job(job: ExportJob) -> dict[str, Any]:
    """The columns of a job that waits for its first turn; `read_job` is the inverse."""
    return {
        "id": job.id,
        "tenant": job.tenant,
        "owner_id": job.owner.id,
        "owner": write_principal(job.owner),
        "dataset": job.request.dataset,
        "format": job.request.format,
        "request": json.dumps(request_json(job.request), ensure_ascii=False),
        "request_hash": hash_request(job.request),
        "needs": join_words(sorted(job.needs)),
        "state": job.state,
        "priority": job.priority,
        "attempt": job.attempt,
        "failures": job.failures,
        "turn": 0,
        "revision": job.revision,
        "rows": job.rows,
        "bytes": job.bytes,
        "definition_id": job.definition_id,
        "deliveries": json.dumps([dict(wish) for wish in job.deliveries]),
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
    )
