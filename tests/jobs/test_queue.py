"""Turns in the queue: what DBOS is told, and that it is told in the transaction of the job's own row."""

import inspect
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dbos import DBOS, DBOSClient

from offtake.appdb.database import AppDb, open_appdb, plain_url
from offtake.errors import Unavailable
from offtake.jobs.queue import APPLICATION, QUEUE, VERSION, WORKFLOW, open_queue, prepare_queue
from offtake.model.ports import Turn
from servers import Postgres

PREPARE = "import sys; from offtake.jobs.queue import prepare_queue; prepare_queue(sys.argv[1])"


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Where an app database may be made."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/offtake.db"
    else:
        postgres: Postgres = request.getfixturevalue("postgres")
        with postgres.database() as made:
            yield made


@pytest.fixture
def appdb(url: str) -> Iterator[AppDb]:
    """An app database with a queue."""
    db = open_appdb(url)
    prepare_queue(url)
    yield db
    db.close()


def turns(url: str) -> list[Any]:
    """What waits in the queue."""
    client = DBOSClient(system_database_url=plain_url(url), application_name=APPLICATION)
    try:
        return client.list_workflows(status=["ENQUEUED", "DELAYED"], queues_only=True)
    finally:
        client.destroy()


def test_a_turn_is_kept_as_it_is(url: str, appdb: AppDb) -> None:
    with appdb.write() as connection:
        open_queue(url).enqueue(connection, Turn("job", 2, "acme", priority=3))
    (turn,) = turns(url)
    assert (turn.workflow_id, turn.status, turn.name) == ("job:2", "ENQUEUED", WORKFLOW)
    assert (turn.queue_name, turn.queue_partition_key, turn.priority) == (QUEUE, "acme", 3)
    assert turn.input == {"args": ("job", 2), "kwargs": {}}


def test_the_version_is_ours_and_not_the_codes(url: str, appdb: AppDb) -> None:
    with appdb.write() as connection:
        open_queue(url).enqueue(connection, Turn("job", 0, "acme"))
    assert turns(url)[0].app_version == VERSION


def test_a_turn_with_a_delay_waits(url: str, appdb: AppDb) -> None:
    with appdb.write() as connection:
        open_queue(url).enqueue(connection, Turn("job", 0, "acme", delay_s=0.5))
    assert turns(url)[0].status == "DELAYED"


def test_a_turn_goes_with_its_transaction(url: str, appdb: AppDb) -> None:
    def break_off() -> None:
        with appdb.write() as connection:
            open_queue(url).enqueue(connection, Turn("job", 0, "acme"))
            raise KeyError

    with pytest.raises(KeyError):
        break_off()
    assert turns(url) == []


def test_the_same_turn_twice_is_one(url: str, appdb: AppDb) -> None:
    queue = open_queue(url)
    for _ in range(2):
        with appdb.write() as connection:
            queue.enqueue(connection, Turn("job", 0, "acme"))
    assert len(turns(url)) == 1


def test_many_processes_may_prepare_at_once(url: str) -> None:
    open_appdb(url).close()
    started = [
        subprocess.Popen([sys.executable, "-c", PREPARE, url], stderr=subprocess.PIPE, text=True) for _ in range(3)
    ]
    assert [(process.communicate()[1], process.returncode) for process in started] == [("", 0)] * 3
    open_queue(url).ping()


def test_a_queue_that_does_not_answer_says_so(postgres: Postgres) -> None:
    queue = open_queue(f"postgresql://postgres@127.0.0.1:{postgres.port}/there_is_none")
    with pytest.raises(Unavailable, match="does not answer"):
        queue.ping()


def test_what_we_use_of_dbos_beyond_its_documentation_is_there() -> None:
    """Recovery of named executors is private there; if it goes, so does the taking over of dead workers' turns."""
    assert list(inspect.signature(DBOS._recover_pending_workflows).parameters) == ["executor_ids"]
    workflow = inspect.signature(DBOS.workflow).parameters
    # It counts what `service.runs` counts better; lower, it would strand jobs that only lost their machines.
    assert workflow["max_recovery_attempts"].default == 100
