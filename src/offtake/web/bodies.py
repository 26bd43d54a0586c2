"""What bodies, query strings and answers of every API have in common."""

import difflib
import re
from datetime import UTC, datetime
from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    PlainValidator,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

UNKNOWN_KEY = "unknown_key"
LONGEST_TEXT = 1000
MOST_LANGUAGES = 100
HALF_A_PAIR = re.compile("[\ud800-\udfff]")

Text = Annotated[str, Field(max_length=LONGEST_TEXT)]


def _is_text(value: Any) -> bool:
    """Whether a file can hold it: JSON can carry half a surrogate pair."""
    return isinstance(value, str) and len(value) <= LONGEST_TEXT and not HALF_A_PAIR.search(value)


def _read_label(value: Any) -> str | dict[str, str] | None:
    texts = [*value, *value.values()] if isinstance(value, dict) and 0 < len(value) <= MOST_LANGUAGES else [value]
    if value is not None and not all(map(_is_text, texts)):
        raise ValueError('A label is a text, or texts by language such as {"en": "Name", "es": "Nombre"}')
    return value  # type: ignore[no-any-return]


Label = Annotated[
    str | dict[str, str] | None, PlainValidator(_read_label, json_schema_input_type=str | dict[str, str] | None)
]


def utc_text(at: datetime, timespec: str = "seconds") -> str:
    """The instant in UTC with `Z`, cut to whole seconds or to what `timespec` says, such as `milliseconds`."""
    return at.astimezone(UTC).isoformat(timespec=timespec).replace("+00:00", "Z")


class LenientBody(BaseModel):
    """Keys it does not know are ignored."""

    model_config = ConfigDict(hide_input_in_errors=True)


class StrictBody(BaseModel):
    """A key it does not know is an error, which names the nearest of its own: a typo must not export something else."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    @model_validator(mode="wrap")
    @classmethod
    def _name_nearest(cls, given: Any, check: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return check(given)
        except ValidationError as error:
            found = [_described(cls, each) for each in error.errors(include_url=False)]
        raise ValidationError.from_exception_data(cls.__name__, found, hide_input=True)


def _described(body: type[BaseModel], error: ErrorDetails) -> InitErrorDetails:
    """The error again, as pydantic wants to have it."""
    kind, location, context = error["type"], error["loc"], error.get("ctx", {})
    if kind == "extra_forbidden" and len(location) == 1:
        kind, context = UNKNOWN_KEY, {"detail": _unknown(str(location[0]), body)}
    if kind == UNKNOWN_KEY:
        return InitErrorDetails(
            type=PydanticCustomError("unknown_key", "{detail}", context), loc=location, input=error["input"]
        )
    return InitErrorDetails(type=kind, loc=location, input=error["input"], ctx=context)


def _unknown(key: str, body: type[BaseModel]) -> str:
    known = [field.alias or name for name, field in body.model_fields.items()]
    nearest = difflib.get_close_matches(key, known, n=1)
    return f"There is no {key!r} here" + (f"; did you mean {nearest[0]!r}?" if nearest else ".")
