"""Fixtures every folder may use: the real servers, started once a session and ended with it."""

import gc
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from httpx2._config import DEFAULT_TIMEOUT_CONFIG

from commands import run_commands
from examples import call_drawn_slow, load_profiles
from servers import Postgres, Seaweed, find_mariadbd, run_mariadb, run_postgres, run_seaweed

load_profiles()
# A shared machine may be slow at any moment: httpx would wait five seconds for an answer.
for part in ("connect", "read", "write", "pool"):
    setattr(DEFAULT_TIMEOUT_CONFIG, part, 60.0)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let `make test-slow` draw more examples."""
    call_drawn_slow(items)


def pytest_unconfigure() -> None:
    """Let go of what hypothesis keeps alive: DuckDB would tell at the very end of a hundred leaks that are none."""
    gc.callbacks.clear()


@pytest.fixture(scope="session")
def offtake() -> Iterator[Path]:
    """The command, in a folder that may go to the PATH: a process of its own each time, which starts fast."""
    with run_commands() as script:
        yield script


@pytest.fixture(scope="session")
def demo_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A demo home prepared for port 8123, built once a session: read it, or copy it to change it."""
    from offtake.demo import prepare

    folder = tmp_path_factory.mktemp("demo")
    prepare(folder, 8123)
    return folder


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of three megabytes."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(disk)]
    try:
        mounted = subprocess.run(mount, capture_output=True).returncode == 0
    except FileNotFoundError:
        mounted = False
    if not mounted:
        pytest.skip("Mounting a small file system takes root's rights.")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A real PostgreSQL 18; `with postgres.database() as url` gives a throwaway database."""
    with run_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def postgres_url(postgres: Postgres) -> Iterator[str]:
    """The URL of one PostgreSQL database that lasts the whole session."""
    with postgres.database() as url:
        yield url


@pytest.fixture(scope="session")
def seaweed() -> Iterator[Seaweed]:
    """A real S3 server; `open_store(seaweed.spec(prefix))` gives a store below a prefix of its bucket."""
    with run_seaweed() as server:
        yield server


@pytest.fixture(scope="session")
def mariadb_url() -> Iterator[str]:
    """The URL of a database on a real MariaDB; skipped where none is installed, unless REQUIRE_MARIADB=1."""
    binary = find_mariadbd()
    if binary is None:
        if os.environ.get("REQUIRE_MARIADB") == "1":
            pytest.fail("REQUIRE_MARIADB=1, but no mariadbd was found on this machine.")
        pytest.skip("No mariadbd on this machine (Debian: apt-get install mariadb-server).")
    with run_mariadb(binary) as url:
        yield url


@pytest.fixture(scope="session")
def soffice() -> str:
    """LibreOffice's command; skipped where there is none, unless REQUIRE_LIBREOFFICE=1."""
    found = shutil.which("soffice")
    if found is None:
        if os.environ.get("REQUIRE_LIBREOFFICE") == "1":
            pytest.fail("REQUIRE_LIBREOFFICE=1, but there is no soffice on this machine.")
        pytest.skip("No LibreOffice on this machine (Debian: apt-get install libreoffice-calc).")
    return found
