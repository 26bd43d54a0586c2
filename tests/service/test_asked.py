"""Questions that many ask at once: one call, told to all; a hanging one keeps nobody waiting for ever."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from offtake.errors import Unavailable
from offtake.service.asked import Asked
from sites import wait_until


def test_a_crowd_makes_one_call() -> None:
    calls: list[int] = []

    def question() -> int:
        calls.append(1)
        time.sleep(0.1)
        return 7

    asked = Asked(question)
    with ThreadPoolExecutor(20) as crowd:
        answers = list(crowd.map(lambda _: asked.answer(), range(200)))
    assert (set(answers), len(calls)) == ({7}, 1)


def test_an_answer_grows_old() -> None:
    calls: list[int] = []
    asked = Asked(lambda: calls.append(1), fresh_s=0.05)
    asked.answer()
    asked.answer()
    time.sleep(0.06)
    asked.answer()
    assert len(calls) == 2


def test_a_hanging_question_is_given_up_and_not_asked_again() -> None:
    calls: list[int] = []
    release = threading.Event()

    def question() -> int:
        calls.append(1)
        release.wait(300)
        return 7

    asked = Asked(question, patience_s=0.1, fresh_s=0)
    began = time.monotonic()
    assert asked.answer() is None
    assert [asked.answer() for _ in range(100)] == [None] * 100  # at once: the patience is over
    assert (time.monotonic() - began < 60, len(calls)) == (True, 1)
    release.set()
    wait_until(lambda: asked.answer() == 7)


def test_an_expected_failure_is_no_answer_and_a_bug_is_raised_to_everybody() -> None:
    def fails() -> int:
        raise Unavailable("Gone.")

    def breaks() -> int:
        raise ZeroDivisionError

    assert Asked(fails).answer() is None
    broken = Asked(breaks)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            broken.answer()
