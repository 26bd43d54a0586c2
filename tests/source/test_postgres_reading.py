"""How PostgreSQL is read: one snapshot, whatever the session or the values are; and how a read ends."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from offtake.errors import InvalidRequest, OfftakeError, RowLimitExceeded, SourceFailed, SourceTimeout
from offtake.model.dataset import Dataset, Field, FieldType
from offtake.model.export import Column, Plan
from offtake.model.filter import Condition, Operator
from offtake.model.ports import SourceSpec, Stop
from offtake.source import open_source
from servers import Postgres, run_postgres
from source.samples import DATASET, Sample, fill_postgres, plan_of, reading, rows_of
from source.ways import WAYS, open_by

DEPARTURES = Path(__file__).with_name("departures.py")
MANY = "SELECT i AS id, md5(i::text) AS label FROM (SELECT generate_series(1, 3000000) AS i) n"


@pytest.fixture(scope="module", params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    """How PostgreSQL is read."""
    return str(request.param)


@pytest.fixture(scope="module")
def sample(postgres: Postgres, way: str) -> Iterator[Sample]:
    with postgres.database() as url:
        yield fill_postgres(url, way)


def many(name: str = "label") -> Plan:
    fields = (Field("id", FieldType.INTEGER, "id", "id"), Field(name, FieldType.STRING, "label", "label"))
    return Plan(Dataset("many", "db", sql=MANY, fields=fields), tuple(Column(field) for field in fields))


def busy(url: str) -> list[str]:
    """The states of our connections that are not idle, as the server sees them."""
    with psycopg.connect(url) as connection:
        query = (
            "SELECT state FROM pg_stat_activity WHERE application_name = 'offtake' AND state <> 'idle'"
            " AND datname = current_database()"
        )
        return [state for (state,) in connection.execute(query)]


def gone_within(url: str, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while busy(url):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def test_a_read_sees_one_moment_whatever_is_written_meanwhile(sample: Sample) -> None:
    with closing(sample.open(sample.spec())) as source, psycopg.connect(sample.url, autocommit=True) as writer:
        with reading(source, plan_of(DATASET, "id"), Stop()) as stream:
            writer.execute("INSERT INTO sample (id) VALUES (5)")
            assert len(rows_of(stream)) == 4
        writer.execute("DELETE FROM sample WHERE id = 5")


def test_the_settings_of_the_role_change_nothing(sample: Sample, postgres: Postgres) -> None:
    database = sample.url.rsplit("/", 1)[1]
    odd = {"TimeZone": "Asia/Kolkata", "DateStyle": "German", "extra_float_digits": "-10", "bytea_output": "escape"}
    with closing(sample.open(sample.spec())) as source, reading(source, plan_of(), Stop()) as stream:
        before = rows_of(stream)
    for name, value in odd.items():
        postgres.execute(f"ALTER DATABASE {database} SET {name} = '{value}'")
    with closing(sample.open(sample.spec())) as source, reading(source, plan_of(), Stop()) as stream:
        assert rows_of(stream) == before


@pytest.mark.parametrize("text", ["100%", "%s %(x)s", ":label", r"back\slash", "it's", '"', "$1", "日本"])
def test_any_text_can_be_looked_for(sample: Sample, text: str) -> None:
    with psycopg.connect(sample.url, autocommit=True) as writer:
        writer.execute("INSERT INTO sample (id, label) VALUES (9, %s)", [text])
        try:
            plan = plan_of(DATASET, "id", where=Condition("label", Operator.EQ, (text,)))
            with closing(sample.open(sample.spec())) as source, reading(source, plan, Stop()) as stream:
                assert rows_of(stream) == [{"id": 9}]
        finally:
            writer.execute("DELETE FROM sample WHERE id = 9")


def test_a_nul_cannot_be_looked_for(sample: Sample) -> None:
    with closing(sample.open(sample.spec())) as source, pytest.raises(InvalidRequest):
        source.count(plan_of(where=Condition("label", Operator.EQ, ("a\0b",))), Stop())


def test_names_longer_than_the_database_knows_stay_apart(sample: Sample) -> None:
    names = ["x" * 70 + "1", "x" * 70 + "2"]
    fields = (
        Field(names[0], FieldType.INTEGER, "id", "id"),
        Field(names[1], FieldType.STRING, "label", "label"),
    )
    plan = Plan(Dataset("d", "db", table="sample", fields=fields), tuple(Column(field) for field in fields), limit=1)
    with closing(sample.open(sample.spec())) as source, reading(source, plan, Stop()) as stream:
        assert stream.schema.names == names
        assert [str(kind) for kind in stream.schema.types] == ["int64", "string"]


def test_a_stream_that_was_never_begun_gives_its_connection_back(sample: Sample) -> None:
    with closing(sample.open(sample.spec(pool_size=1, pool_timeout_s=1))) as source:
        for _ in range(3):
            source.read(many(), Stop()).close()
        source.ping()


def test_a_finished_read_leaves_an_idle_connection(sample: Sample) -> None:
    with closing(sample.open(sample.spec())) as source:
        with reading(source, plan_of(), Stop()) as stream:
            list(stream)
        with pytest.raises(RowLimitExceeded):
            source.read(plan_of(row_limit=1), Stop())
        with pytest.raises(SourceFailed):
            source.describe(Dataset("d", "db", sql="SELECT wrong"))
        assert busy(sample.url) == []
        source.ping()


def test_stopping_frees_the_server_even_if_nobody_reads_on(sample: Sample) -> None:
    stop = Stop()
    with closing(sample.open(sample.spec())) as source:
        stream = source.read(many(), stop)
        next(iter(stream))
        assert busy(sample.url)
        stop.set()
        assert gone_within(sample.url, 1)
        stream.close()


def test_leaving_frees_the_server(sample: Sample) -> None:
    with closing(sample.open(sample.spec())) as source:
        stream = source.read(many(), Stop())
        next(iter(stream))
        stream.close()
        assert gone_within(sample.url, 1)


def test_a_full_pool_is_a_timeout_that_says_so(sample: Sample) -> None:
    with closing(sample.open(sample.spec(pool_size=1, pool_timeout_s=0.2))) as source:
        with reading(source, many(), Stop()), pytest.raises(SourceTimeout, match="All 1 connections"):
            source.ping()
        source.ping()


def test_a_server_that_dies_mid_read_is_an_error(way: str) -> None:
    with run_postgres() as server, closing(open_by(way, SourceSpec("db", server.url()))) as source:
        source.ping()
        stream = source.read(many(), Stop())
        next(iter(stream))
        os.kill(server.pid, signal.SIGQUIT)
        with pytest.raises(SourceFailed) as failed:
            list(stream)
        assert "broke" in failed.value.detail
        begun = time.monotonic()
        with pytest.raises(SourceFailed):
            source.ping()
        assert time.monotonic() - begun < 30


def test_a_terminated_connection_does_not_disturb_the_next_read(sample: Sample, postgres: Postgres) -> None:
    with closing(sample.open(sample.spec())) as source:
        source.ping()
        postgres.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'offtake'")
        assert source.count(plan_of(), Stop()) == 4


def test_a_wrong_password_or_database_is_a_failure_without_the_url(postgres: Postgres) -> None:
    url = postgres.url("no_such_database").replace("postgres@", "postgres:hush@")
    with closing(open_source(SourceSpec("db", url))) as source:
        with pytest.raises(OfftakeError) as failed:
            source.ping()
        assert isinstance(failed.value, SourceFailed)
        assert "hush" not in failed.value.detail + failed.value.hint


def leave(url: str, way: str, times: int, seed: int) -> None:
    """Leave that many half-read COPYs at random moments, in a process of its own: an abort would show as its status."""
    run = subprocess.run(
        [sys.executable, str(DEPARTURES), url, way, str(times), str(seed)], capture_output=True, timeout=300
    )
    assert run.returncode == 0, run.stderr.decode()[-2000:]
    assert gone_within(url, 2)


def test_leaving_at_random_moments_neither_aborts_nor_hangs(sample: Sample, way: str) -> None:
    leave(sample.url, way, 20, seed=1)


@pytest.mark.slow
def test_leaving_200_times_at_random_moments_neither_aborts_nor_hangs(sample: Sample, way: str) -> None:
    leave(sample.url, way, 200, seed=2)
