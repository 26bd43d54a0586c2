"""Shops in this test's own folder, and one with a running service that harmless tests share."""

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from jobs.shop import Shop, Shops, open_shop


@pytest.fixture
def make_shop(tmp_path: Path) -> Iterator[Shops]:
    """`make_shop(database=…, concurrency=…)` opens a shop for as long as the test runs."""
    with ExitStack() as stack:

        def make(**given: Any) -> Shop:
            return stack.enter_context(open_shop(tmp_path / "shop", **given))

        yield make


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Shop, subprocess.Popen[str]]]:
    """A shop on SQLite with its `offtake serve`, for tests that leave it as they found it."""
    with open_shop(tmp_path_factory.mktemp("served") / "shop", concurrency=2, memory_mb=300, attempts=2) as shop:
        yield shop, shop.serve()
