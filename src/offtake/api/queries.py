"""The same wish as `ExportBody`, written as a query string."""

from collections.abc import Mapping
from typing import Any

from starlette.datastructures import QueryParams
from starlette.requests import Request

from offtake.api.bodies import parse_sort
from offtake.errors import InvalidRequest
from offtake.model.export import DateRange, ExportRequest, FieldChoice
from offtake.service.wishes import did_you_mean, read_filter_text, read_grouping, read_measure

OPTION = "options."
PARAMETERS = {
    "format": "Such as `csv`, `json` or `parquet`.",
    "fields": "Field names, separated by commas; all of them if absent.",
    "filter": "`status:paid;total:10..`, or the JSON that bodies take.",
    "sort": "Field names, separated by commas; a leading `-` sorts descending.",
    "q": "Text to look for in every text field.",
    "from": "First instant or day.",
    "to": "End: rows before this instant, or up to this day.",
    "limit": "At most so many rows.",
    "locale": "BCP 47, such as `es-CL`.",
    "timezone": "IANA, such as `America/Santiago`.",
    "filename": "What to call the file; `{dataset}`, `{date}`, `{datetime}` and `{format}` are filled in.",
    "compression": "`none`, `gzip` or `zstd`.",
    "part_rows": "Make a zip of numbered files of at most so many rows.",
    "part_bytes": "Make a zip of numbered files, each ended by the rows that take it past so many bytes.",
    "parts_if_needed": "`true` makes no zip if one file of `part_rows` rows holds all.",
    "expand": "An array field whose items become rows.",
    "schema": "The id of the dataset's schema to export.",
    "group_by": "Fields whose equal values make one row, such as `stage,createdAt:month`.",
    "measures": "What to say of each group, such as `count,sum:amount`.",
    "top": "Keep so many keys of the first grouping; the rest becomes `other`.",
    "include_all_custom_fields": "`true` appends every custom field unless one is listed.",
    "allow_empty": "`false` makes no rows an error instead of a file without any.",
}

FLAGS = ("include_all_custom_fields", "allow_empty", "parts_if_needed")
NUMBERS = {"top": "keys", "limit": "rows", "part_rows": "rows", "part_bytes": "bytes"}  # and what they count


def parse_query(dataset: str, query: QueryParams) -> ExportRequest:
    """The wish in a query string; a parameter without a value counts as absent.

    `options.NAME=…` are options of the format. Raises InvalidRequest, InvalidFilter.
    """
    _check_names(query)
    given = {name: value for name, value in query.items() if value}
    fields, sort = given.get("fields"), given.get("sort")
    start, end = given.get("from"), given.get("to")
    return ExportRequest(
        dataset=dataset,
        format=given.get("format", "csv"),
        fields=tuple(FieldChoice(name.strip()) for name in fields.split(",")) if fields else None,
        filter=read_filter_text(given["filter"]) if "filter" in given else None,
        sort=parse_sort([word.strip() for word in sort.split(",")]) if sort else None,
        q=given.get("q", ""),
        date_range=DateRange(start, end) if start or end else None,
        limit=_parse_number("limit", given),
        locale=given.get("locale"),
        timezone=given.get("timezone"),
        filename=given.get("filename"),
        options={name[len(OPTION) :]: value for name, value in query.items() if name.startswith(OPTION)},
        compression=given.get("compression", "none"),
        part_rows=_parse_number("part_rows", given),
        part_bytes=_parse_number("part_bytes", given),
        parts_if_needed=_parse_flag("parts_if_needed", given),
        expand=given.get("expand"),
        schema=given.get("schema"),
        include_all_custom_fields=_parse_flag("include_all_custom_fields", given),
        allow_empty=_parse_flag("allow_empty", given, default="true"),
        group_by=tuple(read_grouping(word.strip()) for word in _words("group_by", given)),
        measures=tuple(read_measure(word.strip()) for word in _words("measures", given)),
        top=_parse_number("top", given),
    )


async def check_once(request: Request) -> None:
    """Raise InvalidRequest for a parameter that is given twice: of two values, nobody can tell which is meant."""
    query = request.query_params
    for name in query:
        if len(query.getlist(name)) > 1:
            raise InvalidRequest(
                f"The parameter {name!r} is given twice.", hint="Give it once.", pointer=_pointer(name)
            )


def _words(name: str, given: Mapping[str, str]) -> list[str]:
    return given[name].split(",") if name in given else []


def _check_names(query: QueryParams) -> None:
    for name in query:
        if name not in PARAMETERS and not (name.startswith(OPTION) and len(name) > len(OPTION)):
            hint = did_you_mean(name, [*PARAMETERS, f"{OPTION}*"], "Known")
            raise InvalidRequest(f"There is no parameter {name!r}.", hint=hint, pointer=_pointer(name))


def _pointer(name: str) -> str:
    """Where a body would say what the parameter says."""
    place = f"date_range.{name}" if name in ("from", "to") else name
    parts = place.split(".", 1) if place.startswith((OPTION, "date_range.")) else [place]
    return "".join(f"/{part.replace('~', '~0').replace('/', '~1')}" for part in parts)


def _parse_flag(name: str, given: Mapping[str, str], default: str = "false") -> bool:
    text = given.get(name, default).lower()
    if text not in ("true", "false"):
        raise InvalidRequest(
            f"{name} is neither true nor false.", hint=f"Write it like {name}=true.", pointer=f"/{name}"
        )
    return text == "true"


def _parse_number(name: str, given: Mapping[str, str]) -> int | None:
    text = given.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 16 and int(text) > 0):
        raise InvalidRequest(
            f"{name} takes a number of {NUMBERS[name]}, at least 1.",
            hint=f"Write it like {name}=1000.",
            pointer=f"/{name}",
        )
    return int(text)


def query_parameters() -> list[dict[str, Any]]:
    """The parameters as OpenAPI describes them."""
    named = [
        {"name": name, "in": "query", "description": text, "schema": {"type": "string"}}
        for name, text in PARAMETERS.items()
    ]
    for parameter in named:
        if parameter["name"] in NUMBERS:
            parameter["schema"] = {"type": "integer", "minimum": 1, "maximum": 10**15 - 1}
        if parameter["name"] in FLAGS:
            parameter["schema"] = {"type": "boolean"}
    return named
