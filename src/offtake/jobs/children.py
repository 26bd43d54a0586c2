"""The processes that run jobs: each one at a time, so that a cancelled one can be killed and a greedy one dies alone.

A child is told what to do by a line of JSON on its stdin and answers with lines of JSON on its stdout.
"""

import json
import os
import select
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

READY_S = 60.0  # what a child gets to import everything and open the app database
TERM_S = 0.5  # between asking a child to end and ending it
WAKE_S = 0.5
LONGEST_PAUSE_S = 5.0
_PAGE_MB = os.sysconf("SC_PAGE_SIZE") / 2**20


class Child:
    """One process. Used by one thread at a time."""

    def __init__(self, command: Sequence[str]) -> None:
        # A group of its own: Ctrl-C is for the parent alone.
        self._process = subprocess.Popen(  # noqa: S603 (it starts this very program)
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, process_group=0
        )
        self._heard = b""

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether it runs."""
        return self._process.poll() is None

    def tell(self, order: dict[str, Any]) -> None:
        """Send it one line. One that has died says nothing; `listen` will."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps(order).encode() + b"\n")
            self._process.stdin.flush()

    def listen(self, seconds: float) -> dict[str, Any] | None:
        """What it said, waiting at most so long; None if it said nothing. Raises EOFError if it has ended."""
        assert self._process.stdout is not None
        until = time.monotonic() + seconds
        poll = select.poll()  # select() itself knows no descriptor above 1023, which a busy server has
        poll.register(self._process.stdout, select.POLLIN)
        while b"\n" not in self._heard:
            if not poll.poll(1000 * max(0.0, until - time.monotonic())):
                return None
            data = os.read(self._process.stdout.fileno(), 65536)
            if not data:
                raise EOFError
            self._heard += data
        line, _, self._heard = self._heard.partition(b"\n")
        answer: dict[str, Any] = json.loads(line)
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
        try:
            self._process.wait(TERM_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self.close()

    def close(self) -> None:
        """Let the pipes of an ended one go."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()

    @property
    def was_asked_to_end(self) -> bool:
        """Whether somebody else's SIGTERM ended it, as when a whole service is stopped. It must have ended."""
        return self._process.wait() in (-signal.SIGTERM, 128 + signal.SIGTERM)

    def why(self) -> str:
        """How it ended, for people. It must have ended."""
        code = self._process.wait()
        if code >= 0:
            return f"ended with exit code {code}"
        if -code == signal.SIGKILL:
            return "was killed (SIGKILL), perhaps because the machine ran out of memory"
        return f"was ended by {signal.Signals(-code).name}"


class Children:
    """Warm children: one waits idle at any time, at most `most` live. Ended ones are replaced.

    All are started by one thread that lives as long as this process: on Linux a child asks to be killed when its
    parent dies, and there the parent is the thread that started it (prctl(2), PR_SET_PDEATHSIG).
    """

    def __init__(self, command: Sequence[str], most: int, on_failure: Callable[[str], None]) -> None:
        self._command = (*command, "--parent", str(os.getpid()))
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
            child = Child(self._command)
        except OSError as error:
            return f"cannot be started: {error.strerror}"
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
