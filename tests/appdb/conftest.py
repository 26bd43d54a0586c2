"""An app database of each kind, for every test of a table."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from offtake.appdb.database import AppDb, open_appdb
from servers import Postgres
from sites import new_appdb

KINDS = ("sqlite", "postgresql")


@contextmanager
def opened(request: pytest.FixtureRequest, folder: Path) -> Iterator[AppDb]:
    """An empty one of the kind that the fixture is asked for."""
    if request.param == "sqlite":
        db = open_appdb(new_appdb(folder))
        yield db
        db.close()
        return
    postgres: Postgres = request.getfixturevalue("postgres")
    with postgres.app_database() as url:
        db = open_appdb(url)
        yield db
        db.close()


@pytest.fixture(params=KINDS, scope="module")
def db(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppDb]:
    """Shared by the tests of a module: each has things, or a tenant, of its own."""
    with opened(request, tmp_path_factory.mktemp("appdb")) as made:
        yield made


@pytest.fixture(params=KINDS)
def fresh_db(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[AppDb]:
    """For a test that looks at everything there is."""
    with opened(request, tmp_path) as made:
        yield made
