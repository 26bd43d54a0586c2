"""One running COPY: a thread of its own reads blocks ahead while the consumer parses and encodes them."""

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
from sqlalchemy.pool import PoolProxiedConnection

from offtake.errors import Cancelled, OfftakeError
from offtake.model.ports import Stop

BLOCKS_AHEAD = 2
CANCEL_AGAIN_S = 0.1
CANCEL_S = 5.0


def driver_connection(pooled: PoolProxiedConnection) -> psycopg.Connection[Any]:
    """psycopg's connection behind the pool's."""
    connection = pooled.driver_connection
    assert isinstance(connection, psycopg.Connection)
    return connection


def cancel(connection: psycopg.Connection[Any]) -> None:
    """Ask the server to cancel what the connection runs. If it cannot be told, closing is all that is left to do."""
    with suppress(psycopg.Error):
        connection.cancel_safe(timeout=CANCEL_S)


@contextmanager
def cancelled_by(stop: Stop, connection: psycopg.Connection[Any]) -> Iterator[None]:
    """Cancel what the connection runs inside the block once somebody asks to stop; never what it runs afterwards.

    One cancel is not enough: it is lost if it comes between two statements.
    """
    inside, ended = threading.Lock(), threading.Event()

    def act() -> None:
        while not ended.is_set():
            with inside:
                if not ended.is_set():
                    cancel(connection)
            ended.wait(CANCEL_AGAIN_S)

    detach = stop.attach(act)
    try:
        yield
    finally:
        detach()
        with inside:
            ended.set()


class CopyReader:
    """Owns a pooled connection on which a COPY has started, until that is read, left or broken.

    A connection whose COPY was not read to its end is cancelled and closed, never reused: a cancel that comes late
    would hit the next reader's query.
    """

    def __init__(
        self,
        pooled: PoolProxiedConnection,
        stop: Stop,
        translate: Callable[[Exception], OfftakeError],
        read: Callable[[psycopg.pq.abc.PGconn], Generator[Any, None, None]],
    ) -> None:
        self._pooled = pooled
        self._connection = driver_connection(pooled)
        self._stop = stop
        self._translate = translate
        self._read = read
        self._blocks: deque[Any] = deque()
        self._changed = threading.Condition()
        self._cancelling = threading.Lock()  # held while the connection is cancelled or let go
        self._is_left = self._is_done = False
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="copy-reader", daemon=True)
        self._thread.start()
        self._detach = stop.attach(self._leave)

    def blocks(self) -> Generator[Any, None, None]:
        """The blocks, in order. Raises what ended the read early, translated; Cancelled if it was asked to stop."""
        while (block := self._next()) is not None:
            yield block
        if self._error is not None:
            raise self._translate(self._error) from self._error

    def _next(self) -> Any:
        with self._changed:
            self._changed.wait_for(lambda: self._blocks or self._is_done or self._is_left)
            if self._stop.is_set:
                raise Cancelled("Stopped on request.")
            self._changed.notify_all()
            return self._blocks.popleft() if self._blocks else None

    def close(self) -> None:
        """Leave the COPY, finished or not; the connection is let go when this returns."""
        self._detach()
        self._leave()
        self._thread.join()

    def _leave(self) -> None:
        with self._changed:
            self._is_left = True
            self._changed.notify_all()
        with self._cancelling:
            if not self._is_done:
                cancel(self._connection)

    def _run(self) -> None:
        try:
            for block in self._read(self._connection.pgconn):
                if not self._hand_over(block):
                    break
        except Exception as error:
            self._error = error
        with self._cancelling:
            try:
                if self._error is not None or self._is_left:
                    self._pooled.invalidate()
                self._pooled.close()
            finally:
                with self._changed:
                    self._is_done = True
                    self._changed.notify_all()

    def _hand_over(self, block: Any) -> bool:
        """Wait for room and leave the block there; False if nobody wants it any more."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_left or len(self._blocks) < BLOCKS_AHEAD)
            self._blocks.append(block)
            self._changed.notify_all()
            return not self._is_left
