"""What children do in tests. In a file of its own, for each of them imports it, and all that it imports."""

import os
import signal
import time
from contextlib import suppress
from multiprocessing.connection import Connection


def echo(line: Connection) -> None:
    """Says it is ready, then whatever it is told."""
    line.send({})
    with suppress(EOFError):
        while True:
            line.send(line.recv())


def deaf(line: Connection) -> None:
    """Does not end when it is asked to."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    line.send({})
    time.sleep(60)


def greedy(line: Connection) -> None:
    """Takes 100 MB."""
    line.send({})
    taken = bytearray(100_000_000)
    line.send({"bytes": len(taken)})
    time.sleep(60)


def slow(_: Connection) -> None:
    """Never says that it is ready."""
    time.sleep(60)


def exiting(code: int, line: Connection) -> None:
    """Says that it is ready, and ends."""
    line.send({})
    os._exit(code)


def crashing(line: Connection) -> None:
    """Says that it is ready, and breaks down."""
    line.send({})
    os.kill(os.getpid(), signal.SIGSEGV)


def refusing(_: Connection) -> None:
    """Ends at once."""
    os._exit(7)
