"""Children: started, kept warm, listened to, ended; tiny programs stand in for the one that runs exports."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jobs.shop import is_gone
from offtake.jobs.children import Child, Children
from sites import wait_until

READY = "import sys, time, json, os, signal; print('{}', flush=True)\n"
ECHO = READY + "for line in sys.stdin: print(line, end='', flush=True)"
DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + READY + "time.sleep(60)"
NEVER = threading.Event()


def program(text: str) -> list[str]:
    """How to start it."""
    return [sys.executable, "-c", text]


@contextmanager
def ready(text: str) -> Iterator[Child]:
    """A child of that program that has said it is ready."""
    child = Child(program(text))
    assert child.listen(20) == {}
    yield child
    child.kill()


@contextmanager
def many(text: str, most: int = 2) -> Iterator[tuple[Children, list[str]]]:
    """Children of that program, and why some of them failed to start."""
    failures: list[str] = []
    children = Children(program(text), most, failures.append)
    children.start()
    yield children, failures
    children.close()


def test_a_child_answers_in_lines() -> None:
    with ready(ECHO) as child:
        child.tell({"job": "a"})
        assert child.listen(5) == {"job": "a"}
        assert child.listen(0.05) is None


def test_a_deaf_child_is_ended_all_the_same() -> None:
    with ready(DEAF) as child:
        child.kill()
        assert is_gone(child.pid)
        assert "SIGKILL" in child.why()


def test_a_child_says_how_it_ended() -> None:
    for last, why in (("sys.exit(3)", "exit code 3"), ("os.kill(os.getpid(), signal.SIGSEGV)", "SIGSEGV")):
        with ready(READY + last) as child:
            wait_until(lambda child=child: not child.is_alive, 10)  # type: ignore[misc]
            assert why in child.why()
            assert not child.was_asked_to_end


def test_a_childs_memory_is_its_own() -> None:
    with ready(READY + "x = bytearray(100_000_000); print('{}', flush=True); time.sleep(60)") as child:
        assert child.listen(20) == {}
        assert 95 < child.memory_mb() < 150


def test_one_waits_warm_while_others_work() -> None:
    with many(ECHO) as (children, _):
        first = children.take(NEVER)
        assert first is not None
        second = children.take(NEVER)
        assert second is not None
        assert first.pid != second.pid
        children.give_back(first, is_clean=True)
        third = children.take(NEVER)
        assert third is first


def test_an_unclean_child_is_replaced() -> None:
    with many(ECHO, most=1) as (children, _):
        first = children.take(NEVER)
        assert first is not None
        children.give_back(first, is_clean=False)
        assert is_gone(first.pid)
        second = children.take(NEVER)
        assert second is not None
        assert second.is_alive


def test_a_child_that_died_idle_is_replaced() -> None:
    with many(ECHO) as (children, _):
        child = children.take(NEVER)
        assert child is not None
        children.give_back(child, is_clean=True)
        subprocess.run(["kill", "-9", str(child.pid)], check=True)
        wait_until(lambda: not child.is_alive, 5)
        other = children.take(NEVER)
        assert other is not None
        assert other.is_alive


def test_a_program_that_does_not_start_is_told_and_tried_again() -> None:
    with many("import sys; sys.exit(7)") as (_, failures):
        wait_until(lambda: len(failures) >= 2, 20)
        assert failures[0] == "ended with exit code 7"


def test_a_program_that_is_not_there_is_told_and_tried_again() -> None:
    failures: list[str] = []
    children = Children(["/nowhere/python"], 1, failures.append)
    children.start()
    wait_until(lambda: len(failures) >= 2, 20)
    children.close()
    assert failures[0] == "cannot be started: No such file or directory"


def test_who_leaves_waits_for_no_child() -> None:
    leaving = threading.Event()
    with many("import time; time.sleep(60)") as (children, _):
        threading.Timer(0.2, leaving.set).start()
        assert children.take(leaving) is None


def test_a_child_whose_parent_is_gone_does_not_start(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "offtake.cli", "job-child", "--parent", "1", "--config", str(tmp_path / "none")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")
