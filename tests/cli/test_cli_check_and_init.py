"""`offtake init` writes what `offtake check` accepts; `check` says what is wrong, a line each."""

import sqlite3
import stat
from pathlib import Path

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.conftest import Run
from issuers import TokenServer
from offtake.cli.guess import label_of
from offtake.cli.init import dataset_names
from offtake.cli.yamltext import flow
from offtake.model.ports import Table
from offtake.settings.document import read_document
from servers import Postgres


def test_check_finds_a_right_file_right(run: Run) -> None:
    done = run("check")
    assert done.stdout.splitlines()[:-2] == [
        "source db: ok",
        "dataset orders: ok",
        "dataset customers: ok",
        "source files: ok",
        "dataset cities: ok",
    ]
    assert [line.partition(": ")[0] for line in done.stdout.splitlines()[-2:]] == ["kernel", "PostgreSQL reader"]
    assert (done.returncode, done.stderr) == (0, "")


def test_check_tells_every_difference(run_here: Run, home: Path) -> None:
    (home / "offtake.yaml").write_text("""\
sources:
  db: {url: "sqlite:///shop.db"}
  gone: {url: "sqlite:///gone/gone.db"}
datasets:
  orders:
    source: db
    table: orders
    key: [idd]
    tenant_field: tenant
    fields:
      state: {column: statuss, type: string}
      day: {type: integer}
  reflected: {source: db, table: orders, date_field: total, default_sort: [-dya]}
  misnamed: {source: db, table: order}
  unreachable: {source: gone, table: t}
""")
    done = run_here("check")
    lines = done.stdout.splitlines()
    assert lines[:8] == [
        "source db: ok",
        "dataset orders: field state: no column 'statuss', did you mean 'status'?",
        "dataset orders: field day: the column is date, which does not fit integer",
        "dataset orders: tenant_field: no column 'tenant'",
        "dataset orders: key: no column 'idd', did you mean 'id'?",
        "dataset reflected: date_field: 'total' is decimal, not a date or datetime",
        "dataset reflected: default_sort: no column 'dya', did you mean 'day'?",
        "dataset misnamed: no table 'order', did you mean 'orders'?",
    ]
    assert lines[8].startswith("source gone: ")
    assert lines[-1] == "8 problems"
    assert done.returncode == 1


def test_init_refuses_to_overwrite(run_here: Run, home: Path) -> None:
    before = (home / "offtake.yaml").read_text()
    assert run_here("init", "sqlite:///shop.db").returncode == 1
    assert (home / "offtake.yaml").read_text() == before


def test_init_says_what_a_url_is(run_here: Run) -> None:
    done = run_here("init", "shop.db", "-o", "new.yaml")
    assert (done.returncode, done.stderr.splitlines()[0]) == (2, "error: This is not a database URL.")


def test_init_leaves_no_file_if_the_database_is_not_there(run_here: Run, home: Path) -> None:
    assert run_here("init", "sqlite:///gone/gone.db", "-o", "new.yaml").returncode == 1
    assert not (home / "new.yaml").exists()


def test_only_its_owner_reads_what_init_wrote(run_here: Run, home: Path) -> None:
    assert run_here("init", "sqlite:///shop.db", "-o", "new.yaml").returncode == 0
    assert stat.S_IMODE((home / "new.yaml").stat().st_mode) == 0o600


def test_init_for_another_folder_finds_the_database_from_there(run_here: Run, home: Path) -> None:
    (home / "conf").mkdir()
    assert run_here("init", "sqlite:///shop.db", "-o", "conf/o.yaml").returncode == 0
    assert run_here("check", "-c", "conf/o.yaml").returncode == 0


