"""How a worker shows that it lives, and what happens to the work of one that does not.

Each holds a lock under its name that is freed when it dies. Whoever finds the lock of a name free that still has work
hands that work on.
"""

import os
import threading
from collections.abc import Callable
from typing import Any

from offtake.appdb.locks import LockLost, open_locks
from offtake.errors import Unavailable

SWEEP_S = 0.5
TEMPORARY_FAILURE = 75  # sysexits.h: start me again


class Lease:
    """The lock of this process, and the eyes it keeps on the others'.

    `at_work` gives the names that have work, `recover` hands the work of a dead one on and gives how much it was.
    """

    def __init__(
        self,
        database_url: str,
        name: str,
        at_work: Callable[[], set[str]],
        recover: Callable[[str], int],
        log: Any,
        tell_bug: Callable[[BaseException], None],
    ) -> None:
        self._locks = open_locks(database_url)
        self._name = name
        self._at_work = at_work
        self._recover = recover
        self._log = log
        self._tell_bug = tell_bug
        self._over = threading.Event()
        # Two threads: while one waits for a database that is being restarted, the other must take our lock again.
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._keep, self._take_over)]

    def hold(self) -> None:
        """Show that we live. Raises Unavailable."""
        self._locks.hold(self._name)

    def watch(self) -> None:
        """Begin to look after the others."""
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Stop both: whatever work is left under our name is for others now."""
        self._over.set()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(SWEEP_S)
        self._locks.close()

    def _keep(self) -> None:
        while not self._over.wait(SWEEP_S):
            try:
                self._locks.keep()
            except Unavailable:
                continue
            except LockLost:
                # Others run our turns by now. Our children die with us, and no job's row lets two of them commit.
                self._log.error("lease lost")
                os._exit(TEMPORARY_FAILURE)

    def _take_over(self) -> None:
        while not self._over.wait(SWEEP_S):
            try:
                for name in self._at_work() - {self._name}:
                    if self._locks.is_dead(name):
                        self._log.warning("took over", turns=self._recover(name))
            except (Unavailable, LockLost):
                continue
            except Exception as error:
                if not self._over.is_set():
                    self._tell_bug(error)
