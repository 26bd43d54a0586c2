"""Lines of the audit in both app databases: added, found, pruned, and never changed."""

from datetime import timedelta

import pytest
import sqlalchemy as sa
import uuid_utils

from offtake.appdb.audit import insert_entry, list_entries, prune_entries
from offtake.appdb.database import AppDb
from offtake.appdb.tables_saved import AUDIT
from offtake.model.audit import AuditEntry, Outcome
from sites import NOW


@pytest.fixture
def db(fresh_db: AppDb) -> AppDb:
    """One for each test: pruning takes every line."""
    return fresh_db


def entry(days_ago: float = 0, action: str = "export.submit", **more: str) -> AuditEntry:
    at = NOW - timedelta(days=days_ago)
    about = {"tenant": "acme", "principal": "k", "dataset": "numbers", **more}
    return AuditEntry(str(uuid_utils.uuid7()), at, action=action, outcome=Outcome.OK, rows=3, bytes=2**40, **about)


def test_lines_come_back_as_they_were_the_newest_first(db: AppDb) -> None:
    lines = [entry(3), entry(2, action="export.download"), entry(1, filter="n = \0\ud800" + "x" * 9999)]
    for line in lines:
        insert_entry(db, line)
    found = list_entries(db, tenant="acme")
    assert [line.id for line in found] == [line.id for line in reversed(lines)]
    assert found[1:] == (lines[1], lines[0])
    assert found[0].filter is not None
    assert found[0].filter.startswith("n = ?xx")
    assert len(found[0].filter) == 4001


def test_every_condition_narrows_the_list(db: AppDb) -> None:
    insert_entry(db, entry(3))
    insert_entry(db, entry(2, action="exportable", principal="j"))
    insert_entry(db, entry(1, action="export.download", dataset="letters"))
    insert_entry(db, entry(tenant="globex"))
    assert len(list_entries(db, tenant=None)) == 4
    assert [line.action for line in list_entries(db, tenant="acme", action="export.*")] == [
        "export.download",
        "export.submit",
    ]
    assert [line.principal for line in list_entries(db, tenant="acme", principal="j")] == ["j"]
    assert [line.dataset for line in list_entries(db, tenant="acme", dataset="letters")] == ["letters"]
    since, until = NOW - timedelta(days=2), NOW - timedelta(days=1)
    assert [line.principal for line in list_entries(db, tenant="acme", since=since, until=until)] == ["j"]


def test_nothing_changes_a_line_and_nothing_young_is_deleted(db: AppDb) -> None:
    insert_entry(db, entry(10))
    insert_entry(db, entry(1))
    changes: list[sa.Executable] = [AUDIT.update().values(outcome="ok"), AUDIT.delete()]
    if db.engine.dialect.name == "postgresql":
        changes.append(sa.text("TRUNCATE audit"))
    for change in changes:
        with pytest.raises(sa.exc.DBAPIError, match="append-only"), db.write() as connection:
            connection.execute(change)
    assert prune_entries(db, NOW - timedelta(days=5)) == 1
    for change in changes:
        with pytest.raises(sa.exc.DBAPIError, match="append-only"), db.write() as connection:
            connection.execute(change)
    assert len(list_entries(db, tenant=None)) == 1


def test_pruning_goes_on_where_it_ended_and_never_back(db: AppDb) -> None:
    for days in (10, 9, 8, 1):
        insert_entry(db, entry(days))
    assert [prune_entries(db, NOW - timedelta(days=5), 2) for _ in range(3)] == [2, 1, 0]
    insert_entry(db, entry(20))
    assert prune_entries(db, NOW - timedelta(days=15)) == 1
    assert prune_entries(db, NOW - timedelta(days=15)) == 0
