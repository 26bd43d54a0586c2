"""Ids: UUIDs as text, whatever they name."""

import re

import uuid_utils

_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def new_id() -> str:
    """A new id (UUIDv7, RFC 9562 §5.7): later ones sort behind earlier ones."""
    return str(uuid_utils.uuid7())


def is_id(text: str) -> bool:
    """Whether it could be one. What is not even shaped like one never reaches a database: PostgreSQL refuses NUL."""
    return _ID.fullmatch(text) is not None
