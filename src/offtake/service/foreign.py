"""Definitions as foreign APIs know them: by their own ids or the client's, and all of them at once."""

from collections.abc import Iterator

from offtake.errors import NotFound
from offtake.model.access import Principal
from offtake.model.saved import Definition
from offtake.service.definitions import NEWEST_FIRST, find_definition, find_external, list_definitions
from offtake.service.runtime import Runtime

AT_ONCE = 200


def find_foreign_definition(runtime: Runtime, principal: Principal, dialect: str, id_: str) -> Definition:
    """The tenant's definition of that id, or the one that clients of the dialect call so.

    Raises NotFound, InsufficientScope.
    """
    try:
        return find_definition(runtime, principal, id_)
    except NotFound:
        found = find_external(runtime, principal, dialect, id_.replace("\0", ""))
        if found is None:
            raise
        return found


def each_definition(runtime: Runtime, principal: Principal) -> Iterator[Definition]:
    """All of the tenant's definitions, the newest first. Raises InsufficientScope."""
    after = None
    while True:
        some, _ = list_definitions(runtime, principal, sort=NEWEST_FIRST, after=after, limit=AT_ONCE)
        yield from some
        if len(some) < AT_ONCE:
            return
        after = (some[-1].created_at, some[-1].id)
