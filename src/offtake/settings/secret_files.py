"""The secrets that sign links and cursors: read from files, and refused when somebody could guess or read them."""

import os
import stat
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from offtake.model.access import Secret
from offtake.settings.bodies import SecretBody
from offtake.settings.document import Document

SHORTEST = 32  # bytes: as long as the output of the HMAC-SHA256 it feeds (RFC 2104 §3)
_FEWEST_DIFFERENT = 8
_WELL_KNOWN = (
    "changeme",
    "change-me",
    "change_me",
    "secret",
    "password",
    "example",
    "insecure",
    "0123456789",
    "abcdefgh",
)


def read_secrets(
    document: Document, bodies: Sequence[SecretBody], folder: Path
) -> tuple[tuple[Secret, ...], tuple[str, ...]]:
    """The secrets that may be used, and what is wrong with the others: only who signs needs them, so nothing raises."""
    secrets, faults = [], []
    for n, body in enumerate(bodies):
        not_after = _instant(document, ("secrets", n, "not_after"), body.not_after)
        value, fault = _read(folder / body.file)
        if fault:
            faults.append(f"{document.name}:{document.line(('secrets', n))}: secret {body.id!r} {fault}")
        else:
            secrets.append(Secret(body.id, value, not_after))
    ids = [body.id for body in bodies]
    for n, name in enumerate(ids):
        if name in ids[:n]:
            document.complain(("secrets", n), f"two secrets have the id {name!r}")
    return tuple(secrets), tuple(faults)


def _read(path: Path) -> tuple[bytes, str]:
    """The file's content without a final line break, and what is wrong with it."""
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read()
    except OSError:
        return b"", f"cannot be read: {path}"
    value = content.rstrip(b"\r\n") if content.isascii() else content
    if mode & (stat.S_IRWXO | stat.S_IWGRP):
        return b"", f"can be read or changed by others; run: chmod 600 {path}"
    if len(value) < SHORTEST:
        return b"", f"is shorter than {SHORTEST} bytes; make one with: openssl rand -hex 32 > {path}"
    if len(set(value)) < _FEWEST_DIFFERENT or any(word.encode() in value.lower() for word in _WELL_KNOWN):
        return b"", f"is well known or easily guessed; make one with: openssl rand -hex 32 > {path}"
    return value, ""


def _instant(document: Document, location: tuple[str | int, ...], text: str | None) -> datetime | None:
    """An ISO 8601 date or instant; UTC where it names no zone."""
    if text is None:
        return None
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        document.complain(location, "'not_after' expects a date or an instant, such as 2027-01-31T00:00:00Z")
        return None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)
