"""What requests for pages of a result may hold, and what they get."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, Field

from offtake.api.bodies import Cursor, Parameters
from offtake.service.pages import KEEP_ALIVE_S, PAGE_SIZES, USUAL_KEEP_ALIVE_S, USUAL_SIZE

PageSize = Annotated[int, Field(ge=PAGE_SIZES[0], le=PAGE_SIZES[-1])]
KeepAlive = Annotated[int, Field(ge=KEEP_ALIVE_S[0], le=KEEP_ALIVE_S[-1])]


class PagesQuery(Parameters):
    """Which page, and how long the snapshot is to live after it."""

    limit: PageSize | None = Field(
        None, description=f"Rows of a page, {USUAL_SIZE} if absent; with a cursor, the first request's or nothing."
    )
    keep_alive_s: KeepAlive | None = Field(
        None, description=f"Seconds until the snapshot ends if nobody asks again, {USUAL_KEEP_ALIVE_S} if absent."
    )
    cursor: Cursor = None


class PageAnswer(BaseModel):
    """Some rows, as the JSON format writes them. `total` counts those of all pages; the last has no `next_cursor`."""

    data: list[dict[str, Any]]
    total: int
    next_cursor: str | None
    snapshot_at: datetime
