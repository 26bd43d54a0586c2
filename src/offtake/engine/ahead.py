"""Reading ahead: the next batches come from the database while this one is being encoded."""

import threading
from collections.abc import Generator
from contextlib import closing
from queue import Queue

import pyarrow as pa

from offtake.model.ports import Stop

DEPTH = 2  # batches that wait; more costs memory and gains nothing, since the slower side sets the pace


def read_ahead(batches: Generator[pa.RecordBatch, None, None], stop: Stop) -> Generator[pa.RecordBatch, None, None]:
    """The same batches, pulled and closed by a thread of their own, so that reading and encoding overlap.

    PostgreSQL would otherwise wait while a batch is encoded: measured 1.4x on two cores. What the read raises is raised
    here, in its place. Closing early sets `stop`, since the thread may be waiting on the database.
    """
    queue: Queue[pa.RecordBatch | BaseException | None] = Queue(DEPTH)
    left = threading.Event()

    def pull() -> None:
        try:
            with closing(batches):
                for batch in batches:
                    if left.is_set():
                        return
                    queue.put(batch)
            queue.put(None)
        except BaseException as error:
            queue.put(error)

    thread = threading.Thread(target=pull, name="read-ahead", daemon=True)
    thread.start()
    finished = False
    try:
        while (item := queue.get()) is not None:
            if isinstance(item, BaseException):
                finished = True
                raise item
            yield item
        finished = True
    finally:
        left.set()
        if not finished:
            stop.set()
        while thread.is_alive():
            _drain(queue)
            thread.join(0.01)


def _drain(queue: Queue[pa.RecordBatch | BaseException | None]) -> None:
    """Make room, so that a thread that waits to put something can see that nobody wants it."""
    while not queue.empty():
        queue.get_nowait()
