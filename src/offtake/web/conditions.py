"""Conditions on what a client knows of a thing already (RFC 9110 §13.1)."""

import re

from starlette.datastructures import Headers

ENTITY_TAG = re.compile(r'(W/)?"[\x21\x23-\x7e\x80-\xff]*"')


def is_wanted(headers: Headers, etag: str) -> bool:
    """Whether If-Match holds (RFC 9110 §13.1.1), by strong comparison."""
    tags = _tags(headers, "if-match")
    return tags is None or "*" in tags or etag in tags


def is_known(headers: Headers, etag: str) -> bool:
    """Whether If-None-Match names it (RFC 9110 §13.1.2), by weak comparison."""
    tags = _tags(headers, "if-none-match")
    return tags is not None and ("*" in tags or etag in {tag.removeprefix("W/") for tag in tags})


def _tags(headers: Headers, name: str) -> set[str] | None:
    """The entity tags in the header, or its `*`; None if it was not sent."""
    if name not in headers:
        return None
    value = ",".join(headers.getlist(name)).strip()
    return {"*"} if value == "*" else {found[0] for found in ENTITY_TAG.finditer(value)}
