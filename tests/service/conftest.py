"""The orders of `service.shaped`, served from every database."""

from collections.abc import Iterator

import pytest

from offtake.service.runtime import Runtime
from servers import Postgres
from service import shaped


@pytest.fixture(scope="module", params=["sqlite", "postgresql", "duckdb", "mariadb"])
def runtime(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runtime]:
    """A service over each database in turn."""
    home = tmp_path_factory.mktemp("home")
    if request.param == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        with server.database() as url, shaped.runtime_over(shaped.fill_postgres(url), home) as served:
            yield served
        return
    fills = {
        "sqlite": lambda: shaped.fill_sqlite(home / "orders.db"),
        "duckdb": lambda: shaped.fill_duckdb(home / "orders.duckdb"),
        "mariadb": lambda: shaped.fill_mariadb(request.getfixturevalue("mariadb_url")),
    }
    with shaped.runtime_over(fills[request.param](), home) as served:
        yield served
