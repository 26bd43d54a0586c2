"""Children: forked, kept warm, listened to, ended; small functions stand in for the one that runs exports."""

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

from jobs.deeds import crashing, deaf, echo, exiting, greedy, refusing, slow
from jobs.shop import is_gone
from offtake.jobs.children import Child, Children
from sites import wait_until

NEVER = threading.Event()


def parent_of(pid: int) -> int:
    """The process that started it."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


@contextmanager
def ready(work: Callable[[Connection], None]) -> Iterator[Child]:
    """A child that does so and has said it is ready."""
    child = Child(work)
    assert child.listen(60) == {}
    yield child
    child.kill()


@contextmanager
def many(work: Callable[[Connection], None], most: int = 2) -> Iterator[tuple[Children, list[str]]]:
    """Children that do so, and why some of them failed to start."""
    failures: list[str] = []
    children = Children(work, most, failures.append)
    children.start()
    yield children, failures
    children.close()


def test_a_child_answers_in_lines() -> None:
    with ready(echo) as child:
        child.tell({"job": "a"})
        assert child.listen(5) == {"job": "a"}
        assert child.listen(0.05) is None


def test_a_deaf_child_is_ended_all_the_same() -> None:
    with ready(deaf) as child:
        child.kill()
        assert is_gone(child.pid)
        assert "SIGKILL" in child.why()


def test_a_child_says_how_it_ended() -> None:
    for last, why in ((partial(exiting, 3), "exit code 3"), (crashing, "SIGSEGV")):
        with ready(last) as child:
            wait_until(lambda child=child: not child.is_alive, 30)  # type: ignore[misc]
            assert why in child.why()
            assert not child.was_ended


def test_a_childs_memory_is_its_own() -> None:
    with ready(greedy) as child:
        assert child.listen(60) == {"bytes": 100_000_000}
        assert child.memory_mb() > 95


def test_one_waits_warm_while_others_work() -> None:
    with many(echo) as (children, _):
        first = children.take(NEVER)
        assert first is not None
        second = children.take(NEVER)
        assert second is not None
        assert first.pid != second.pid
        children.give_back(first, is_clean=True)
        third = children.take(NEVER)
        assert third is first


def test_an_unclean_child_is_replaced() -> None:
    with many(echo, most=1) as (children, _):
        first = children.take(NEVER)
        assert first is not None
        children.give_back(first, is_clean=False)
        assert is_gone(first.pid)
        second = children.take(NEVER)
        assert second is not None
        assert second.is_alive


def test_a_child_that_died_idle_is_replaced() -> None:
    with many(echo) as (children, _):
        child = children.take(NEVER)
        assert child is not None
        children.give_back(child, is_clean=True)
        subprocess.run(["kill", "-9", str(child.pid)], check=True)
        wait_until(lambda: not child.is_alive)
        other = children.take(NEVER)
        assert other is not None
        assert other.is_alive


def test_a_program_that_does_not_start_is_told_and_tried_again() -> None:
    with many(refusing) as (_, failures):
        wait_until(lambda: len(failures) >= 2)
        assert failures[0] == "ended with exit code 7"


def test_who_leaves_waits_for_no_child() -> None:
    leaving = threading.Event()
    with many(slow) as (children, _):
        threading.Timer(0.2, leaving.set).start()
        assert children.take(leaving) is None


def test_a_child_dies_with_its_nursery_and_the_next_has_another() -> None:
    with ready(echo) as child:
        nursery = parent_of(child.pid)
        os.kill(nursery, signal.SIGKILL)
        wait_until(lambda: not child.is_alive, 30)
        assert child.was_ended
    with ready(echo) as child:
        child.tell({"job": "a"})
        assert child.listen(30) == {"job": "a"}
