"""Lists of definitions: every order, a page at a time by cursor or by number, and what a search finds."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from api.desk import told
from api.shelf import Shelf, open_shelf
from sites import NOW

NAMES = ["Ärger", "alpha", "Beta", "beta", 'say "hi"', "100%", "a_b", "ünï", "Éclair", "x" * 200, "ﬃ" * 200]


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    """A service with a definition of each name; some were run."""
    with open_shelf(tmp_path_factory.mktemp("home")) as shelf:
        for number, name in enumerate(NAMES):
            shelf.desk.clock.at = NOW + timedelta(seconds=number // 2)
            made = shelf.save(name=name, description="Über alles" if number % 2 else "")
            if number % 3 == 0:
                shelf.desk.clock.at = NOW + timedelta(minutes=50 - number)
                shelf.ask("POST", f"/{made['id']}/run")
        shelf.ask("PATCH", f"/{made['id']}", json={"limit": 1})
        yield shelf


def listed(shelf: Shelf, query: str = "") -> dict[str, Any]:
    """That page of the list."""
    answer = shelf.ask("GET", query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def names(page: dict[str, Any]) -> list[str]:
    """The names on a page."""
    return [each["name"] for each in page["data"]]


@pytest.mark.parametrize("sort", ["name", "created_at", "updated_at", "last_executed_at"])
@pytest.mark.parametrize("sign", ["", "-"])
@pytest.mark.parametrize("limit", [1, 3, 11])
def test_pages_by_cursor_and_by_number_are_the_list_in_order(full: Shelf, sort: str, sign: str, limit: int) -> None:
    whole = names(listed(full, f"?sort={sign}{sort}&limit=200"))
    assert sorted(whole) == sorted(NAMES)
    found, cursor = [], None
    while cursor is not None or not found:
        page = listed(full, f"?sort={sign}{sort}&limit={limit}" + (f"&cursor={cursor}" if cursor else ""))
        assert page["total"] == len(NAMES)
        found += names(page)
        cursor = page["next_cursor"]
    numbered = [listed(full, f"?sort={sign}{sort}&limit={limit}&page={n + 1}") for n in range(-(-len(NAMES) // limit))]
    assert found == [name for page in numbered for name in names(page)] == whole
    assert numbered[-1]["next_cursor"] is None


def test_the_newest_comes_first_unless_asked_otherwise(full: Shelf) -> None:
    assert names(listed(full)) == NAMES[::-1]


def test_names_are_sorted_without_regard_to_capitals_and_never_run_ones_come_first(full: Shelf) -> None:
    by_name = names(listed(full, "?sort=name"))
    assert [name for name in by_name if name.lower() in ("alpha", "beta")] == ["alpha", "Beta", "beta"]
    executed = [each["last_executed_at"] for each in listed(full, "?sort=last_executed_at")["data"]]
    assert executed == sorted(executed, key=lambda at: at or "")
    assert executed.count(None) == 7


@pytest.mark.parametrize(("q", "found"), [
    ("ÄRG", ["Ärger"]), ("BET", ["beta", "Beta"]), ("%", ["100%"]), ("_", ["a_b"]), ("ÜBER", NAMES[1::2][::-1]),
    ("Ü", [*NAMES[1::2][::-1]]), ('"', ['say "hi"']), ("nothing", []), ("\0", NAMES[::-1]), ("", NAMES[::-1]),
])  # fmt: skip
def test_a_search_looks_into_names_and_descriptions(full: Shelf, q: str, found: list[str]) -> None:
    answer = full.ask("GET", params={"q": q}).json()
    assert (names(answer), answer["total"]) == (found, len(found))


def test_a_page_beyond_the_last_is_empty(full: Shelf) -> None:
    page = listed(full, "?page=1000000&limit=200")
    assert (page["data"], page["total"], page["next_cursor"]) == ([], len(NAMES), None)


def test_a_list_does_not_look_for_problems(full: Shelf) -> None:
    assert {each["problems"] is None for each in listed(full)["data"]} == {True}


def test_a_cursor_is_good_for_its_own_question_only(full: Shelf) -> None:
    cursor = listed(full, "?limit=2&sort=name&q=e")["next_cursor"]
    assert listed(full, f"?limit=5&sort=name&q=e&cursor={cursor}")["data"]
    for query in ("sort=name", "sort=-name&q=e", "sort=created_at&q=e", "sort=name&q=E"):
        assert told(full.ask("GET", f"?{query}&cursor={cursor}")) == (422, "INVALID_CURSOR")
    globex = full.holding("reports:read", tenant="globex")
    assert told(globex.ask("GET", f"?sort=name&q=e&cursor={cursor}")) == (422, "INVALID_CURSOR")
    assert told(full.ask("GET", f"?sort=name&q=e&cursor={cursor[:-2]}")) == (422, "INVALID_CURSOR")


@pytest.mark.parametrize(("query", "pointer"), [
    ("sort=nme", "/sort"), ("sort=id", "/sort"), ("limit=0", "/limit"), ("limit=201", "/limit"), ("page=0", "/page"),
    ("page=1000001", "/page"), ("page=1&cursor=x", ""), ("qq=x", "/qq"),
])  # fmt: skip
def test_what_a_list_cannot_do_is_told(full: Shelf, query: str, pointer: str) -> None:
    answer = full.ask("GET", f"?{query}")
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
