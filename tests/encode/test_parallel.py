"""Threads that render keep order, failures and memory as one thread would."""

import threading
import time
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from offtake.encode.parallel import in_order


def slow_first(number: int) -> int:
    time.sleep(0.05 if number == 0 else 0)
    return number


def jobs(count: int, pulled: list[int]) -> Iterator[Callable[[], int]]:
    for number in range(count):
        pulled.append(number)
        yield partial(slow_first, number)


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_results_come_in_the_order_of_the_jobs(workers: int) -> None:
    assert list(in_order(jobs(20, []), workers)) == list(range(20))


def test_no_more_jobs_are_pulled_than_run_or_wait() -> None:
    pulled: list[int] = []
    results = in_order(jobs(50, pulled), 2)
    next(results)
    assert len(pulled) <= 4
    results.close()


def test_a_failure_comes_in_its_place() -> None:
    def fail() -> int:
        raise ValueError("third")

    results = in_order([lambda: 1, lambda: 2, fail, lambda: 4], 2)
    assert [next(results), next(results)] == [1, 2]
    with pytest.raises(ValueError, match="third"):
        next(results)


def test_closing_leaves_no_thread() -> None:
    results = in_order(jobs(50, []), 2)
    next(results)
    results.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("render")]
