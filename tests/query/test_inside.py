"""Any key at all, inside any document, is found where Python finds it, and nothing else is."""

import json
import sqlite3
from datetime import UTC, datetime

import duckdb
import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.oracle.base import OracleDialect
from sqlalchemy.dialects.postgresql.base import PGDialect

from examples import examples
from offtake.errors import InvalidRequest, UnknownField
from offtake.model.access import Principal
from offtake.model.dataset import Dataset, Field, FieldType, follow, inside
from offtake.model.export import ExportRequest, FieldChoice
from offtake.model.filter import Condition, Operator
from offtake.query.plan import plan_export
from offtake.query.sql import build_select
from query.databases import compiled
from servers import Postgres

DOCS = Dataset("docs", "here", table="docs", fields=(Field("doc", FieldType.JSON, "doc", "Doc"),))
TEXT = st.characters(codec="utf-8", exclude_characters="\0")
KEYS = st.text(TEXT, min_size=1, max_size=5).filter(lambda key: not set(key) & set("/."))
VALUES = st.text(TEXT, max_size=5)
DOCUMENTS = st.dictionaries(KEYS, VALUES | st.none() | st.booleans() | st.integers(-99, 99), max_size=4)


def select(key: str, dialect: str, tree: Condition | None = None):
    """The select for that key of every document."""
    request = ExportRequest("docs", fields=(FieldChoice(f"doc/{key}"),), filter=tree)
    return build_select(plan_export(DOCS, request, Principal("root", None), datetime(2026, 5, 1, tzinfo=UTC)), dialect)


def expected(document: dict[str, object], key: str) -> str | None:
    """What Python finds, as text."""
    value = document.get(key)
    return value if value is None or isinstance(value, str) else json.dumps(value)


@pytest.fixture(scope="module")
def lite() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE docs (doc TEXT)")
    return connection


@given(document=DOCUMENTS, key=KEYS, escaped=st.booleans(), data=st.data())
@examples(300)
def test_sqlite_finds_what_python_finds(
    lite: sqlite3.Connection, document: dict[str, object], key: str, escaped: bool, data: st.DataObject
) -> None:
    key = data.draw(st.sampled_from([key, *document]))
    made = compiled(select(key, "sqlite"), sqlite.dialect())
    lite.execute("DELETE FROM docs")
    lite.execute("INSERT INTO docs VALUES (?)", (json.dumps(document, ensure_ascii=escaped),))
    values = made.params
    ((found,),) = lite.execute(str(made), [values[name] for name in made.positiontup]).fetchall()
    assert (found if found is None else str(found)) == expected(document, key)


@given(document=DOCUMENTS, key=KEYS, data=st.data())
@examples(150)
def test_duckdb_finds_what_python_finds(document: dict[str, object], key: str, data: st.DataObject) -> None:
    key = data.draw(st.sampled_from([key, *document]))
    made = compiled(select(key, "duckdb"), PGDialect(paramstyle="qmark"))
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE docs (doc JSON)")
        connection.execute("INSERT INTO docs VALUES (?)", [json.dumps(document)])
        values = made.params
        ((found,),) = connection.execute(str(made), [values[name] for name in made.positiontup]).fetchall()
    assert found == expected(document, key)


def test_postgres_finds_what_python_finds(postgres: Postgres) -> None:
    with postgres.database() as url, psycopg.connect(url, cursor_factory=psycopg.ClientCursor) as connection:
        connection.execute("CREATE TABLE docs (doc jsonb)")

        @given(document=DOCUMENTS, key=KEYS, data=st.data())
        @examples(150)
        def check(document: dict[str, object], key: str, data: st.DataObject) -> None:
            key = data.draw(st.sampled_from([key, *document]))
            connection.execute("DELETE FROM docs")
            connection.execute("INSERT INTO docs VALUES (%s)", (json.dumps(document),))
            made = compiled(select(key, "postgresql"), postgresql.dialect())
            assert connection.execute(str(made), made.params).fetchall() == [(expected(document, key),)]

        check()


@given(
    keys=st.lists(KEYS, min_size=1, max_size=16), divisions=st.lists(st.sampled_from("/."), min_size=16, max_size=16)
)
def test_a_way_is_read_as_it_was_written(keys: list[str], divisions: list[str]) -> None:
    name = "doc" + "".join(division + key for division, key in zip(divisions, keys, strict=False))
    assert follow(name, {"doc", "do", "c"}) == ("doc", tuple(keys))
    field = inside(DOCS.fields[0], tuple(keys))
    assert field is not None
    assert (field.path, field.name) == (tuple(keys), ".".join(("doc", *keys)))
    assert DOCS.find(name) == field


def test_a_field_of_that_very_name_comes_first() -> None:
    dotted = Field("doc.a", FieldType.INTEGER, "a", "A")
    both = Dataset("docs", "here", fields=(*DOCS.fields, dotted))
    assert both.find("doc.a") == dotted
    assert follow("doc.a.b", {"doc", "doc.a"}) == ("doc.a", ("b",))
    assert both.find("doc.a.b") is None


def test_a_key_is_never_written_into_sql() -> None:
    for dialect in ("sqlite", "postgresql", "duckdb", "mysql", "mariadb"):
        assert "s3cret" not in str(select("s3cret'\"", dialect).compile())


def test_a_database_we_have_no_words_for_takes_plain_keys_alone() -> None:
    tree = Condition("doc.a b", Operator.EQ, ("x",))
    made = str(select("Plain-1_a b", "oracle", tree).compile(dialect=OracleDialect()))
    assert """JSON_VALUE(dataset.doc, '$."Plain-1_a b"')""".lower() in made.lower()
    for key in ("'", '"', "é", "\\", ":x", "%"):
        with pytest.raises(InvalidRequest, match="no way to look for"):
            select(key, "oracle")


def test_a_key_that_is_no_text_is_unknown() -> None:
    for key in ("\0", "\ud800"):
        with pytest.raises(UnknownField):
            select(key, "sqlite")
