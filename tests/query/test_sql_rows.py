"""The selects on real databases: a filter lets through the rows that it lets through in plain Python."""

from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given

from examples import examples
from offtake.model.access import Principal
from offtake.model.dataset import Sort
from offtake.model.export import ExportRequest, FieldChoice
from offtake.model.filter import And, Condition, Filter, Not, Operator, Or
from offtake.query.plan import plan_export
from query import rows
from query.databases import Read, open_sqlite
from query.trees import filters

NOW = datetime(2026, 4, 5, 12, tzinfo=UTC)
EVERYBODY = Principal("root", None)
PEOPLE = rows.people()


def found(read: Read, tree: Filter | None, principal: Principal = EVERYBODY, q: str = "") -> set[int]:
    request = ExportRequest("people", fields=(FieldChoice("id"),), filter=tree, timezone=rows.ZONE, q=q)
    return {row[0] for row in read(plan_export(rows.TABLE, request, principal, NOW))}


def expected(tree: Filter) -> set[int]:
    return {row["id"] for row in PEOPLE if rows.holds(tree, row)}


@given(tree=filters())
@examples(150)
def test_sqlite_filters_as_python_does(sqlite_read: Read, tree: Filter) -> None:
    assert found(sqlite_read, tree) == expected(tree)


@given(tree=filters())
@examples(150)
def test_postgres_filters_as_python_does(postgres_read: Read, tree: Filter) -> None:
    assert found(postgres_read, tree) == expected(tree)


@given(tree=filters())
@examples(150)
def test_duckdb_filters_as_python_does(duckdb_read: Read, tree: Filter) -> None:
    assert found(duckdb_read, tree) == expected(tree)


@given(tree=filters())
@examples(150)
def test_mariadb_filters_as_python_does(mariadb_read: Read, tree: Filter) -> None:
    assert found(mariadb_read, tree) == expected(tree)


@pytest.fixture(params=["sqlite_read", "postgres_read", "duckdb_read", "mariadb_read"])
def read(request: pytest.FixtureRequest) -> Read:
    """Every database in turn."""
    return request.getfixturevalue(request.param)  # type: ignore[no-any-return]


@pytest.mark.parametrize("text", rows.TEXTS)
def test_a_value_stays_a_value_whatever_it_looks_like(read: Read, text: str) -> None:
    for op in (Operator.EQ, Operator.IEQ, Operator.CONTAINS, Operator.STARTS_WITH, Operator.ENDS_WITH):
        tree = Condition("name", op, (text,))
        assert found(read, tree) == expected(tree)


@pytest.mark.parametrize(
    "hostile", ["%s", "%(x)s", ":x", "?", "$1", "{0}", "'", '"', "`", "\\", "--", "/*", "\n", "💥"]
)
def test_hostile_text_finds_nothing_and_breaks_nothing(read: Read, hostile: str) -> None:
    text = f"{hostile}no such{hostile}"
    tree = Or((Condition("name", Operator.CONTAINS, (text,)), Condition("tags", Operator.CONTAINS, (text,))))
    assert found(read, tree) == set()


def test_a_tenant_sees_its_own_rows_alone(read: Read) -> None:
    everything = Or((Condition("id", Operator.GTE, (0,)), Condition("id", Operator.LT, (0,))))
    for tenant in ("acme", "globex", "ACME", "acme ", ""):
        own = {row["id"] for row in PEOPLE if row["tenant"] == tenant}
        assert found(read, everything, Principal("p", tenant)) == own
        assert found(read, Not(everything), Principal("p", tenant)) == set()


def test_a_tenant_may_be_written_by_its_uuid(read: Read) -> None:
    for number, uid in enumerate(rows.UIDS):
        principal = Principal("p", f"tenant {number}", tenant_uuid=uid)
        own = {row["id"] for row in PEOPLE if row["uid"] == uid}
        for shown in (rows.FIELDS, tuple(field for field in rows.FIELDS if field.name != "uid")):
            table = replace(rows.TABLE, tenant_column="uid", fields=shown)
            request = ExportRequest("people", fields=(FieldChoice("id"),))
            assert {row[0] for row in read(plan_export(table, request, principal, NOW))} == own


def test_search_finds_part_of_any_text(read: Read) -> None:
    wanted = {row["id"] for row in PEOPLE if any("é" in (row[name] or "").lower() for name in ("name", "note"))}
    assert wanted
    assert found(read, None, q="É") == wanted


def test_search_does_not_look_behind_a_mask(read: Read) -> None:
    assert found(read, None, q="12345") == set()
    own = {row["id"] for row in PEOPLE if row["taxId"] == "12345"}
    assert found(read, None, Principal("p", None, frozenset({"pii:read"})), q="12345") == own


def test_a_masked_value_keeps_its_last_four_characters(read: Read) -> None:
    request = ExportRequest("people", fields=(FieldChoice("id"), FieldChoice("taxId")))
    masked = {None: None, "123": "****", "1234": "****", "12345": "****2345", "áéíóúñ": "****íóúñ"}
    seen = dict(read(plan_export(rows.TABLE, request, EVERYBODY, NOW)))
    assert seen == {row["id"]: masked[row["taxId"]] for row in PEOPLE}


@pytest.mark.parametrize("name", ["name", "amount", "score", "active", "born", "seenAt", "localAt", "opens"])
@pytest.mark.parametrize("descending", [False, True])
def test_nulls_come_last_and_the_key_decides_ties(read: Read, name: str, descending: bool) -> None:
    request = ExportRequest("people", fields=(FieldChoice("id"),), sort=(Sort(name, descending),))
    ids = [row[0] for row in read(plan_export(rows.TABLE, request, EVERYBODY, NOW))]
    by_id = {row["id"]: row for row in PEOPLE}
    values = [by_id[number][name] for number in ids]
    nulls = values.count(None)
    assert all(value is None for value in values[len(values) - nulls :])
    if name == "name":
        return  # how letters follow each other is each database's own
    full = values[: len(values) - nulls]
    assert full == sorted(full, reverse=descending)
    assert all(first < second for first, second in pairwise(ids) if by_id[first][name] == by_id[second][name])


def test_a_limit_cuts_and_a_count_does_not_mind_it() -> None:
    read, count = open_sqlite()
    request = ExportRequest("people", filter=Condition("id", Operator.LT, (20,)), limit=5)
    plan = plan_export(rows.TABLE, request, EVERYBODY, NOW)
    assert len(read(plan)) == 5
    assert count(plan, None) == 20
    assert count(plan, 7) == 7
    assert count(plan, 70) == 20


def test_a_long_list_and_many_conditions_are_still_one_statement(read: Read) -> None:
    many = And(
        (
            Condition("id", Operator.IN, tuple(range(5000))),
            Condition("name", Operator.NOT_IN, tuple(f"name {number}" for number in range(2000))),
            *(Condition("id", Operator.NE, (-number,)) for number in range(1, 250)),
        )
    )
    assert found(read, many) == {row["id"] for row in PEOPLE}
