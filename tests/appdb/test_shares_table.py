"""Shares in the app database, on both kinds: the count of uses is the gate, whoever comes at once."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import uuid_utils

from offtake.appdb import shares as table
from offtake.appdb.database import AppDb
from offtake.model.access import Principal
from offtake.model.share import Share, ShareState
from sites import NOW

OWNER = Principal("a key", "acme", frozenset({"reports:read"}), frozenset({"analyst"}), "a uuid")
LATER = NOW + timedelta(hours=1)


def insert(db: AppDb, **given: Any) -> Share:
    """A new share in the table; its hash is its id."""
    id_ = str(uuid_utils.uuid7())
    share = replace(Share(id_, "acme", OWNER, "ofs_abcdef", NOW, job_id="a job"), **given)
    table.insert_share(db, share, share.id)
    return share


def find(db: AppDb, share: Share) -> Share:
    """The share as it is."""
    found = table.find_share(db, share.id)
    assert found is not None
    return found


def test_a_share_comes_back_as_it_went(db: AppDb) -> None:
    for given in ({}, {"job_id": None, "definition_id": "d", "max_downloads": 3, "expires_at": LATER}):
        share = insert(db, **given)
        assert find(db, share) == table.find_share_by_hash(db, share.id) == share
    assert table.find_share(db, "another") is table.find_share_by_hash(db, "another") is None


def test_of_a_hundred_uses_at_once_exactly_ten_are_let_through(db: AppDb) -> None:
    share = insert(db, max_downloads=10)
    together = threading.Barrier(25)

    def use_four_times(_: int) -> int:
        together.wait(60)
        return sum(table.use_share(db, share, NOW) for _ in range(4))

    with ThreadPoolExecutor(25) as threads:
        assert sum(threads.map(use_four_times, range(25))) == 10
    assert (find(db, share).uses, find(db, share).state_at(NOW)) == (10, ShareState.USED_UP)


def test_a_use_given_back_can_be_used_by_another(db: AppDb) -> None:
    share = insert(db, max_downloads=1)
    assert [table.use_share(db, share, NOW) for _ in range(2)] == [True, False]
    table.give_back_use(db, share.id)
    assert table.use_share(db, share, LATER)
    assert (find(db, share).uses, find(db, share).last_used_at) == (1, LATER)


def test_without_a_bound_there_are_always_uses_left(db: AppDb) -> None:
    share = insert(db)
    assert all(table.use_share(db, share, NOW) for _ in range(20))
    assert find(db, share).uses == 20


def test_the_gate_closes_at_the_end_and_when_revoked(db: AppDb) -> None:
    ending, revoked = insert(db, expires_at=LATER), insert(db)
    table.revoke_share(db, revoked.id, NOW)
    before = LATER - timedelta(microseconds=1)
    assert [table.use_share(db, ending, at) for at in (before, LATER)] == [True, False]
    assert not table.use_share(db, revoked, NOW)
    assert [find(db, share).state_at(LATER) for share in (ending, revoked)] == [ShareState.EXPIRED, ShareState.REVOKED]


def test_a_share_keeps_the_time_it_was_revoked(db: AppDb) -> None:
    share, other = insert(db, job_id="ended"), insert(db, job_id="going on")
    table.revoke_share(db, share.id, NOW)
    table.revoke_shares_of_job(db, "ended", LATER)
    assert (find(db, share).revoked_at, find(db, other).revoked_at) == (NOW, None)


def test_lists_have_the_newest_first_and_go_on_after_the_last_one_seen(db: AppDb) -> None:
    shares = [insert(db, tenant="listed", job_id="j" if n % 2 else None, definition_id=None) for n in range(5)]
    insert(db, tenant="another")
    newest = shares[::-1]
    assert list(table.list_shares(db, "listed", limit=2)) == newest[:2]
    assert list(table.list_shares(db, "listed", before=newest[1].id)) == newest[2:]
    assert list(table.list_shares(db, "listed", job_id="j")) == [newest[1], newest[3]]
    assert {share.id for share in shares} < {share.id for share in table.list_shares(db, None)}
