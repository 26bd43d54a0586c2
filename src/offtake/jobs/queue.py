"""Where jobs wait for a worker. DBOS keeps the turns in tables of its own inside the app database."""

import logging
import threading
from typing import TYPE_CHECKING, Any

from offtake.appdb.database import plain_url, refusing_to_start, telling_unavailable
from offtake.appdb.locks import only_one
from offtake.model.ports import Queue, Turn

if TYPE_CHECKING:
    from dbos import DBOSClient

APPLICATION, QUEUE, WORKFLOW = "offtake", "exports", "export"
# DBOS would take a hash of the code, and leave the turns of an older release lying for ever.
VERSION = "1"


def prepare_queue(database_url: str) -> None:
    """Bring the queue's tables up to date. Any number of processes may start at once.

    Raises InvalidConfig if the database does not let us.
    """
    from dbos import DBOS

    _silence()
    with (
        refusing_to_start("May this account create a schema there? The queue's is called dbos."),
        only_one(database_url),
    ):
        DBOS.migrate(plain_url(database_url))


def open_queue(database_url: str) -> Queue:
    """The queue in that app database, whose tables `prepare_queue` made. Nothing is asked of it yet."""
    return _TurnQueue(database_url)


class _TurnQueue:
    """Enqueues by inserting a row with the caller's connection; its own is used for `ping` alone."""

    def __init__(self, database_url: str) -> None:
        self._url = plain_url(database_url)
        self._lock = threading.Lock()
        self._made: DBOSClient | None = None

    def enqueue(self, connection: Any, turn: Turn) -> None:
        """Put a turn into the queue within that transaction. The same turn twice is one turn."""
        from dbos import EnqueueOptions, WorkflowSerializationFormat

        options: EnqueueOptions = {
            "workflow_name": WORKFLOW,
            "queue_name": QUEUE,
            "workflow_id": f"{turn.job_id}:{turn.number}",
            "queue_partition_key": turn.tenant,
            "app_version": VERSION,
            "application_name": APPLICATION,
            # JSON, which every later release reads; the default is a pickle.
            "serialization_type": WorkflowSerializationFormat.PORTABLE,
        }
        if turn.priority > 0:
            options["priority"] = turn.priority
        if turn.delay_s > 0:
            options["delay_seconds"] = turn.delay_s
        self._client().enqueue_in_transaction(connection, options, turn.job_id, turn.number)

    def ping(self) -> None:
        """Raise Unavailable unless the queue's database answers."""
        with telling_unavailable():
            self._client().check_connection()

    def _client(self) -> "DBOSClient":
        # Imported late: 0.4 s and 25 MB, which a child needs only when its job failed.
        from dbos import DBOSClient

        with self._lock:
            if self._made is None:
                _silence()
                self._made = DBOSClient(
                    system_database_url=self._url,
                    application_name=APPLICATION,
                    system_database_pool_size=1,
                    retry_connection_errors=False,
                    lazy=True,
                )
            return self._made


def _silence() -> None:
    """DBOS writes plain lines, with SQL in them, wherever nobody has taken its logger."""
    logger = logging.getLogger("dbos")
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
        logger.propagate = False
