"""Fixtures of the tests over HTTP."""

from collections.abc import Iterator

import pytest

from api.counter import EVERYTHING, Counter, open_counter
from sites import NOW


@pytest.fixture(scope="module")
def opened_counter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Counter]:
    """One service for all tests of a module."""
    with open_counter(tmp_path_factory.mktemp("home")) as counter:
        yield counter


@pytest.fixture
def counter(opened_counter: Counter) -> Counter:
    """A counter of this test's own, at the usual time."""
    opened_counter.clock.at = NOW
    return opened_counter.holding(*EVERYTHING)
