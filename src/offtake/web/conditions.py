"""Conditions on what a client knows of a thing already (RFC 9110 §13.1)."""

import re
from collections.abc import Callable

from starlette.datastructures import Headers

from offtake.errors import InvalidHeader

ENTITY_TAG = re.compile(r'(W/)?"[\x21\x23-\x7e\x80-\xff]*"')
ENTITY_TAGS = re.compile(rf"[ \t,]*{ENTITY_TAG.pattern}([ \t]*,[ \t]*({ENTITY_TAG.pattern})?)*")


def version_tag(version: int) -> str:
    """The entity tag of a thing's version."""
    return f'"{version}"'


def wanted_version(headers: Headers) -> Callable[[int], bool]:
    """Says of a version whether If-Match holds for it. Raises InvalidHeader at once."""
    is_wanted(headers, "")
    return lambda version: is_wanted(headers, version_tag(version))


def is_wanted(headers: Headers, etag: str) -> bool:
    """Whether If-Match holds (RFC 9110 §13.1.1), by strong comparison. Raises InvalidHeader if it holds no tags."""
    value = _value(headers, "if-match")
    if value is None or value == "*":
        return True
    if not ENTITY_TAGS.fullmatch(value):
        raise InvalidHeader("If-Match takes an ETag in quotes.", hint='Send it as it came, such as If-Match: "2".')
    return etag in _tags(value)


def is_known(headers: Headers, etag: str) -> bool:
    """Whether If-None-Match names it (RFC 9110 §13.1.2), by weak comparison."""
    value = _value(headers, "if-none-match")
    return value is not None and (value == "*" or etag in {tag.removeprefix("W/") for tag in _tags(value)})


def _value(headers: Headers, name: str) -> str | None:
    return ",".join(headers.getlist(name)).strip() if name in headers else None


def _tags(value: str) -> set[str]:
    return {found[0] for found in ENTITY_TAG.finditer(value)}
