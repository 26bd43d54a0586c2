"""Lists with the newest first, a page at a time: the same over every table."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa


def newest(
    place: sa.Column[Any], wanted: Mapping[sa.Column[Any], Any], *, before: Any = None, limit: int
) -> sa.Select[Any]:
    """At most so many rows of that column's table, the greatest `place` first, from the one after `before` on.

    Ids grow with time, so they are places. A wish of None leaves its condition out.
    """
    query = sa.select(place.table).order_by(place.desc()).limit(limit)
    query = query.where(*(column == value for column, value in wanted.items() if value is not None))
    return query if before is None else query.where(place < before)
