"""What requests about schedules may hold."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from fastapi.exceptions import RequestValidationError
from pydantic import Field, NaiveDatetime, ValidationError, ValidatorFunctionWrapHandler, WrapValidator
from pydantic_core import PydanticKnownError

from offtake.api.bodies import Body, PageQuery, Parameters
from offtake.api.bodies_saved import merge_patch
from offtake.model.schedule import CatchUp, Delta, Overlap, ScheduleDraft, Timetable
from offtake.service.deltas import LONGEST_SETTLE_S
from offtake.service.schedules import LONGEST_RULE, MOST_DELIVERIES, MOST_NEXT
from offtake.service.ticks import MOST_CAUGHT_UP
from offtake.web.bodies import Text


def _read_local(value: Any, check: ValidatorFunctionWrapHandler) -> datetime:
    try:
        found: datetime = check(value)
    except ValidationError:
        # Whatever is wrong, pydantic's other words for it would ask for an instant with its offset.
        raise PydanticKnownError("timezone_naive") from None
    return found


LocalTime = Annotated[NaiveDatetime, Field(strict=False), WrapValidator(_read_local)]


class DeltaBody(Body):
    """Which field tells what is new, and how long a row may take from its value to its commit."""

    field: Text
    settle_s: Annotated[int, Field(ge=0, le=LONGEST_SETTLE_S)] = 0


class ScheduleBody(Body):
    """What to run and when."""

    definition_id: Text
    rrule: Annotated[str, Field(max_length=LONGEST_RULE)] = Field(
        description="RFC 5545, with or without `RRULE:`; at most once a minute.", examples=["FREQ=DAILY;BYHOUR=6"]
    )
    timezone: Text = Field(description="IANA, such as `America/Santiago`.")
    start: LocalTime = Field(description="Local time in that zone, without an offset: what the rule counts from.")
    end: LocalTime | None = Field(None, description="Local time of the last instant there may be.")
    catch_up: Annotated[CatchUp, Field(strict=False)] = Field(
        CatchUp.ONE, description="Instants that passed while no service ran: none, the latest, or all are made up for."
    )
    catch_up_limit: Annotated[int, Field(ge=1, le=MOST_CAUGHT_UP)] = Field(10, description="Of `catch_up` all.")
    overlap: Annotated[Overlap, Field(strict=False)] = Field(
        Overlap.SKIP, description="An instant that comes while the run before is at work is skipped, waits, or runs."
    )
    skip_if_empty: bool = Field(False, description="Make no export while no row matches.")
    delta: DeltaBody | None = Field(None, description="Only rows after the last run that succeeded.")
    deliveries: Annotated[list[dict[str, Any]], Field(max_length=MOST_DELIVERIES)] = Field(
        [], description="Where each file goes."
    )

    def to_draft(self) -> ScheduleDraft:
        """What is to be saved."""
        return ScheduleDraft(
            definition_id=self.definition_id,
            timetable=Timetable(self.rrule, self.timezone, self.start, self.end),
            catch_up=self.catch_up,
            catch_up_limit=self.catch_up_limit,
            overlap=self.overlap,
            skip_if_empty=self.skip_if_empty,
            delta=None if self.delta is None else Delta(self.delta.field, self.delta.settle_s),
            deliveries=tuple(self.deliveries),
        )


class RunNowBody(Body):
    """Nothing: how it runs stands in the schedule."""


class SchedulesQuery(PageQuery):
    """Which schedules to list."""

    definition_id: Text | None = Field(None, description="Those that run this definition.")


class NextQuery(Parameters):
    """How many instants."""

    count: Annotated[int, Field(ge=1, le=MOST_NEXT)] = 5


def draft_json(draft: ScheduleDraft) -> dict[str, Any]:
    """The body that would make the same schedule, with every default filled in."""
    table = draft.timetable
    return {
        "definition_id": draft.definition_id,
        "rrule": table.rrule,
        "timezone": table.timezone,
        "start": _local(table.start),
        "end": _local(table.end),
        "catch_up": draft.catch_up,
        "catch_up_limit": draft.catch_up_limit,
        "overlap": draft.overlap,
        "skip_if_empty": draft.skip_if_empty,
        "delta": None if draft.delta is None else vars(draft.delta),
        "deliveries": list(draft.deliveries),
    }


def _local(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()


def patch_schedule_body(draft: ScheduleDraft, patch: Mapping[str, Any]) -> ScheduleBody:
    """The draft's body with a JSON merge patch applied (RFC 7396). Raises what FastAPI raises for a wrong body."""
    merged = merge_patch(draft_json(draft), patch)
    try:
        return ScheduleBody.model_validate(merged)
    except ValidationError as error:
        found = [{**each, "loc": ("body", *each["loc"])} for each in error.errors()]
        raise RequestValidationError(found, body=merged) from error
