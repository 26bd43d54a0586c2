"""What requests about definitions may hold."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Annotated, Any, Self

from fastapi.exceptions import RequestValidationError
from pydantic import Field, ValidationError, model_validator

from offtake.api.bodies import (
    Body,
    Deliveries,
    ExportBody,
    PageQuery,
    Priority,
    ShareRunning,
    StartAt,
    parse_sort,
    plain_deliveries,
)
from offtake.errors import InvalidRequest
from offtake.model.dataset import Sort
from offtake.model.export import ExportRequest
from offtake.model.saved import Draft
from offtake.service.definitions import LONGEST_DESCRIPTION, LONGEST_NAME, MOST_MEMBERS
from offtake.service.exports import ORDINARY, Submission
from offtake.web.bodies import Text

MOST_PAGES = 1_000_000


class DefinitionBody(ExportBody):
    """A name for what to export and how, or for a list of other definitions."""

    dataset: Text | None = Field(None, description="Of every definition but a combined one.")
    name: Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)]
    description: Annotated[str, Field(max_length=LONGEST_DESCRIPTION)] = ""
    members: Annotated[list[Text], Field(max_length=MOST_MEMBERS)] = Field(
        [], description="The ids of the definitions that a combined one lists; it has no dataset then."
    )

    def to_draft(self, before: Draft | None = None) -> Draft:
        """What is to be saved, in the place of `before`. Raises InvalidRequest, InvalidFilter."""
        request = self._combined() if self.members else self._single()
        kept = before or Draft("", request)
        return replace(kept, name=self.name, description=self.description, request=request, members=tuple(self.members))

    def _single(self) -> ExportRequest:
        if self.dataset is None:
            raise InvalidRequest("dataset is missing.", hint="GET /api/v1/datasets lists them.", pointer="/dataset")
        return self.to_request(self.dataset)

    def _combined(self) -> ExportRequest:
        for name, field in ExportBody.model_fields.items():
            if getattr(self, name) != field.get_default(call_default_factory=True):
                place = field.alias or name
                detail = f"A combined definition lists others, so it has no {place} of its own."
                raise InvalidRequest(detail, hint="Leave it out.", pointer=f"/{place}")
        return ExportRequest("")


class RunBody(Body):
    """How to run a definition in the background."""

    start_at: StartAt = None
    priority: Priority = ORDINARY
    share_running: ShareRunning = False
    deliveries: Deliveries = Field(default=[])
    format: Annotated[Text | None, Field(description="Another one than the definition's, with its usual options.")] = (
        None
    )

    def to_submission(self, idempotency_key: str | None) -> Submission:
        """How it is to be run."""
        return Submission(
            self.start_at,
            self.priority,
            idempotency_key,
            self.share_running,
            deliveries=plain_deliveries(self.deliveries),
        )

    def to_change(self) -> Callable[[ExportRequest], ExportRequest]:
        """What it changes about the request."""

        def change(request: ExportRequest) -> ExportRequest:
            if self.format in (None, request.format):
                return request
            return replace(request, format=self.format, options={})

        return change


class DefinitionsQuery(PageQuery):
    """Which definitions to list, and in which order."""

    q: Text = Field("", description="Text to look for in names and descriptions, any case.")
    sort: Text = Field(
        "-created_at", description="`name`, `created_at`, `updated_at` or `last_executed_at`; a `-` sorts descending."
    )
    page: Annotated[int, Field(ge=1, le=MOST_PAGES)] | None = Field(
        None, description="The number of the page, from 1 on, instead of a cursor."
    )

    @model_validator(mode="after")
    def _is_one_way(self) -> Self:
        if self.cursor is not None and self.page is not None:
            raise ValueError("Send either cursor or page")
        return self

    @property
    def order(self) -> Sort:
        """The order as the service has it."""
        return parse_sort([self.sort])[0]


def patch_body(body: Mapping[str, Any], patch: Mapping[str, Any]) -> DefinitionBody:
    """The body with a JSON merge patch applied (RFC 7396). Raises what FastAPI raises for a wrong body."""
    merged = merge_patch(body, patch)
    try:
        return DefinitionBody.model_validate(merged)
    except ValidationError as error:
        found = [{**each, "loc": ("body", *each["loc"])} for each in error.errors()]
        raise RequestValidationError(found, body=merged) from error


def merge_patch(target: Any, patch: Any) -> Any:
    """The target with the patch merged in: `null` takes a member out, anything but an object replaces (RFC 7396 §2)."""
    if not isinstance(patch, Mapping):
        return patch
    merged = dict(target) if isinstance(target, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), value)
    return merged
