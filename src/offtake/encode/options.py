"""What a request says about its format, checked against the format's options dataclass."""

import dataclasses
from collections.abc import Mapping
from types import NoneType, UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from offtake.errors import InvalidFormat
from offtake.model.ports import Format
from offtake.query.nearest import did_you_mean

WORDS = {bool: "true or false", str: "text", int: "a whole number", NoneType: "null", Mapping: "pairs such as a:b,c:d"}


def parse_options(format: Format, given: Mapping[str, Any]) -> Any:
    """An instance of `format.options`; what is not given keeps its default.

    "true", "false", digits and `a:b,c:d` are taken for booleans, numbers and mappings, since a query string has only
    text.
    Raises InvalidFormat that names the option and what it takes.
    """
    hints = get_type_hints(format.options)
    known = [field.name for field in dataclasses.fields(format.options)]
    for name in given:
        if name not in known:
            hint = did_you_mean(name, known, "Options") if known else f"{format.name} has no options."
            raise InvalidFormat(f"{format.name} has no option {name!r}.", hint=hint, pointer=f"/options/{name}")
    values = {name: _read(format.name, name, hints[name], value) for name, value in given.items()}
    options = format.options(**values)
    for name, value in values.items():
        if not _can_be_written(value):
            detail = f"The option {name} of {format.name} cannot be {value!r}."
            raise InvalidFormat(detail, hint="It holds half a surrogate pair.", pointer=f"/options/{name}")
    return options


def _read(format: str, name: str, hint: Any, value: object) -> object:
    kinds = get_args(hint) if get_origin(hint) is UnionType or _is_union(hint) else (hint,)
    for kind in kinds:
        if get_origin(kind) is Literal and value in get_args(kind):
            return value
        if kind in (bool, str, int, NoneType) and type(value) is kind:
            return value
    if bool in kinds and value in ("true", "false"):
        return value == "true"
    if int in kinds and isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value)
    if any(get_origin(kind) is Mapping for kind in kinds) and (pairs := _pairs(value)) is not None:
        return pairs
    accepted = " or ".join(_said(kind) for kind in kinds)
    raise InvalidFormat(
        f"The option {name} of {format} cannot be {value!r}.",
        hint=f"It takes {accepted}.",
        pointer=f"/options/{name}",
    )


def _pairs(value: object) -> dict[str, str] | None:
    """Texts by text, from an object or from `a:b,c:d`, in which a key may hold colons and no value; or None."""
    if isinstance(value, str):
        parts = [part.rpartition(":") for part in value.split(",")] if value else []
        value = {key.strip(): text.strip() for key, _, text in parts}
    if isinstance(value, dict) and all(isinstance(text, str) and text and key for key, text in value.items()):
        return value
    return None


def _can_be_written(value: object) -> bool:
    """JSON can carry half a surrogate pair, which no file can hold."""
    if isinstance(value, Mapping):
        return all(_can_be_written(text) for pair in value.items() for text in pair)
    return not isinstance(value, str) or not any("\ud800" <= char <= "\udfff" for char in value)


def _is_union(hint: Any) -> bool:
    return str(get_origin(hint)) == "typing.Union"


def _said(kind: Any) -> str:
    return ", ".join(get_args(kind)) if get_origin(kind) is Literal else WORDS[get_origin(kind) or kind]
