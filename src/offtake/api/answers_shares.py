"""What answers about shares hold."""

from dataclasses import dataclass
from datetime import datetime

from offtake.model.share import Share, ShareState


@dataclass(frozen=True)
class ShareAnswer:
    """A share, without its token: `prefix` is how that begins. One of `definition_id` and `export_id` is null."""

    id: str
    definition_id: str | None
    export_id: str | None
    prefix: str
    state: ShareState
    uses: int
    max_downloads: int | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


@dataclass(frozen=True)
class NewShareAnswer(ShareAnswer):
    """A share with its token, and the address that opens it; both are shown this once."""

    token: str = ""
    url: str = ""


@dataclass(frozen=True)
class ShareList:
    """Shares, the newest first. `next_cursor` asks for those after them; null on the last page."""

    data: tuple[ShareAnswer, ...]
    next_cursor: str | None


def share_answer(share: Share, now: datetime) -> ShareAnswer:
    """The share as it is shown now."""
    return ShareAnswer(
        id=share.id,
        definition_id=share.definition_id,
        export_id=share.job_id,
        prefix=share.prefix,
        state=share.state_at(now),
        uses=share.uses,
        max_downloads=share.max_downloads,
        created_at=share.created_at,
        expires_at=share.expires_at,
        revoked_at=share.revoked_at,
        last_used_at=share.last_used_at,
    )


def new_share_answer(share: Share, token: str, url: str, now: datetime) -> NewShareAnswer:
    """The share as it is shown once."""
    return NewShareAnswer(**vars(share_answer(share, now)), token=token, url=url)