def test_check_asks_issuers_for_their_keys(run_here: Run, home: Path) -> None:
    text = """\
jwt:
  issuers:
  - {issuer: good, audience: us, jwks_file: good.json}
  - {issuer: bare, audience: us, jwks_file: bare.json}
  - {issuer: odd, audience: us, jwks_file: odd.json, algorithms: [ES256]}
"""
    (home / "offtake.yaml").write_text(text)
    (home / "good.json").write_bytes(TokenServer("good").keys)
    (home / "bare.json").write_text('{"keys": []}')
    (home / "odd.json").write_text("{}")
    done = run_here("check")
    assert done.stdout.splitlines()[:3] == [
        "issuer good: ok",
        f"issuer bare: {home / 'bare.json'} has no public key for RS256 or ES256",
        "issuer odd: The keys of this token's issuer cannot be had: what it sends is no set of keys.",
    ]
    assert (done.returncode, done.stdout.splitlines()[-1]) == (1, "2 problems")


def test_check_accepts_what_init_wrote_for_odd_names(run_here: Run, home: Path) -> None:
    with sqlite3.connect(home / "odd.db") as db:
        db.execute(
            """CREATE TABLE "my orders: no" ("a b" TEXT, "no" INTEGER, "ä,{}" TEXT, "x=1" REAL, "${HOME}" TEXT)"""
        )
        db.execute("""INSERT INTO "my orders: no" VALUES ('x', 1, 'y', 1.5, 'z')""")
        db.execute("CREATE TABLE nothing_in_it (organisation_id TEXT, uuid TEXT, weird)")
    db.close()
    assert run_here("init", "sqlite:///odd.db", "-o", "odd.yaml").returncode == 0
    done = run_here("check", "-c", "odd.yaml")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert "dataset my_orders__no: ok" in done.stdout
    text = (home / "odd.yaml").read_text()
    assert "tenant_field: organisation_id  # guess" in text
    assert "key: [uuid]  # guess" in text


def test_check_accepts_what_init_wrote_for_postgresql(run_here: Run, home: Path, postgres: Postgres) -> None:
    with postgres.database() as url, psycopg.connect(url) as connection:
        connection.execute("""
            CREATE TYPE mood AS ENUM ('sad', 'ok');
            CREATE TABLE items (id bigint PRIMARY KEY, org_id uuid, price numeric(10, 2), tags text[], extra jsonb,
                                feels mood, "createdAt" timestamptz, raw bytea, took interval, at_time time);
            INSERT INTO items
              VALUES (1, gen_random_uuid(), 1.50, '{a,b}', '{"a": 1}', 'ok', now(), '\\x00', '1 day', '10:00');
            CREATE SCHEMA sales;
            CREATE TABLE sales.items (no int, "day" date, PRIMARY KEY (no, "day"));
            CREATE VIEW priced AS SELECT id, price FROM items;
        """)
        connection.commit()
        assert run_here("init", url, "-o", "pg.yaml").returncode == 0
        done = run_here("check", "-c", "pg.yaml")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    text = (home / "pg.yaml").read_text()
    assert "key: [no, day]" in text.replace('"', "")
    assert "tenant_field: org_id  # guess" in text
    assert "date_field: createdAt  # guess" in text


def test_tables_of_one_name_get_two() -> None:
    tables = tuple(Table(name, ()) for name in ("a.x", "b.x", "y", "b x"))
    assert dataset_names(tables) == ["a_x", "b_x", "y", "b_x_2"]


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("first_name", "First Name"),
        ("firstName", "First Name"),
        ("customerID", "Customer ID"),
        ("url", "URL"),
        ("_", "_"),
    ],
)
def test_labels_are_made_from_names(name: str, label: str) -> None:
    assert label_of(name) == label


@given(
    value=st.recursive(
        st.text(
            st.characters(
                codec="utf-8",
                exclude_characters="\x7f\x85\u2028\u2029\ufeff",
                exclude_categories=["Cs", "Cn", "Co", "Cc"],
            )
        ),
        lambda inner: st.lists(inner) | st.dictionaries(st.text("ab: #"), inner),
    )
)
def test_what_init_writes_reads_back(tmp_path_factory: pytest.TempPathFactory, value: object) -> None:
    path = tmp_path_factory.mktemp("yaml") / "o.yaml"
    path.write_text(f"value: {flow(value)}", "utf-8")
    document = read_document(path, {})
    document.refuse()
    assert document.data == {"value": value}
