"""Keys in the app database, on both kinds."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
import sqlalchemy as sa

from offtake.appdb.access import (
    find_key,
    find_key_by_hash,
    insert_key,
    list_keys,
    replace_secret,
    revoke_key,
    touch_key,
)
from offtake.appdb.database import AppDb
from offtake.model.access import Key

NOON = datetime(2026, 5, 17, 12, tzinfo=UTC)
KEY = Key(
    "one",
    "acme",
    "ofk_abcdef",
    frozenset({"reports:read", "x"}),
    frozenset({"analyst"}),
    created_at=NOON,
    expires_at=datetime(2027, 1, 1, tzinfo=timezone(timedelta(hours=-3))),
)


def test_a_key_comes_back_as_it_went_in(fresh_db: AppDb) -> None:
    insert_key(fresh_db, KEY, "hash")
    assert find_key_by_hash(fresh_db, "hash") == find_key(fresh_db, "one") == KEY
    assert find_key_by_hash(fresh_db, "other") is None


def test_a_tenant_sees_only_its_keys(fresh_db: AppDb) -> None:
    insert_key(fresh_db, KEY, "hash")
    assert list_keys(fresh_db) == list_keys(fresh_db, "acme") == (KEY,)
    assert list_keys(fresh_db, "globex") == ()


def test_a_revoked_key_keeps_the_time_it_was_first_revoked(fresh_db: AppDb) -> None:
    insert_key(fresh_db, KEY, "hash")
    revoke_key(fresh_db, "one", NOON)
    revoke_key(fresh_db, "one", NOON + timedelta(days=1))
    found = find_key(fresh_db, "one")
    assert found is not None
    assert found.revoked_at == NOON


def test_a_new_secret_takes_the_place_of_the_old_one(fresh_db: AppDb) -> None:
    insert_key(fresh_db, KEY, "hash")
    assert replace_secret(fresh_db, "one", "new", "ofk_new")
    assert find_key_by_hash(fresh_db, "hash") is None
    revoke_key(fresh_db, "one", NOON)
    assert not replace_secret(fresh_db, "one", "newer", "ofk_newer")


def test_use_is_noted_at_most_once_a_minute(fresh_db: AppDb) -> None:
    insert_key(fresh_db, KEY, "hash")
    seen = []
    for seconds in (0, 59, 60, 100):
        key = find_key(fresh_db, "one")
        assert key is not None
        touch_key(fresh_db, key, NOON + timedelta(seconds=seconds))
        key = find_key(fresh_db, "one")
        assert key is not None
        assert key.last_used_at is not None
        seen.append((key.last_used_at - NOON).total_seconds())
    assert seen == [0, 0, 60, 60]


def test_two_keys_never_share_a_secret(fresh_db: AppDb) -> None:
    insert_key(fresh_db, KEY, "hash")
    with pytest.raises(sa.exc.IntegrityError):
        insert_key(fresh_db, KEY, "hash")
