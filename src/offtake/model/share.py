"""Shares: a token that opens one thing, for a time, a number of times."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from offtake.model.access import Principal


class ShareState(StrEnum):
    """Whether a share still opens anything, and why not."""

    ACTIVE = "active"
    USED_UP = "used_up"
    EXPIRED = "expired"
    REVOKED = "revoked"


@dataclass(frozen=True)
class Share:
    """One right on one thing: a definition, which runs anew with every use, or the file of an export.

    `prefix` is how its token begins, so that people can tell shares apart. `max_downloads` None = any number,
    `expires_at` None = until it is revoked.
    """

    id: str
    tenant: str
    owner: Principal
    prefix: str
    created_at: datetime
    definition_id: str | None = None
    job_id: str | None = None
    uses: int = 0
    max_downloads: int | None = None
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None

    def state_at(self, now: datetime) -> ShareState:
        """Where it stands at that instant."""
        if self.revoked_at is not None:
            return ShareState.REVOKED
        if self.expires_at is not None and self.expires_at <= now:
            return ShareState.EXPIRED
        if self.max_downloads is not None and self.uses >= self.max_downloads:
            return ShareState.USED_UP
        return ShareState.ACTIVE
