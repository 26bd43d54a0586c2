"""Slow questions that many ask at once: one asks, in a thread of its own, and the others are told the same."""

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from offtake.errors import OfftakeError

T = TypeVar("T")
PATIENCE_S = 5.0
FRESH_S = 1.0


class Asked(Generic[T]):
    """A question whose answer is good for a second, and for which nobody waits longer than `patience_s`.

    While one call hangs no other is made: it is known that there is no answer. What is no expected error is raised to
    everybody who asks.
    """

    def __init__(self, question: Callable[[], T], *, patience_s: float = PATIENCE_S, fresh_s: float = FRESH_S) -> None:
        self._question = question
        self._patience_s, self._fresh_s = patience_s, fresh_s
        self._lock = threading.Lock()
        self._asked_at = self._answered_at = float("-inf")
        self._over = threading.Event()
        self._over.set()
        self._answer: T | None = None
        self._bug: Exception | None = None

    def ask(self) -> None:
        """Begin to ask, unless somebody does or the last answer is still good. Does not wait."""
        with self._lock:
            if not self._over.is_set() or time.monotonic() - self._answered_at < self._fresh_s:
                return
            self._over.clear()
            self._asked_at = time.monotonic()
        threading.Thread(target=self._find_out, name="asked", daemon=True).start()

    def answer(self) -> T | None:
        """What the answer is; None if there was none in time, or an expected error instead."""
        self.ask()
        if not self._over.wait(max(0.0, self._asked_at + self._patience_s - time.monotonic())):
            return None
        if self._bug is not None:
            raise self._bug
        return self._answer

    def _find_out(self) -> None:
        answer: T | None = None
        bug: Exception | None = None
        try:
            answer = self._question()
        except OfftakeError:
            pass
        except Exception as error:
            bug = error
        with self._lock:
            self._answer, self._bug, self._answered_at = answer, bug, time.monotonic()
            self._over.set()
