"""What bodies, query strings and answers of every API have in common."""

import difflib
import re
from datetime import UTC, datetime
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
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
# What XML cannot hold, and so no spreadsheet either: XML 1.0 §2.2. JSON can carry half a surrogate pair.
UNHOLDABLE = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")

WHOLE = re.compile("[+-]?[0-9]{1,30}")


def _check_whole(text: Any) -> Any:
    if isinstance(text, str) and not WHOLE.fullmatch(text):
        raise PydanticCustomError("int_parsing", "no whole number")
    return text


# Of a query string: pydantic alone also reads 2.0 and 1_000.
Whole = Annotated[int, BeforeValidator(_check_whole)]
Text = Annotated[str, Field(max_length=LONGEST_TEXT)]


def _check_label(text: str) -> str:
    if UNHOLDABLE.search(text):
        raise ValueError("A label holds a character that files cannot hold, such as NUL")
    return text


def _read_label(value: Any) -> str | dict[str, str] | None:
    if value is None:
        return None
    texts = [*value, *value.values()] if isinstance(value, dict) and 0 < len(value) <= MOST_LANGUAGES else [value]
    if not all(isinstance(text, str) and len(text) <= LONGEST_TEXT for text in texts):
        raise ValueError('A label is a text, or texts by language such as {"en": "Name", "es": "Nombre"}')
    for text in texts:
        _check_label(text)
    return value  # type: ignore[no-any-return]


LabelText = Annotated[Text, AfterValidator(_check_label)]
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
