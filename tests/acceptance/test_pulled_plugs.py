"""What is left when a plug is pulled in the middle: of the database, of the client, of the command, of the service."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
import pytest

from acceptance.processes import OFFTAKE, Served, make_home, make_many, needs_curl, offtake, serving
from servers import Postgres, run_postgres
from sites import wait_until

# More than waits on its way between the database and curl, some 30 MB.
ROWS = 1_000_000
SLOWLY = ("--limit-rate", "3M")  # so that the file is still on its way when the plug is pulled
FORMATS = ("csv", "json", "xlsx", "xml", "parquet")

pytestmark = [pytest.mark.slow, needs_curl]


@pytest.fixture
def home(postgres: Postgres, tmp_path: Path) -> Iterator[Path]:
    """A folder whose offtake.yaml exports `many` from the session's PostgreSQL."""
    with postgres.database() as url:
        make_many(url, ROWS)
        yield make_home(tmp_path, url, "many")


@contextmanager
def fetching(served: Served, file: Path, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """curl with a part of the file already written, and the rest on its way."""
    command = served.curl("datasets/many/download", *SLOWLY, *options, "-o", str(file))
    curl = subprocess.Popen(command, stderr=subprocess.PIPE)
    try:
        wait_until(lambda: file.exists() and file.stat().st_size > 100_000, 30)
        assert curl.poll() is None
        yield curl
    finally:
        curl.kill()
        curl.communicate()


def kill_all(server: Postgres) -> None:
    """kill -9 the postmaster and every process of its own."""
    children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
    for pid in (server.pid, *map(int, children)):
        with suppress(ProcessLookupError):  # a worker may have come to its own end
            os.kill(pid, signal.SIGKILL)


def busy(url: str) -> int:
    """How many backends of ours are in a transaction."""
    query = """SELECT count(*) FROM pg_stat_activity
               WHERE application_name = 'offtake' AND datname = current_database() AND state <> 'idle'"""
    with psycopg.connect(url) as connection:
        (count,) = connection.execute(query).fetchone() or (0,)
    return int(count)


def url_of(home: Path) -> str:
    """The database that the folder exports from."""
    return (home / "offtake.yaml").read_text().split('url: "')[1].split('"')[0]


def test_a_database_killed_in_the_middle_cuts_every_file_and_then_is_a_502(tmp_path: Path) -> None:
    whole, cut, older = tmp_path / "whole", tmp_path / "cut", tmp_path / "older"
    with run_postgres() as server:
        make_many(server.url(), ROWS)
        home = make_home(tmp_path, server.url(), "many")
        assert offtake(home, "export", "many", "-o", str(whole), "--format", "csv").returncode == 0
        with serving(home) as served:
            with fetching(served, cut) as curl, fetching(served, older, "--http1.0") as other:
                kill_all(server)
                assert curl.wait(30) == 18, "CURLE_PARTIAL_FILE: the end of the body never came"
                assert other.wait(30) == 56, "CURLE_RECV_ERROR: the connection was reset"
            refused = served.download("many/download", tmp_path / "refused", "-w", "%{http_code}")
        log = [json.loads(line) for line in (home / "serve.log").read_text().splitlines()]
    for file in (cut, older):
        assert 0 < file.stat().st_size < whole.stat().st_size
        assert whole.read_bytes().startswith(file.read_bytes()), "something else than rows came into the file"
    assert [line.get("cut") for line in log] == ["SOURCE_FAILED", "SOURCE_FAILED", None]
    assert refused.stdout == "502"
    assert json.loads((tmp_path / "refused").read_text())["code"] == "SOURCE_FAILED"


def test_no_reader_takes_a_cut_file_for_whole(tmp_path: Path) -> None:
    with run_postgres() as server:
        make_many(server.url(), 500_000)
        home = make_home(tmp_path, server.url(), "many")
        with serving(home) as served:
            files = {format: tmp_path / f"cut.{format}" for format in FORMATS}
            curls = [
                subprocess.Popen(
                    served.curl(f"datasets/many/download?format={name}", *SLOWLY, "-o", str(file)),
                    stderr=subprocess.DEVNULL,
                )
                for name, file in files.items()
            ]
            wait_until(lambda: all(f.exists() and f.stat().st_size > 100_000 for f in files.values()), 60)
            kill_all(server)
            assert [curl.wait(60) for curl in curls] == [18] * len(curls)
    endings = {name: file.read_bytes()[-4:] for name, file in files.items()}
    assert not endings["json"].endswith(b"]\n")
    assert not endings["xml"].endswith(b"ws>\n")
    assert not endings["parquet"].endswith(b"PAR1")
    assert b"PK\x05\x06" not in files["xlsx"].read_bytes(), "an end of central directory"


def test_a_database_that_was_never_there_is_a_502(tmp_path: Path) -> None:
    home = make_home(tmp_path, "postgresql://postgres@127.0.0.1:1/nowhere", "many")
    with serving(home) as served:
        refused = served.download("many/download", tmp_path / "refused", "-w", "%{http_code} %{content_type}")
    assert refused.stdout == "502 application/problem+json"
    assert json.loads((tmp_path / "refused").read_text())["code"] == "SOURCE_FAILED"


def test_a_client_killed_in_the_middle_leaves_no_backend(home: Path) -> None:
    url = url_of(home)
    with serving(home) as served, fetching(served, home / "cut") as curl:
        assert busy(url) == 1
        curl.kill()
        wait_until(lambda: busy(url) == 0)


def test_an_export_killed_in_the_middle_leaves_the_file_of_before(home: Path) -> None:
    target, started = home / "many.csv", home / "new.csv"
    target.write_text("yesterday's\n")
    for file in (target, started):
        process = subprocess.Popen([*OFFTAKE, "export", "many", "-o", file.name], cwd=home)
        try:
            wait_until(lambda file=file: any(p.stat().st_size > 100_000 for p in home.glob(f".{file.name}.*")), 30)
        finally:
            process.kill()
        assert process.wait(60) == -signal.SIGKILL
    assert target.read_text() == "yesterday's\n"
    assert not started.exists()
    wait_until(lambda: busy(url_of(home)) == 0)
    assert offtake(home, "export", "many", "-o", target.name, "--limit", "2").returncode == 0
    assert len(target.read_text().splitlines()) == 3


def test_a_service_told_to_stop_lets_a_running_download_finish_first(postgres: Postgres, tmp_path: Path) -> None:
    with postgres.database() as url:
        make_many(url, 150_000)
        home = make_home(tmp_path, url, "many")
        with serving(home) as served, fetching(served, home / "whole") as curl:
            served.process.terminate()
            assert curl.wait(30) == 0
            assert served.process.wait(60) == 0
        assert len((home / "whole").read_bytes().splitlines()) == 150_001


def test_a_service_told_to_stop_waits_no_longer_than_it_says(postgres: Postgres, tmp_path: Path) -> None:
    with postgres.database() as url:
        make_many(url, 3_000_000)
        home = make_home(tmp_path, url, "many")
        with serving(home) as served, fetching(served, home / "cut") as curl:
            began = time.monotonic()
            served.process.terminate()
            assert served.process.wait(60) == 0
            assert time.monotonic() - began > 25
            assert curl.wait(60) == 18
            wait_until(lambda: busy(url) == 0)
