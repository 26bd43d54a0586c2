"""Lists a page at a time: with each page goes a cursor that asks for what comes after it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Generic, TypeVar

from offtake.service.runtime import Runtime
from offtake.service.signing import seal_cursor, unseal_cursor

T = TypeVar("T")


@dataclass(frozen=True)
class ListPage(Generic[T]):
    """Some things of a list, and what asks for those after them (None = there are no more)."""

    things: tuple[T, ...]
    next_cursor: str | None


def list_page(
    runtime: Runtime,
    question: Sequence[str | None],
    cursor: str | None,
    limit: int,
    find: Callable[..., Sequence[T]],
    place: Callable[[T], str] = attrgetter("id"),
) -> ListPage[T]:
    """The first `limit` things that answer the question, or those after the cursor that a page before gave.

    `find(before=…, limit=…)` gives so many things in their order, from the one after that place on; `place` says where
    a thing stands. Raises InvalidCursor for a cursor that was not given to this question, and what `find` raises.
    """
    asked = [part or "" for part in question]
    before = None if cursor is None else unseal_cursor(runtime, cursor, *asked)
    found = find(before=before, limit=limit + 1)
    shown = tuple(found[:limit])
    return ListPage(shown, seal_cursor(runtime, place(shown[-1]), *asked) if len(found) > limit else None)
