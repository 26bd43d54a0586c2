"""What pydantic found, in words of the file: unknown keys with the nearest known one, types by their YAML names."""

import copy
import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from offtake.settings.bodies import FileBody, settings_schema
from offtake.settings.document import Document, Location

_EXPECTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "list_type": "a list",
    "string_too_short": "some text",
    "uuid_parsing": "a UUID",
    "uuid_type": "a UUID",
}
_SINGULAR = {
    "fields": "field",
    "datasets": "dataset",
    "sources": "source",
    "secrets": "secret",
    "files": "file set",
    "issuers": "issuer",
}


def nearest(word: str, known: Iterable[str]) -> str:
    """`, did you mean 'x'?` with the known word closest to `word`; nothing if none is close."""
    choices = {name.casefold(): name for name in known}
    close = difflib.get_close_matches(word.casefold(), choices, n=1)
    return f", did you mean {choices[close[0]]!r}?" if close else ""


def check_shape(document: Document) -> FileBody:
    """The file as a body, with every wrong part noted in the document and left out, so that the rest can be checked."""
    data = copy.deepcopy(document.data)
    if not isinstance(data, dict):
        document.complain((), f"expected a mapping, found {_found(data)}")
        document.refuse()
    first = True
    while True:
        try:
            return FileBody.model_validate(data)
        except ValidationError as error:
            details = error.errors(include_url=False, include_context=True)
        for detail in details:
            if first:
                document.complain(*_complaint(detail))
            _leave_out(data, detail)
        first = False


def _leave_out(data: dict[str, Any], detail: ErrorDetails) -> None:
    """Remove the wrong part; a list goes as a whole, and whatever lacks a key goes itself."""
    location = [step for step in detail["loc"] if step != "[key]"]
    if detail["type"] == "missing":
        location.pop()
    while location and isinstance(location[-1], int):
        location.pop()
    part: Any = data
    for step in location[:-1]:
        part = part[step] if isinstance(step, int) else part.get(step, {})
    part.pop(location[-1], None)


def _complaint(detail: ErrorDetails) -> tuple[Location, str]:
    """Where it stands and what is wrong, never quoting what might be a secret."""
    location: Location = tuple(step for step in detail["loc"] if step != "[key]")
    kind, context, value = detail["type"], detail.get("ctx", {}), detail["input"]
    key = next((step for step in reversed(location) if isinstance(step, str)), "")
    if kind == "extra_forbidden":
        return location, f"unknown key {key!r}{nearest(key, _known_keys(location[:-1])) or _listed(location[:-1])}"
    if kind == "missing":
        return location[:-1], f"{_named(location[:-1])} needs {key!r}{_choices(location)}"
    if kind == "enum" and isinstance(value, str):
        word = {"items": "type", "algorithms": "algorithm"}.get(key, key)
        known = _known_values(location)
        return location, f"unknown {word} {value!r}{nearest(value, known) or '.'} Accepted: {', '.join(known)}"
    if kind == "enum":
        return location, f"{key!r} expects one of {', '.join(_known_values(location))}, found {_found(value)}"
    if kind == "string_pattern_mismatch":
        return location, _pattern_complaint(location)
    if kind in _EXPECTED:
        quotes = "; put it in quotes" if kind == "string_type" and isinstance(value, bool | int | float) else ""
        return location, f"{key!r} expects {_EXPECTED[kind]}, found {_found(value)}{quotes}"
    if kind == "too_short":
        return location, f"{key!r} holds nothing"
    bounds = {"greater_than": "more than {gt:g}", "greater_than_equal": "{ge:g} or more"}
    return location, f"{key!r} expects {bounds[kind].format(**context)}" if kind in bounds else detail["msg"]


def _pattern_complaint(location: Location) -> str:
    key = str(location[-1])
    if key in ("rate", "rate_limit", "rate_per_tenant"):
        return f"{key!r} expects a number and a period, such as 60000/minute"
    if key in ("public_url", "jwks_url"):
        return f"{key!r} expects an address that begins with http:// or https://"
    if len(location) > 1 and location[-2] == "origins":
        return "'origins' expects what browsers send, such as https://app.example.com, in lower case and without a path"
    return f"{key!r}: names hold letters, digits, '_', '-' and '.', and begin with a letter, a digit or '_'"


def _named(location: Location) -> str:
    """What people would call the part: a field, a dataset, or its key."""
    if len(location) > 1 and location[-2] in _SINGULAR:
        word = _SINGULAR[str(location[-2])]
        return f"{word} {location[-1]!r}" if isinstance(location[-1], str) else f"each {word}"
    return repr(location[-1]) if location else "the file"


def _choices(location: Location) -> str:
    known = _known_values(location)
    return f": one of {', '.join(known)}" if known else ""


def _listed(location: Location) -> str:
    known = _known_keys(location)
    return f"; known here: {', '.join(known)}" if known else ""


def _found(value: object) -> str:
    names = {str: "text", int: "a number", float: "a number", bool: "true or false", dict: "a mapping", list: "a list"}
    return "no text" if value == "" else names.get(type(value), "nothing")


def _known_keys(location: Location) -> tuple[str, ...]:
    return tuple(_schema_at(location).get("properties", ()))


def _known_values(location: Location) -> tuple[str, ...]:
    return tuple(_schema_at(location).get("enum", ()))


def _schema_at(location: Location) -> Mapping[str, Any]:
    """The part of the file's JSON Schema that describes this place."""
    schema = settings_schema()
    part = schema
    for step in location:
        below = (part.get("properties", {}).get(step), part.get("additionalProperties"), part.get("items"))
        part = _resolved(next(filter(None, (*below, *part.get("patternProperties", {}).values())), None), schema)
    return part


def _resolved(part: Any, schema: Mapping[str, Any]) -> dict[str, Any]:
    """References followed, and of alternatives the one that is neither null nor plain text."""
    if not isinstance(part, dict):
        return {}
    if "anyOf" in part:
        part = next(one for one in part["anyOf"] if one.get("type") not in ("null", "string") or "enum" in one)
    if "$ref" in part:
        return _resolved(schema["$defs"][part["$ref"].rpartition("/")[2]], schema)
    return dict(part)
