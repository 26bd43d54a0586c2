"""Takes turns out of the queue and runs them, and takes over those of workers that died. One a process."""

import threading
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from dbos import DBOS

from offtake.appdb.database import plain_url
from offtake.jobs.children import Children, Work
from offtake.jobs.courier import start_couriers
from offtake.jobs.lease import Lease
from offtake.jobs.queue import APPLICATION, QUEUE, VERSION, WORKFLOW
from offtake.jobs.sweeper import sweep_forever
from offtake.jobs.ticker import Ticker
from offtake.jobs.turns import run_turn
from offtake.service.logs import log_through
from offtake.service.runtime import Runtime

POLL_S = 0.1
IDLE_S = 0.25
TIDY_S = 600.0
KEPT = timedelta(hours=1)  # how long the queue remembers turns that are over
LEAVE_S = 8.0  # what ending children and putting their jobs back may take


class Executor:
    """Runs exports of the queue until it is told to stop. `work` is what a child process does."""

    def __init__(
        self,
        runtime: Runtime,
        work: Work,
        log: Any,
        database_url: str,
        tell_bug: Callable[[BaseException], None],
    ) -> None:
        self._runtime = runtime
        self._log = log
        self._tell_bug = tell_bug
        self._url = database_url
        self._name = str(uuid.uuid4())
        self._lease = Lease(database_url, self._name, self._at_work, _recover, log, tell_bug)
        self._children = Children(work, runtime.job_limits.concurrency + 1, lambda why: log.error("child", reason=why))
        self._leaving = threading.Event()  # children are to be ended, their jobs to be put back
        self._over = threading.Event()
        self._turns = 0
        self._turn_ended = threading.Condition()

    def start(self) -> None:
        """Begin to take turns. The queue must have been prepared."""
        self._children.start()
        self._lease.hold()
        log_through("dbos", self._log, "queue")
        DBOS(
            config={
                "name": APPLICATION,
                "system_database_url": plain_url(self._url),
                "sys_db_pool_size": 8,
                "executor_id": self._name,
                "application_version": VERSION,
                "run_migrations": False,
                "enable_otlp": False,
                "log_level": "WARNING",
                # Nobody waits for its notifications; its threads look this often whether they are to end.
                "notification_listener_polling_interval_sec": IDLE_S,
                "notification_coalesce_sec": IDLE_S,
            }
        )
        DBOS.workflow(name=WORKFLOW)(lambda job_id, number: self._run(job_id, number))
        DBOS.launch()
        self._register()
        self._lease.watch()
        threading.Thread(target=self._tidy, name="tidy", daemon=True).start()
        told = (self._runtime, self._over, self._log)
        threading.Thread(target=sweep_forever, args=told, name="sweep", daemon=True).start()
        start_couriers(self._runtime, self._over, self._log, self._tell_bug)
        Ticker(*told).start()

    def wait_warm(self) -> bool:
        """Wait until a child is ready to work; False if none comes up."""
        return self._children.wait_warm()

    def _register(self) -> None:
        limits = self._runtime.job_limits
        # Either way tenants are taken in random order, so that a long queue of one does not hold the others up. The
        # limit of one worker needs no look at the others, who would get in each other's way.
        DBOS.register_queue(
            QUEUE,
            worker_concurrency=limits.concurrency,
            partition_concurrency=limits.per_tenant or None,
            partition_worker_concurrency=None if limits.per_tenant else limits.concurrency,
            polling_interval_sec=POLL_S,
            on_conflict="always_update",
        )

    def _run(self, job_id: str, number: int) -> None:
        """The workflow. DBOS keeps nothing of it but that it is over."""
        with self._turn_ended:
            self._turns += 1
        try:
            run_turn(self._runtime, self._children, self._log, self._leaving, job_id, number)
        except Exception as error:
            self._tell_bug(error)
        finally:
            with self._turn_ended:
                self._turns -= 1
                self._turn_ended.notify_all()

    def stop(self, grace_s: float) -> bool:
        """Take no more turns, give running ones so long to finish, then put their jobs back for others.

        False if some of it hangs, because the app database does not answer: the process must end all the same, and
        others will take over what it had.
        """
        ending = self._end_queue(grace_s)
        is_idle = self._wait_for_turns(grace_s)
        self._leaving.set()
        is_idle = is_idle or self._wait_for_turns(LEAVE_S)
        self._over.set()
        self._children.close()
        ending.join(LEAVE_S)
        self._lease.close()
        return is_idle and not ending.is_alive()

    def _end_queue(self, grace_s: float) -> threading.Thread:
        """DBOS stops to take turns at once, and ends when none runs any more."""
        with self._turn_ended:
            seconds = int(grace_s + LEAVE_S) if self._turns else 0
        ending = threading.Thread(
            target=DBOS.destroy,
            kwargs={"destroy_registry": True, "workflow_completion_timeout_sec": seconds},
            name="end-queue",
            daemon=True,
        )
        ending.start()
        return ending

    def _wait_for_turns(self, seconds: float) -> bool:
        with self._turn_ended:
            return self._turn_ended.wait_for(lambda: not self._turns, seconds)

    def _at_work(self) -> set[str]:
        running = DBOS.list_workflows(status="PENDING", queue_name=QUEUE, load_input=False, load_output=False)
        return {str(turn.executor_id) for turn in running}

    def _tidy(self) -> None:
        """Now and then, have the queue forget what is over."""
        while not self._over.wait(TIDY_S):
            try:
                before = (datetime.now(UTC) - KEPT).isoformat()
                ended = DBOS.list_workflows(
                    status=["SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"],
                    completed_before=before,
                    limit=1000,
                    load_input=False,
                    load_output=False,
                )
                DBOS.delete_workflows([turn.workflow_id for turn in ended])
            except Exception as error:
                if not self._over.is_set():
                    self._tell_bug(error)


def _recover(name: str) -> int:
    """Put the turns that worker had back into the queue, as they were; how many."""
    return len(DBOS._recover_pending_workflows([name]))
