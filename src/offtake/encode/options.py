"""What a request says about its format, checked against the format's options dataclass."""

import dataclasses
from collections.abc import Mapping
from types import NoneType, UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from offtake.errors import InvalidFormat
from offtake.model.ports import Format
from offtake.query.nearest import did_you_mean

WORDS = {bool: "true or false", str: "text", int: "a whole number", NoneType: "null"}


def parse_options(format: Format, given: Mapping[str, Any]) -> Any:
    """An instance of `format.options`; what is not given keeps its default.

    "true", "false" and digits are taken for booleans and numbers, since a query string has only text.
    Raises InvalidFormat that names the option and what it takes.
    """
    hints = get_type_hints(format.options)
    known = [field.name for field in dataclasses.fields(format.options)]
    for name in given:
        if name not in known:
            hint = did_you_mean(name, known, "Options") if known else f"{format.name} has no options."
            raise InvalidFormat(f"{format.name} has no option {name!r}.", hint=hint, pointer=f"/options/{name}")
    values = {name: _read(format.name, name, hints[name], value) for name, value in given.items()}
    return format.options(**values)


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
    accepted = " or ".join(_said(kind) for kind in kinds)
    raise InvalidFormat(
        f"The option {name} of {format} cannot be {value!r}.",
        hint=f"It takes {accepted}.",
        pointer=f"/options/{name}",
    )


def _is_union(hint: Any) -> bool:
    return str(get_origin(hint)) == "typing.Union"


def _said(kind: Any) -> str:
    return ", ".join(get_args(kind)) if get_origin(kind) is Literal else WORDS.get(kind, str(kind))
