"""Reading ahead keeps order, failures and the promise to close."""

import threading
import time
from collections.abc import Generator

import pyarrow as pa
import pytest

from offtake.engine.ahead import DEPTH, read_ahead
from offtake.errors import SourceFailed
from offtake.model.ports import Stop


def batch(number: int) -> pa.RecordBatch:
    return pa.record_batch([pa.array([number])], names=["n"])


def numbers(count: int, log: list[str], fail_at: int | None = None) -> Generator[pa.RecordBatch, None, None]:
    try:
        for number in range(count):
            if number == fail_at:
                raise SourceFailed("cut")
            log.append(f"read {number}")
            yield batch(number)
    finally:
        log.append(f"closed by {threading.current_thread().name}")


def test_batches_arrive_in_order() -> None:
    arrived = [b.column(0)[0].as_py() for b in read_ahead(numbers(50, []), Stop())]
    assert arrived == list(range(50))


def test_a_failure_arrives_after_the_batches_before_it() -> None:
    ahead = read_ahead(numbers(9, [], fail_at=3), Stop())
    assert [next(ahead).column(0)[0].as_py() for _ in range(3)] == [0, 1, 2]
    with pytest.raises(SourceFailed):
        next(ahead)


def test_no_more_than_a_few_batches_wait() -> None:
    log: list[str] = []
    ahead = read_ahead(numbers(50, log), Stop())
    next(ahead)
    time.sleep(0.1)
    assert len(log) <= DEPTH + 2
    ahead.close()


def test_closing_early_closes_the_read_in_its_own_thread_and_sets_stop() -> None:
    log: list[str] = []
    stop = Stop()
    ahead = read_ahead(numbers(50, log), stop)
    next(ahead)
    ahead.close()
    assert log[-1] == "closed by read-ahead"
    assert stop.is_set
    assert "read-ahead" not in {thread.name for thread in threading.enumerate()}


def test_closing_interrupts_a_read_that_waits() -> None:
    stop, waiting = Stop(), threading.Event()
    stop.attach(waiting.set)

    def slow() -> Generator[pa.RecordBatch, None, None]:
        yield batch(0)
        waiting.wait(300)
        stop.check()

    ahead = read_ahead(slow(), stop)
    next(ahead)
    begin = time.monotonic()
    ahead.close()
    assert time.monotonic() - begin < 60


def test_a_finished_read_does_not_set_stop() -> None:
    stop = Stop()
    list(read_ahead(numbers(3, []), stop))
    assert not stop.is_set
