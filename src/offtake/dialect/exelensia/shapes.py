"""How exports, lists and errors look."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel, Field
from starlette.requests import Request

from offtake.dialect.exelensia.bodies import write_instant
from offtake.errors import OfftakeError
from offtake.model.job import ExportJob, JobState

STATUSES: Mapping[str, str] = {
    JobState.SCHEDULED: "PENDING",
    JobState.QUEUED: "PENDING",
    JobState.RUNNING: "PROCESSING",
    JobState.SUCCEEDED: "COMPLETED",
    JobState.FAILED: "FAILED",
    JobState.CANCELLED: "FAILED",
}
KEPT = (401, 403, 404, 405, 409, 410, 412, 413, 415, 416, 429)

ERROR_SCHEMA: Mapping[str, Any] = {
    "title": "Error",
    "type": "object",
    "required": ["statusCode", "message", "error"],
    "properties": {
        "statusCode": {"type": "integer"},
        "message": {"type": "string", "description": "What is wrong, and the way out."},
        "error": {"type": "string", "description": "The status in words."},
    },
}


class ExportAnswer(BaseModel):
    """An export job. `schema` is there if it was asked to be included."""

    id: str
    schema_id: str
    status: str = Field(description="PENDING, PROCESSING, COMPLETED or FAILED.")
    start_date: str
    end_date: str
    expand_array: str | None
    createdAt: str  # noqa: N815 (as on the wire)
    updatedAt: str  # noqa: N815


class MetaAnswer(BaseModel):
    """Which page of how many."""

    page: int
    limit: int
    total: int
    totalPages: int  # noqa: N815


class ExportList(BaseModel):
    """Some of the team's exports; of each the fields that were asked for."""

    data: list[dict[str, Any]]
    meta: MetaAnswer


class UrlAnswer(BaseModel):
    """Where the file is, for a quarter of an hour."""

    url: str


class MessageAnswer(BaseModel):
    """What was done."""

    message: str


def export_answer(job: ExportJob) -> ExportAnswer:
    """The job as the API shows it."""
    echo = job.extra
    return ExportAnswer(
        id=job.public_id,
        schema_id=echo["schema_id"],
        status=STATUSES[job.state],
        start_date=echo["start_date"],
        end_date=echo["end_date"],
        expand_array=echo["expand_array"],
        createdAt=write_instant(job.created_at),
        updatedAt=write_instant(job.updated_at),
    )


def schema_answer(job: ExportJob) -> dict[str, Any]:
    """Its schema, where it is included."""
    return {"id": job.extra["schema_id"], "name": job.name}


def render(error: OfftakeError, _: Request) -> tuple[int, Mapping[str, Any]]:
    """Status and body as NestJS has them; whatever is invalid is a 400."""
    status = 500 if error.status >= 500 else error.status if error.status in KEPT else 400
    detail = error.detail.removesuffix(".")
    message = f"{detail}. {error.hint}" if error.hint else detail
    return status, {"statusCode": status, "message": message, "error": HTTPStatus(status).phrase}
