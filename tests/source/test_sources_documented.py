"""docs/sources.md does what it says: its YAML loads and opens, its SQL runs, its Python reads."""

import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from offtake.settings import load_settings
from offtake.source import SOURCES, open_source
from servers import Postgres

PAGE = (Path(__file__).parents[2] / "docs" / "sources.md").read_text("utf-8")


def fenced(language: str) -> str:
    """The page's block of that language."""
    match = re.search(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert match is not None, language
    return match[1]


def statements(dialect: str) -> list[str]:
    return [statement for statement in fenced(f"sql {dialect}").split(";\n") if statement.strip()]


@pytest.mark.parametrize("scheme", list(SOURCES))
def test_every_scheme_is_on_the_page(scheme: str) -> None:
    assert f"`{scheme}://" in PAGE


def test_the_sources_of_the_page_load_and_open(tmp_path: Path) -> None:
    (tmp_path / "offtake.yaml").write_text(fenced("yaml"))
    settings = load_settings(tmp_path / "offtake.yaml")
    for spec in settings.sources.values():
        open_source(spec).close()
    assert settings.sources["lake"].files["flights"].null_text == "NA"


def test_the_postgresql_role_of_the_page_reads_and_cannot_write(postgres: Postgres) -> None:
    with postgres.database() as url:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CREATE TABLE t AS SELECT 1 AS id")
            for statement in statements("postgresql"):
                connection.execute(statement.encode())
        with psycopg.connect(url.replace("postgres@", "offtake_reader@")) as reader:
            assert reader.execute("SELECT id FROM t").fetchall() == [(1,)]
            with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
                reader.execute("DELETE FROM t")
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("DROP OWNED BY offtake_reader")
            connection.execute("DROP ROLE offtake_reader")


def test_the_mysql_user_of_the_page_reads_and_cannot_write(mariadb_url: str) -> None:
    admin = sa.create_engine(mariadb_url)
    url = sa.make_url(mariadb_url).set(username="offtake_reader", password="a long secret")
    with admin.connect() as connection:
        connection.exec_driver_sql("DELETE FROM mysql.global_priv WHERE user = ''")  # anonymous users would win
        connection.exec_driver_sql("FLUSH PRIVILEGES")
        connection.exec_driver_sql("CREATE TABLE readable (id int)")
        for statement in statements("mysql"):
            connection.exec_driver_sql(statement.replace("%", "%%"))
        reader = sa.create_engine(url)
        with reader.connect() as reading:
            assert reading.exec_driver_sql("SELECT count(*) FROM readable").scalar_one() == 0
            with pytest.raises(sa.exc.OperationalError):
                reading.exec_driver_sql("DELETE FROM readable")
        reader.dispose()
        connection.exec_driver_sql("DROP USER offtake_reader@'%%'")
        connection.exec_driver_sql("DROP TABLE readable")
    admin.dispose()


def test_the_python_of_the_page_reads_a_table(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "books.db")) as connection, connection:
        connection.execute("CREATE TABLE books (id integer, title text)")
        connection.execute("INSERT INTO books VALUES (1, 'Pippi')")
    run = subprocess.run(
        [sys.executable, "-c", fenced("python")], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True
    )
    assert run.stdout == "1 ['id', 'title']\n"
