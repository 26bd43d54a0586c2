"""What requests hold and what answers look like."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from pydantic.json_schema import SkipJsonSchema
from starlette.datastructures import QueryParams

from offtake.service.pages import KEEP_ALIVE_S, PAGE_SIZES
from offtake.web.bodies import WHOLE, Whole

# The smallest and the largest value of each number a query string holds.
BOUNDS = {"limit": (0, PAGE_SIZES[-1]), "paginationTimeout": (60, KEEP_ALIVE_S[-1])}
MOST_REPORTS = 500

_LOWEST_LIMIT, _HIGHEST_LIMIT = BOUNDS["limit"]
_LOWEST_TIMEOUT, _HIGHEST_TIMEOUT = BOUNDS["paginationTimeout"]


class Body(BaseModel):
    """Keys in the product's spelling."""

    model_config = ConfigDict(alias_generator=to_camel, hide_input_in_errors=True)


class ResultQuery(Body):
    """Which page of a report's result, and how long the next one is to be there."""

    limit: Whole = Field(
        ge=_LOWEST_LIMIT,
        le=_HIGHEST_LIMIT,
        description="Records of a page of a raw data report; a page that follows is as large as the first.",
    )
    pagination_timeout: Whole = Field(
        ge=_LOWEST_TIMEOUT,
        le=_HIGHEST_TIMEOUT,
        description="Seconds from now for which the remaining pages can be had.",
    )
    search_request_id: str = Field("", description="The one of the answer before, for the page after it.")


class ResultAnswer(Body):
    """A report's result: raw records, or the entries of a map, each with `key`, `value` and `label`, or one number."""

    search_request_id: str | SkipJsonSchema[None] = Field(None, description="For the next page; of raw data reports.")
    number_of_records_in_response: int
    total_number_of_records: int = Field(description="Of all pages together.")
    report_id: str
    message: str | SkipJsonSchema[None] = None
    data: list[dict[str, Any] | float]


class IdAnswer(Body):
    """A report's id."""

    id: str


class DefinitionAnswer(Body):
    """A report as it can be kept elsewhere. `data` is what the native API calls its request."""

    id: str
    export_entity_type: str = Field(description="`single_process_report` or `combined_report`.")
    name: str
    description: str
    source_index_version: int
    collection_id: str
    data: dict[str, Any]


def bean_message(name: str, sent: QueryParams) -> str:
    """What Bean Validation would say of a number in a query string that is not as it has to be."""
    low, high = BOUNDS[name]
    text = sent.get(name)
    if text is None:
        return "must not be null"
    if not WHOLE.fullmatch(text):
        return "must be a whole number"
    number = int(text)
    return f"must be greater than or equal to {low}" if number < low else f"must be less than or equal to {high}"
