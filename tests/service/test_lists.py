"""A list comes in pages that leave nothing out and show nothing twice."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offtake.errors import InvalidCursor
from offtake.service.lists import list_page
from offtake.service.runtime import Runtime
from sites import make_runtime


@dataclass(frozen=True)
class Thing:
    """Something in a list."""

    id: str


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runtime]:
    made = make_runtime(tmp_path_factory.mktemp("home"), {})
    yield made
    made.appdb.close()


@given(count=st.integers(0, 12), limit=st.integers(1, 13))
def test_the_pages_together_are_the_list(runtime: Runtime, count: int, limit: int) -> None:
    things = [Thing(f"{n:02}") for n in reversed(range(count))]

    def find(*, before: str | None, limit: int) -> Sequence[Thing]:
        return [thing for thing in things if before is None or thing.id < before][:limit]

    seen: list[Thing] = []
    cursor, pages = None, 0
    while cursor is not None or not pages:
        page = list_page(runtime, ("things", None), cursor, limit, find)
        assert len(page.things) <= limit
        seen, cursor, pages = [*seen, *page.things], page.next_cursor, pages + 1
    assert seen == things
    assert pages == max(1, -(-count // limit))


def test_a_cursor_belongs_to_its_question_and_its_place(runtime: Runtime) -> None:
    seen: list[str | None] = []

    def find(*, before: str | None, limit: int) -> Sequence[int]:
        seen.append(before)
        return list(range(limit))

    cursor = list_page(runtime, ("numbers", None), None, 3, find, lambda number: f"at {number}").next_cursor
    list_page(runtime, ("numbers", ""), cursor, 1, find, str)
    assert seen == [None, "at 2"]
    with pytest.raises(InvalidCursor):
        list_page(runtime, ("numbers", "odd"), cursor, 3, find, str)
