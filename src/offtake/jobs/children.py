"""The processes that run jobs: each one at a time, so that a cancelled one can be killed and a greedy one dies alone.

A child is told what to do over a pipe, and answers over it.
"""

import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from offtake.jobs.nursery import FORKS, LOST

READY_S = 60.0  # what a child gets to open the app database, and the nursery to import everything
TERM_S = 0.5  # between asking a child to end and ending it
WAKE_S = 0.5
LONGEST_PAUSE_S = 5.0
_PAGE_MB = os.sysconf("SC_PAGE_SIZE") / 2**20

Work = Callable[[Connection], None]


class Child:
    """One process. Used by one thread at a time."""

    def __init__(self, work: Work) -> None:
        self._line, theirs = FORKS.Pipe()
        self._process = FORKS.Process(target=work, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process.pid is not None
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether it runs."""
        return self._process.is_alive()

    def tell(self, order: dict[str, Any]) -> None:
        """Send it one order. One that has died says nothing; `listen` will."""
        with suppress(BrokenPipeError, ConnectionResetError):
            self._line.send(order)

    def listen(self, seconds: float) -> dict[str, Any] | None:
        """What it said, waiting at most so long; None if it said nothing. Raises EOFError if it has ended."""
        try:
            if not self._line.poll(seconds):
                return None
            answer: dict[str, Any] = self._line.recv()
        except ConnectionResetError:
            raise EOFError from None
        return answer

    def memory_mb(self) -> float:
        """Memory that is its own, shared libraries aside; 0 where nobody knows (Linux's /proc does)."""
        try:
            _, resident, shared, *_ = Path(f"/proc/{self.pid}/statm").read_text("ascii").split()
        except OSError:
            return 0.0
        return (int(resident) - int(shared)) * _PAGE_MB

    def kill(self) -> None:
        """End it: it may break off its query at the database, but it has only a moment to."""
        self._process.terminate()
        self._process.join(TERM_S)
        if self.is_alive:
            self._process.kill()
        self.close()

    def close(self) -> None:
        """Let an ended one go."""
        self._process.join()
        self._line.close()

    @property
    def was_ended(self) -> bool:
        """Whether somebody else ended it: by SIGTERM, as when a whole service is stopped, or with its nursery."""
        return self._exit_code() in (-signal.SIGTERM, 128 + signal.SIGTERM, LOST)

    def why(self) -> str:
        """How it ended, for people. It must have ended."""
        code = self._exit_code()
        if code >= 0:
            return f"ended with exit code {code}"
        if -code == signal.SIGKILL:
            return "was killed (SIGKILL), perhaps because the machine ran out of memory"
        return f"was ended by {signal.Signals(-code).name}"

    def _exit_code(self) -> int:
        self._process.join()
        assert self._process.exitcode is not None
        return self._process.exitcode


class Children:
    """Warm children: one waits idle at any time, at most `most` live. Ended ones are replaced."""

    def __init__(self, work: Work, most: int, on_failure: Callable[[str], None]) -> None:
        self._work = work
        self._most = most
        self._on_failure = on_failure
        self._changed = threading.Condition()
        self._idle: deque[Child] = deque()
        self._working: set[Child] = set()
        self._closing = False
        self._starter = threading.Thread(target=self._keep_started, name="children", daemon=True)

    def start(self) -> None:
        """Start the first, and go on."""
        self._starter.start()

    def wait_warm(self) -> bool:
        """Wait until one is ready to work; False if that takes too long."""
        with self._changed:
            return self._changed.wait_for(lambda: bool(self._idle or self._working), READY_S)

    def take(self, leaving: threading.Event) -> Child | None:
        """A child that is ready to work, waiting for one as long as that takes; None once it is time to leave."""
        with self._changed:
            while not leaving.is_set():
                while self._idle:
                    child = self._idle.popleft()
                    self._changed.notify_all()
                    if child.is_alive:
                        self._working.add(child)
                        return child
                    child.close()
                self._changed.wait(WAKE_S)
        return None

    def give_back(self, child: Child, *, is_clean: bool) -> None:
        """It waits for more if it is as good as new; else it ends."""
        if not is_clean:
            child.kill()
        with self._changed:
            self._working.discard(child)
            if is_clean:
                self._idle.append(child)
            self._changed.notify_all()

    def close(self) -> None:
        """End every one of them."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._starter.is_alive():
            self._starter.join(READY_S)
        for child in (*self._idle, *self._working):
            child.kill()

    def _keep_started(self) -> None:
        pause_s = WAKE_S
        while True:
            with self._changed:
                while not self._closing and not self._wants_one():
                    self._changed.wait(WAKE_S)
                if self._closing:
                    return
            why = self._start_one()
            if not why:
                pause_s = WAKE_S
            elif not self._closing:
                self._on_failure(why)
                time.sleep(pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    def _start_one(self) -> str:
        """Add one to the idle; else why it did not come up."""
        try:
            child = Child(self._work)
        except (OSError, EOFError) as error:
            return f"cannot be started: {type(error).__name__}"
        if not self._is_ready(child):
            child.kill()
            return child.why()
        with self._changed:
            self._idle.append(child)
            self._changed.notify_all()
        return ""

    def _wants_one(self) -> bool:
        for child in [child for child in self._idle if not child.is_alive]:
            self._idle.remove(child)
            child.close()
        return not self._idle and len(self._working) < self._most

    def _is_ready(self, child: Child) -> bool:
        until = time.monotonic() + READY_S
        while not self._closing and time.monotonic() < until:
            try:
                if child.listen(WAKE_S) is not None:
                    return True
            except EOFError:
                return False
        return False
