"""Locks that the operating system or PostgreSQL frees when their holder dies, for whoever works on one app database.

Beside a SQLite file they are locked files, on PostgreSQL a session's advisory locks.
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

from offtake.appdb.database import telling_unavailable
from offtake.errors import Unavailable

PREPARE_LOCK = 0x0FF7A4F  # beside the migrations' own in appdb.database
SETTLE_S = 5.0  # what processes get to take their locks again after PostgreSQL was restarted
REFUSED_S = 3.0  # how long a lock of our own may be refused: somebody else looks at it for a moment
KEEPALIVE_S = 5


class LockLost(Exception):
    """Somebody took this process for dead."""


class FileLocks:
    """Locked files in a folder beside the database, for processes of one machine."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: tuple[Path, IO[bytes]] | None = None

    def hold(self, name: str) -> None:
        """Take the lock of that name, which is new, until this process ends."""
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / name
        while self._held is None:
            file = path.open("ab")
            with suppress(OSError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # Somebody may have found the file before it was locked, and deleted it.
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


class SessionLocks:
    """Advisory locks of one PostgreSQL session, whose connection is watched from both of its ends.

    Names are UUIDs. Every method but `close` raises Unavailable while the server does not answer.
    """

    def __init__(self, url: sa.URL) -> None:
        self._engine = _open_engine(url)
        self._lock = threading.Lock()
        self._session: sa.Connection | None = None
        self._name = ""
        self._suspects: set[str] = set()

    def hold(self, name: str) -> None:
        """Take the lock of that name, which is new, until this process ends."""
        self._name = name
        self.keep()

    def keep(self) -> None:
        """Make sure that the lock is held, in a new session if the last one broke. Raises LockLost."""
        with self._lock, self._in_session() as session:
            session.execute(sa.text("SELECT 1"))

    def is_dead(self, name: str) -> bool:
        """Whether the process that held the lock of that name is gone; asked twice before it is believed.

        From then on the lock is ours: a process that was only cut off finds it taken.
        """
        with self._lock, self._in_session() as session:
            if not _has_settled(session):
                return False
            if not _take(session, name):
                self._suspects.discard(name)
                return False
            if name in self._suspects:
                return True
            self._suspects.add(name)
            session.execute(sa.select(sa.func.pg_advisory_unlock(_key(name))))
            return False

    def close(self) -> None:
        """Free the locks."""
        with self._lock:
            self._let_go()
            self._engine.dispose()

    @contextmanager
    def _in_session(self) -> Iterator[sa.Connection]:
        """The session that has our lock."""
        try:
            with telling_unavailable():
                if self._session is None:
                    self._session = _begin_session(self._engine)
                    _take_again(self._session, self._name)
                yield self._session
        except Unavailable:
            self._let_go()
            raise

    def _let_go(self) -> None:
        if self._session is not None:
            with suppress(sa.exc.SQLAlchemyError):
                self._session.close()
            self._session = None


Locks = FileLocks | SessionLocks


def open_locks(database_url: str) -> Locks:
    """The locks of everybody who works on that app database; nothing is opened yet."""
    url = sa.make_url(database_url)
    return FileLocks(_beside(url, ".workers")) if _is_file(url) else SessionLocks(url)


@contextmanager
def only_one(database_url: str) -> Iterator[None]:
    """One process at a time on that app database."""
    url = sa.make_url(database_url)
    if _is_file(url):
        with _beside(url, ".lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
        return
    with _open_engine(url).connect() as session:
        # Asked for again and again: a session that waits inside the server for a lock holds a snapshot, which
        # CREATE INDEX CONCURRENTLY in the session that has it would wait for in turn.
        while not session.execute(sa.select(sa.func.pg_try_advisory_lock(PREPARE_LOCK))).scalar_one():
            time.sleep(0.1)
        yield


def _is_file(url: sa.URL) -> bool:
    return url.get_backend_name() == "sqlite"


def _beside(url: sa.URL, ending: str) -> Path:
    return Path(f"{url.database}{ending}")


def _open_engine(url: sa.URL) -> sa.Engine:
    """Connections that break soon when the other end does not answer any more, and close when they are let go."""
    return sa.create_engine(
        url.set(drivername="postgresql+psycopg"),
        poolclass=sa.NullPool,
        isolation_level="AUTOCOMMIT",
        connect_args={
            "application_name": "offtake locks",
            "connect_timeout": KEEPALIVE_S,
            "keepalives_idle": KEEPALIVE_S,
            "keepalives_interval": KEEPALIVE_S,
            "keepalives_count": 2,
            "tcp_user_timeout": 2000 * KEEPALIVE_S,
        },
    )


def _begin_session(engine: sa.Engine) -> sa.Connection:
    """A session that the server ends soon when we do not answer any more."""
    session = engine.connect()
    for setting in (f"idle = {KEEPALIVE_S}", f"interval = {KEEPALIVE_S}", "count = 2"):
        session.execute(sa.text(f"SET tcp_keepalives_{setting}"))
    return session


def _has_settled(session: sa.Connection) -> bool:
    age = sa.text("SELECT extract(epoch FROM clock_timestamp() - pg_postmaster_start_time())")
    return float(session.execute(age).scalar_one()) > SETTLE_S


def _take_again(session: sa.Connection, name: str) -> None:
    given_up = time.monotonic() + REFUSED_S
    while not _take(session, name):
        if time.monotonic() > given_up:
            raise LockLost
        time.sleep(0.1)


def _take(session: sa.Connection, name: str) -> bool:
    return bool(session.execute(sa.select(sa.func.pg_try_advisory_lock(_key(name)))).scalar_one())


def _key(name: str) -> int:
    """A lock's number, from a UUID: signed 64 bits."""
    return uuid.UUID(name).int & 0x7FFF_FFFF_FFFF_FFFF
