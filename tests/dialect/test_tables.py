"""Every endpoint, parameter, field, status, header and error of a page stands in its dialect's doc, beside its test.

In docs/dialects, a table whose last column is called `test` is such a table: each row names, in backticks, at least one
test that exists.
"""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from fastapi.routing import APIRoute

from offtake.dialect import ENTRYPOINTS
from offtake.web.entrypoint import Entrypoint

ROOT = Path(__file__).parents[2]
EACH = pytest.mark.parametrize("entrypoint", ENTRYPOINTS, ids=lambda one: one.name)


def doc_of(entrypoint: Entrypoint) -> str:
    return (ROOT / f"docs/dialects/{entrypoint.name}.md").read_text("utf-8")


def proven_rows(doc: str) -> Iterator[list[str]]:
    """The cells of every row of a table whose last column is `test`."""
    is_proof = False
    lines = doc.splitlines()
    for line, after in zip(lines, [*lines[1:], ""], strict=True):
        # A bar in a cell is written `\|`.
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] if line.startswith("|") else []
        if not cells:
            is_proof = False
        elif re.fullmatch(r"[|: -]+", after):
            is_proof = cells[-1] == "test"
        elif is_proof and not re.fullmatch(r"[|: -]+", line):
            yield cells


@cache
def known_tests() -> frozenset[str]:
    """The name of every test there is."""
    found = (re.findall(r"^def (test_\w+)", path.read_text("utf-8"), re.M) for path in (ROOT / "tests").rglob("*.py"))
    return frozenset(name for names in found for name in names)


@EACH
def test_every_row_names_a_test_that_exists(entrypoint: Entrypoint) -> None:
    rows = list(proven_rows(doc_of(entrypoint)))
    assert len(rows) >= 15, "The whole page is to be in the tables."
    without = [cells for cells in rows if not re.findall(r"`(test_\w+)`", cells[-1])]
    assert not without
    named = {name for cells in rows for name in re.findall(r"`(test_\w+)`", cells[-1])}
    assert not named - known_tests()


@EACH
def test_every_route_stands_in_the_table(entrypoint: Entrypoint) -> None:
    told = {cell for cells in proven_rows(doc_of(entrypoint)) for cell in cells}
    text = "\n".join(told)
    routes = [route for router in entrypoint.routers for route in router.routes if isinstance(route, APIRoute)]
    paths = {re.sub(r"\{[^}]*\}", "{}", route.path) for route in routes}
    known = {re.sub(r"\{[^}]*\}", "{}", path) for path in re.findall(r"/[\w/{}.-]+", text)}
    assert not paths - known
