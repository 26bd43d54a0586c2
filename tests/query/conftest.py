"""The databases with the people in them, opened once a session."""

import pytest

from query.databases import Read, open_duckdb, open_mariadb, open_postgres, open_sqlite
from servers import Postgres


@pytest.fixture(scope="session")
def sqlite_read() -> Read:
    """Reads a plan from SQLite."""
    return open_sqlite()[0]


@pytest.fixture(scope="session")
def duckdb_read() -> Read:
    """Reads a plan from DuckDB."""
    return open_duckdb()


@pytest.fixture(scope="session")
def postgres_read(postgres: Postgres) -> Read:
    """Reads a plan from PostgreSQL."""
    with postgres.database() as url:
        yield open_postgres(url)


@pytest.fixture(scope="session")
def mariadb_read(mariadb_url: str) -> Read:
    """Reads a plan from MariaDB."""
    return open_mariadb(mariadb_url)
