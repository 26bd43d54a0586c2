"""Opening the app database: on both kinds, by many at once, up to the newest migration."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from psycopg.pq import TransactionStatus

from offtake.appdb.database import MIGRATIONS, AppDb, open_appdb
from offtake.appdb.snapshots import find_snapshot
from offtake.appdb.tables import METADATA, TOTALS
from offtake.appdb.tables_saved import DEFINITIONS, SNAPSHOTS
from offtake.appdb.totals import read_totals
from offtake.errors import InvalidConfig
from servers import Postgres
from sites import NOW

IDLE = TransactionStatus.IDLE
STARTER = """
import sys
from offtake.appdb.database import MIGRATIONS, AppDb, open_appdb
from offtake.appdb.snapshots import find_snapshot
sys.stdin.readline()
database = open_appdb(sys.argv[1])
assert database.answers()
database.close()
"""


def start_together(url: str, processes: int) -> list[int]:
    """Exit codes of so many processes that open the database at the same moment."""
    children = [
        subprocess.Popen([sys.executable, "-c", STARTER, url], stdin=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(processes)
    ]
    for child in children:
        assert child.stdin is not None
        child.stdin.write(b"go\n")
        child.stdin.flush()
    return [child.wait(60) if not child.communicate(timeout=60)[1] else 1 for child in children]


def test_processes_that_start_at_once_all_succeed_on_sqlite(tmp_path: Path) -> None:
    assert start_together(f"sqlite:///{tmp_path}/new/offtake.db", 3) == [0, 0, 0]


def test_processes_that_start_at_once_all_succeed_on_postgresql(postgres: Postgres) -> None:
    with postgres.database() as url:
        assert start_together(url, 3) == [0, 0, 0]


def test_migrations_lead_to_the_tables_we_use_on_sqlite(tmp_path: Path) -> None:
    assert differences(f"sqlite:///{tmp_path}/offtake.db") == []


def test_migrations_lead_to_the_tables_we_use_on_postgresql(postgres: Postgres) -> None:
    with postgres.database() as url:
        assert differences(url) == []


def differences(url: str) -> list[object]:
    """What Alembic would still change."""
    assert DEFINITIONS.metadata is METADATA
    database = open_appdb(url)
    try:
        with database.read() as connection:
            return list(compare_metadata(MigrationContext.configure(connection), METADATA))
    finally:
        database.close()


def test_sqlite_writes_ahead_so_that_readers_never_wait(tmp_path: Path) -> None:
    database = open_appdb(f"sqlite:///{tmp_path}/offtake.db")
    with database.write(), database.read() as connection:
        assert connection.execute(sa.text("PRAGMA journal_mode")).scalar_one() == "wal"
        assert connection.execute(sa.text("SELECT count(*) FROM keys")).scalar_one() == 0
    database.close()


def test_only_who_writes_begins_a_transaction(db: AppDb) -> None:
    for opened, begun in ((db.read, False), (db.write, True), (db.read, False)):
        with opened() as connection:
            connection.execute(sa.text("SELECT 1")).scalar_one()
            driver: Any = connection.connection.dbapi_connection
            is_file = connection.dialect.name == "sqlite"
            assert (driver.in_transaction if is_file else driver.info.transaction_status is not IDLE) is begun


def test_what_breaks_off_has_written_nothing(db: AppDb) -> None:
    def half() -> None:
        with db.write() as connection:
            connection.execute(TOTALS.insert().values(name="half", value=1))
            raise KeyError

    with pytest.raises(KeyError):
        half()
    assert "half" not in read_totals(db)


@pytest.mark.parametrize("url", ["mysql://root@localhost/x", "nonsense", "sqlite://", "sqlite:///:memory:"])
def test_a_database_that_cannot_hold_the_tables_is_refused(url: str) -> None:
    with pytest.raises(InvalidConfig):
        open_appdb(url)


def test_a_database_that_is_gone_does_not_answer(postgres: Postgres) -> None:
    with postgres.database() as url:
        database = open_appdb(url)
        assert database.answers()
    assert not database.answers()
    database.close()


@pytest.mark.parametrize("url", ["postgresql://offtake:secret@127.0.0.1:1/offtake", "sqlite:////proc/nowhere/x.db"])
def test_an_app_database_out_of_reach_says_so_without_its_secret(url: str) -> None:
    with pytest.raises(InvalidConfig, match="app database") as caught:
        open_appdb(url)
    assert "secret" not in caught.value.detail + caught.value.hint


def test_a_snapshot_of_before_its_scopes_were_words_keeps_them(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/offtake.db"
    open_appdb(url).close()
    old = sa.create_engine(url)
    migrate(old, command.downgrade, "0003")
    snapshot = {**dict.fromkeys(["id", "tenant", "principal_id", "definition_id"], "x"), "needs": '["a:b", "c"]'}
    counts = dict.fromkeys(["page_size", "keep_alive_s", "rows", "bytes"], 1)
    with old.begin() as connection:
        connection.execute(SNAPSHOTS.insert().values(**snapshot, **counts, created_at=NOW, expires_at=NOW))
    old.dispose()
    new = open_appdb(url)
    found = find_snapshot(new, "x")
    assert found is not None
    assert found.needs == {"a:b", "c"}
    new.close()


def migrate(engine: sa.Engine, direction: Callable[[Config, str], None], revision: str) -> None:
    """Bring the tables to that revision."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        direction(config, revision)
