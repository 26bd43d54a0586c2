"""The audit: one line for everything somebody did, or was refused."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Outcome(StrEnum):
    """How it ended."""

    OK = "ok"
    REFUSED = "refused"  # by us, for a reason of ours: 4xx
    FAILED = "failed"  # something broke, or the reader left before the end


@dataclass(frozen=True)
class AuditEntry:
    """Who did what, when. None = not known, or nothing of the kind.

    `principal` is a key's id, `local` for the command line or `share:ID`; `thing` the id of what was acted on. `filter`
    is the filter as it was evaluated, on one line. `detail` is an error's code, or the id of what was made.
    """

    id: str
    at: datetime
    tenant: str | None
    principal: str | None
    action: str
    outcome: Outcome
    dataset: str | None = None
    thing: str | None = None
    filter: str | None = None
    detail: str | None = None
    rows: int | None = None
    bytes: int | None = None
    address: str | None = None
    request_id: str | None = None
