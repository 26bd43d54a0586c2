"""Locks that end with their holder: beside a SQLite file and in PostgreSQL."""

import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from offtake.appdb.locks import SETTLE_S, LockLost, Locks, SessionLocks, open_locks
from offtake.errors import Unavailable
from servers import Postgres
from sites import wait_until

HOLD = """
import sys, time
from offtake.appdb.locks import open_locks
locks = open_locks(sys.argv[1])
locks.hold(sys.argv[2])
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An app database's URL."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/offtake.db"
    else:
        yield settled(request.getfixturevalue("postgres")).url()


def settled(postgres: Postgres) -> Postgres:
    """The server, once it has been up for so long that nobody is expected back."""
    locks = open_locks(postgres.url())
    name = str(uuid.uuid4())
    locks.hold(str(uuid.uuid4()))
    wait_until(lambda: locks.is_dead(name), 2 * SETTLE_S)
    locks.close()
    return postgres


@contextmanager
def opened(url: str) -> Iterator[tuple[Locks, str]]:
    """Locks, and the name under which one is held."""
    locks, name = open_locks(url), str(uuid.uuid4())
    locks.hold(name)
    yield locks, name
    locks.close()


def believed(ask: Callable[[], bool]) -> bool:
    """What is said when asked a second time."""
    ask()
    return ask()


def test_a_holder_is_not_dead(url: str) -> None:
    with opened(url) as (locks, name), opened(url) as (others, _):
        assert not believed(lambda: others.is_dead(name))
        locks.keep()


def test_who_let_go_is_dead(url: str) -> None:
    with opened(url) as (others, _):
        with opened(url) as (_, name):
            pass
        assert believed(lambda: others.is_dead(name))


def test_a_killed_process_is_dead(url: str) -> None:
    name = str(uuid.uuid4())
    process = subprocess.Popen([sys.executable, "-c", HOLD, url, name], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    with opened(url) as (others, _):
        assert not believed(lambda: others.is_dead(name))
        process.kill()
        process.communicate()
        wait_until(lambda: others.is_dead(name))


def cut(postgres: Postgres, locks: SessionLocks) -> None:
    """End the session of those locks, as a broken connection would."""
    session = locks._session  # the one thing no caller has a use for
    assert session is not None
    pid = session.connection.dbapi_connection.info.backend_pid  # type: ignore[union-attr]
    postgres.execute(f"SELECT pg_terminate_backend({pid})")
    time.sleep(0.2)


def test_a_lock_is_taken_again_after_a_cut(postgres: Postgres) -> None:
    with opened(settled(postgres).url()) as (locks, name), opened(postgres.url()) as (others, _):
        assert isinstance(locks, SessionLocks)
        cut(postgres, locks)
        with pytest.raises(Unavailable):
            locks.keep()
        locks.keep()
        assert not believed(lambda: others.is_dead(name))


def test_one_glance_after_a_cut_takes_nothing(postgres: Postgres) -> None:
    with opened(settled(postgres).url()) as (locks, name), opened(postgres.url()) as (others, _):
        assert isinstance(locks, SessionLocks)
        cut(postgres, locks)
        assert not others.is_dead(name)
        with pytest.raises(Unavailable):
            locks.keep()
        locks.keep()


def test_who_comes_back_too_late_is_told(postgres: Postgres) -> None:
    with opened(settled(postgres).url()) as (locks, name), opened(postgres.url()) as (others, _):
        assert isinstance(locks, SessionLocks)
        cut(postgres, locks)
        assert believed(lambda: others.is_dead(name))
        with pytest.raises(Unavailable):
            locks.keep()
        with pytest.raises(LockLost):
            locks.keep()
