"""Keys in the app database, on both kinds."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

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
from offtake.appdb.database import AppDb, open_appdb
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


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[AppDb]:
    """An empty app database of each kind."""
    if request.param == "sqlite":
        opened = open_appdb(f"sqlite:///{tmp_path}/offtake.db")
        yield opened
        opened.close()
        return
    with request.getfixturevalue("postgres").database() as url:
        opened = open_appdb(url)
        yield opened
        opened.close()


def test_a_key_comes_back_as_it_went_in(database: AppDb) -> None:
    insert_key(database, KEY, "hash")
    assert find_key_by_hash(database, "hash") == find_key(database, "one") == KEY
    assert find_key_by_hash(database, "other") is None


def test_a_tenant_sees_only_its_keys(database: AppDb) -> None:
    insert_key(database, KEY, "hash")
    assert list_keys(database) == list_keys(database, "acme") == (KEY,)
    assert list_keys(database, "globex") == ()


def test_a_revoked_key_keeps_the_time_it_was_first_revoked(database: AppDb) -> None:
    insert_key(database, KEY, "hash")
    revoke_key(database, "one", NOON)
    revoke_key(database, "one", NOON + timedelta(days=1))
    found = find_key(database, "one")
    assert found is not None
    assert found.revoked_at == NOON


def test_a_new_secret_takes_the_place_of_the_old_one(database: AppDb) -> None:
    insert_key(database, KEY, "hash")
    assert replace_secret(database, "one", "new", "ofk_new")
    assert find_key_by_hash(database, "hash") is None
    revoke_key(database, "one", NOON)
    assert not replace_secret(database, "one", "newer", "ofk_newer")


def test_use_is_noted_at_most_once_a_minute(database: AppDb) -> None:
    insert_key(database, KEY, "hash")
    seen = []
    for seconds in (0, 59, 60, 100):
        key = find_key(database, "one")
        assert key is not None
        touch_key(database, key, NOON + timedelta(seconds=seconds))
        key = find_key(database, "one")
        assert key is not None
        assert key.last_used_at is not None
        seen.append((key.last_used_at - NOON).total_seconds())
    assert seen == [0, 0, 60, 60]


def test_two_keys_never_share_a_secret(database: AppDb) -> None:
    insert_key(database, KEY, "hash")
    with pytest.raises(sa.exc.IntegrityError):
        insert_key(database, KEY, "hash")
