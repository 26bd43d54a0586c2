"""The table of definitions on SQLite and PostgreSQL: what goes in comes out, in order, a page at a time."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
import uuid_utils
from hypothesis import given, settings
from hypothesis import strategies as st

from offtake.appdb import definitions as table
from offtake.appdb.database import AppDb
from offtake.appdb.tables_saved import SCHEDULES, SHARES
from offtake.errors import Conflict
from offtake.model.access import Principal
from offtake.model.dataset import Sort
from offtake.model.export import ExportRequest, FieldChoice
from offtake.model.filter import And, Condition, Not, Operator
from offtake.model.saved import Definition, Draft

NOON = datetime(2026, 5, 17, 12, tzinfo=UTC)
OWNER = Principal("clerk", "acme", frozenset({"reports:read", "reports:write"}), frozenset({"analyst"}), "uuid")
FEW = settings(max_examples=25)


def new_id() -> str:
    """An id that nothing has."""
    return str(uuid_utils.uuid7())


def insert(db: AppDb, tenant: str = "acme", draft: Draft | None = None, **given: Any) -> Definition:
    """A new definition in the table."""
    draft = draft or Draft("numbers", ExportRequest("numbers"))
    definition = Definition(new_id(), tenant, OWNER, draft, **{"created_at": NOON, "updated_at": NOON, **given})
    table.insert_definition(db, definition)
    return definition


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=10)
CONDITIONS = st.builds(
    Condition, TEXTS, st.sampled_from(Operator), st.lists(TEXTS | st.integers(), max_size=2).map(tuple)
)
DRAFTS = st.builds(
    Draft,
    TEXTS,
    st.builds(
        ExportRequest,
        TEXTS,
        fields=st.none() | st.lists(st.builds(FieldChoice, TEXTS, st.none() | TEXTS), max_size=2).map(tuple),
        filter=st.none() | CONDITIONS | CONDITIONS.map(Not) | st.lists(CONDITIONS, max_size=2).map(tuple).map(And),
        sort=st.none() | st.lists(st.builds(Sort, TEXTS, st.booleans()), max_size=2).map(tuple),
        limit=st.none() | st.integers(1, 2**53),
    ),
    description=TEXTS,
    members=st.lists(TEXTS, max_size=2).map(tuple),
    extra=st.dictionaries(TEXTS, TEXTS | st.integers() | st.none(), max_size=2),
)


@FEW
@given(draft=DRAFTS, changed=DRAFTS)
def test_what_is_saved_comes_back_as_it_was(db: AppDb, draft: Draft, changed: Draft) -> None:
    definition = insert(db, draft=draft, last_executed_at=NOON)
    assert table.find_definition(db, definition.id) == definition
    later = NOON + timedelta(hours=1)
    done = table.replace_definition(db, definition, changed, later)
    assert done == replace(definition, draft=changed, version=2, updated_at=later)
    assert table.find_definition(db, definition.id) == done


@FEW
@given(
    names=st.lists(TEXTS | st.sampled_from(["a", "A", "É", "e", "ß", "ss", "İ"]), max_size=8),
    times=st.lists(
        st.none() | st.integers(0, 3).map(lambda n: NOON + timedelta(microseconds=n)), min_size=8, max_size=8
    ),
    sort=st.builds(Sort, st.sampled_from(table.SORTABLE), st.booleans()),
    limit=st.integers(1, 3),
)
def test_pages_after_the_last_one_seen_are_the_list(
    db: AppDb, names: list[str], times: list[datetime | None], sort: Sort, limit: int
) -> None:
    tenant = new_id()
    for name, at in zip(names, times, strict=False):
        insert(db, tenant, Draft(name, ExportRequest("numbers")), updated_at=at or NOON, last_executed_at=at)
    whole, total = table.list_definitions(db, tenant, sort=sort, limit=100)
    assert total == len(whole) == len(names)
    found: list[Definition] = []
    while True:
        after = (table.sort_value(found[-1], sort), found[-1].id) if found else None
        page, total = table.list_definitions(db, tenant, sort=sort, after=after, limit=limit)
        assert total == len(names)
        if not page:
            break
        found += page
    assert found == list(whole)
    if sort.field != "name":  # how names are ordered is up to the database
        values = [table.sort_value(each, sort) for each in found]
        assert values == sorted(values, reverse=sort.descending)


@FEW
@given(name=TEXTS, description=TEXTS, q=TEXTS)
def test_a_search_finds_exactly_what_holds_the_text_in_any_case(db: AppDb, name: str, description: str, q: str) -> None:
    tenant = new_id()
    definition = insert(db, tenant, Draft(name, ExportRequest("numbers"), description))
    for part in (name[1:], name.upper(), description[:2]):
        if part.casefold() in f"{name}\n{description}".casefold():
            assert table.list_definitions(db, tenant, q=part)[0] == [definition]
    expected = q.casefold() in f"{name}\n{description}".casefold()
    assert table.list_definitions(db, tenant, q=q)[1] == expected


def test_only_the_version_that_was_seen_is_replaced_or_deleted(db: AppDb) -> None:
    first = insert(db)
    second = table.replace_definition(db, first, first.draft, NOON)
    assert second is not None
    assert table.replace_definition(db, first, first.draft, NOON) is None
    assert not table.delete_definition(db, first, NOON)
    assert table.delete_definition(db, second, NOON)
    assert not table.delete_definition(db, second, NOON)
    assert table.find_definition(db, first.id) is None


def test_an_execution_is_no_change(db: AppDb) -> None:
    definition = insert(db)
    table.touch_definition(db, definition.id, NOON)
    assert table.find_definition(db, definition.id) == replace(definition, last_executed_at=NOON)


def test_an_id_of_a_clients_own_is_one_per_tenant_and_dialect(db: AppDb) -> None:
    draft = Draft("x", ExportRequest("numbers"), dialect="other", external_id=new_id())
    ours, theirs = insert(db, draft=draft), insert(db, "globex", draft)
    with pytest.raises(Conflict):
        insert(db, draft=draft)
    assert table.find_external(db, "acme", "other", draft.external_id or "") == ours
    assert table.find_external(db, "globex", "other", draft.external_id or "") == theirs
    assert table.find_external(db, "acme", "another", draft.external_id or "") is None


def test_whatever_hangs_on_a_definition_ends_with_it(db: AppDb) -> None:
    gone, stays = insert(db), insert(db)
    for definition in (gone, stays):
        with db.write() as connection:
            connection.execute(SCHEDULES.insert().values(**schedule_row(definition)))
            connection.execute(SHARES.insert().values(**share_row(definition)))
    assert table.delete_definition(db, gone, NOON)
    with db.read() as connection:
        ours = SHARES.c.definition_id.in_([gone.id, stays.id])
        found = connection.execute(sa.select(SHARES.c.definition_id, SHARES.c.revoked_at).where(ours))
        shares = {row.definition_id: row.revoked_at for row in found}
        theirs = SCHEDULES.c.definition_id.in_([gone.id, stays.id])
        left = [row.definition_id for row in connection.execute(sa.select(SCHEDULES).where(theirs))]
    assert shares == {gone.id: NOON, stays.id: None}
    assert left == [stays.id]


def schedule_row(definition: Definition) -> dict[str, Any]:
    """A schedule of it."""
    return {
        "id": new_id(),
        "tenant": "acme",
        "owner_id": "clerk",
        "owner": "{}",
        "definition_id": definition.id,
        "settings": "{}",
        "state": "active",
        "version": 1,
        "runs": 0,
        "created_at": NOON,
        "updated_at": NOON,
    }


def share_row(definition: Definition) -> dict[str, Any]:
    """A share of it."""
    return {
        "id": new_id(),
        "tenant": "acme",
        "owner_id": "clerk",
        "owner": "{}",
        "definition_id": definition.id,
        "hash": new_id(),
        "prefix": "ofs_",
        "uses": 0,
        "created_at": NOON,
    }
