"""How workers know which of them are dead: each holds a lock that the operating system or PostgreSQL frees for it.

Beside a SQLite file that is a locked file, on PostgreSQL a session's advisory lock. Whoever gets a worker's lock knows
that it is gone, and hands its work on.
"""

import fcntl
import os
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import sqlalchemy as sa

from offtake.errors import Unavailable

PREPARE_LOCK = 0x0FF7A4F  # beside the migrations' own in appdb.database
SETTLE_S = 5.0  # what workers get to take their locks again after PostgreSQL was restarted
REFUSED_S = 3.0  # how long a lock of our own may be refused: a sweep looks at it for a moment
KEEPALIVE_S = 5


class LeaseLost(Exception):
    """Somebody took this worker for dead, and its work over."""


class FileLeases:
    """Locked files in a folder beside the database, for processes of one machine."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: tuple[Path, IO[bytes]] | None = None

    def hold(self, name: str) -> None:
        """Take the lock of this process, until it ends."""
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / name
        while True:
            file = path.open("ab")
            with suppress(OSError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # A sweep may have found the file before it was locked, and deleted it.
                if os.path.samestat(os.fstat(file.fileno()), path.stat()):
                    self._held = (path, file)
                    return
            file.close()
            time.sleep(0.01)

    def keep(self) -> None:
        """Nothing takes a locked file away from a process that lives."""

    def is_dead(self, name: str) -> bool:
        """Whether the process that held the lock of that name is gone."""
        path = self._folder / name
        try:
            with path.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink(missing_ok=True)
        except BlockingIOError:
            return False
        except FileNotFoundError:
            return True
        return True

    def close(self) -> None:
        """Free the lock."""
        if self._held is not None:
            path, file = self._held
            path.unlink(missing_ok=True)
            file.close()
            self._held = None


class ServerLeases:
    """Advisory locks of one PostgreSQL session. The connection is watched from both of its ends.

    Every method but `close` raises Unavailable while the server does not answer.
    """

    def __init__(self, database_url: str) -> None:
        self._engine = _open_engine(database_url)
        self._lock = threading.Lock()
        self._connection: sa.Connection | None = None
        self._name = ""
        self._suspects: set[str] = set()

    def hold(self, name: str) -> None:
        """Take the lock of this process, until its connection ends."""
        self._name = name
        self.keep()

    def keep(self) -> None:
        """Make sure that the lock is held, over a new connection if the last one broke. Raises LeaseLost."""
        with self._lock, self._told():
            if self._connection is not None:
                self._connection.execute(sa.text("SELECT 1"))
                return
            connection = self._connect()
            given_up = time.monotonic() + REFUSED_S
            while not _take(connection, self._name):
                if time.monotonic() > given_up:
                    raise LeaseLost
                time.sleep(0.1)
            self._connection = connection

    def is_dead(self, name: str) -> bool:
        """Whether the process that held the lock of that name is gone; asked twice before it is believed.

        From then on the lock is ours: a process that was only cut off finds it taken.
        """
        with self._lock, self._told():
            if self._connection is None or not self._has_settled():
                return False
            if not _take(self._connection, name):
                self._suspects.discard(name)
                return False
            if name in self._suspects:
                return True
            self._suspects.add(name)
            self._connection.execute(sa.select(sa.func.pg_advisory_unlock(_key(name))))
            return False

    def close(self) -> None:
        """Free the locks."""
        with self._lock:
            self._let_go()
            self._engine.dispose()

    def _has_settled(self) -> bool:
        assert self._connection is not None
        age = sa.text("SELECT extract(epoch FROM clock_timestamp() - pg_postmaster_start_time())")
        return float(self._connection.execute(age).scalar_one()) > SETTLE_S

    def _connect(self) -> sa.Connection:
        connection = self._engine.connect()
        for setting in ("idle", "interval"):
            connection.execute(sa.text(f"SET tcp_keepalives_{setting} = {KEEPALIVE_S}"))
        connection.execute(sa.text("SET tcp_keepalives_count = 2"))
        return connection

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sa.exc.DBAPIError as error:
            self._let_go()
            raise Unavailable("The app database does not answer.") from error

    def _let_go(self) -> None:
        if self._connection is not None:
            with suppress(sa.exc.DBAPIError):
                self._connection.close()
            self._connection = None


Leases = FileLeases | ServerLeases


def open_leases(database_url: str) -> Leases:
    """The leases of everybody who works on that app database."""
    folder = _beside(database_url, ".workers")
    return ServerLeases(database_url) if folder is None else FileLeases(folder)


@contextmanager
def only_one(database_url: str) -> Iterator[None]:
    """One process at a time on that app database."""
    path = _beside(database_url, ".lock")
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
        return
    engine = _open_engine(database_url)
    with engine.connect() as connection:
        # Asked for again and again: a session that waits inside the server for a lock holds a snapshot, which
        # CREATE INDEX CONCURRENTLY in the session that has it would wait for in turn.
        while not connection.execute(sa.select(sa.func.pg_try_advisory_lock(PREPARE_LOCK))).scalar_one():
            time.sleep(0.1)
        yield
    engine.dispose()


def _beside(database_url: str, ending: str) -> Path | None:
    """A path beside the SQLite file; None for PostgreSQL."""
    url = sa.make_url(database_url)
    return Path(f"{url.database}{ending}") if url.get_backend_name() == "sqlite" else None


def _open_engine(database_url: str) -> sa.Engine:
    """Connections that break soon when the other end does not answer any more."""
    return sa.create_engine(
        sa.make_url(database_url).set(drivername="postgresql+psycopg"),
        poolclass=sa.NullPool,
        isolation_level="AUTOCOMMIT",
        connect_args={
            "application_name": "offtake lease",
            "connect_timeout": KEEPALIVE_S,
            "keepalives_idle": KEEPALIVE_S,
            "keepalives_interval": KEEPALIVE_S,
            "keepalives_count": 2,
            "tcp_user_timeout": 2000 * KEEPALIVE_S,
        },
    )


def _take(connection: sa.Connection, name: str) -> bool:
    return bool(connection.execute(sa.select(sa.func.pg_try_advisory_lock(_key(name)))).scalar_one())


def _key(name: str) -> int:
    """A lock's number, from a UUID: signed 64 bits."""
    return uuid.UUID(name).int & 0x7FFF_FFFF_FFFF_FFFF
