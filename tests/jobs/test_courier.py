"""Couriers in processes of their own."""

import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from offtake.app import close_runtime
from offtake.jobs.courier import start_couriers
from offtake.model.delivery import WebhookRules
from offtake.notify import open_outbox
from offtake.service.runtime import Runtime
from offtake.service.webhooks import create_webhook
from receivers import receiving
from service.at_work import CLERK, run, submit
from sites import FakeSource, few, make_runtime, wait_until

COURIER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from jobs.test_courier import make_sending
from offtake.service.deliveries import deliver_next
runtime = make_sending(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
while deliver_next(runtime) is not None:
    pass
"""


class Silent:
    """A log that nobody reads."""

    def info(self, *_: object, **__: object) -> None: ...
    def warning(self, *_: object, **__: object) -> None: ...


def make_sending(home: Path) -> Runtime:
    """A runtime that may send to this machine."""
    runtime = make_runtime(home, {"fake": FakeSource(few)})
    return replace(runtime, outbox=open_outbox(None, WebhookRules(frozenset({"127.0.0.1"})), {}))


@pytest.mark.slow
def test_couriers_of_two_processes_send_each_delivery_once(tmp_path: Path) -> None:
    runtime = make_sending(tmp_path)
    with receiving() as receiver:
        create_webhook(runtime, CLERK, receiver.url, ["export.succeeded"])
        for _ in range(8):
            run(runtime, submit(runtime))
        command = [sys.executable, "-c", COURIER, str(tmp_path), str(Path(__file__).parents[1])]
        couriers = [
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)
        ]
        for courier in couriers:
            assert courier.stdout is not None
            assert courier.stdout.readline() == "ready\n"
        for courier in couriers:
            assert courier.stdin is not None
            courier.stdin.write("go\n")
            courier.stdin.flush()
        assert [courier.wait(60) for courier in couriers] == [0, 0]
        ids = [headers["webhook-id"] for headers, _ in receiver.calls]
        assert (len(ids), len(set(ids))) == (8, 8)
    close_runtime(runtime)


def test_couriers_send_what_becomes_due_and_end_when_told(tmp_path: Path) -> None:
    runtime, stopping, bugs = make_sending(tmp_path), threading.Event(), []
    with receiving() as receiver:
        create_webhook(runtime, CLERK, receiver.url, ["export.succeeded"])
        start_couriers(runtime, stopping, Silent(), bugs.append)
        run(runtime, submit(runtime))
        wait_until(lambda: bool(receiver.calls))
        stopping.set()
        names = lambda: [each for each in threading.enumerate() if each.name.startswith("courier-")]  # noqa: E731
        wait_until(lambda: not names())
        time.sleep(0.1)
    assert (len(receiver.calls), bugs) == (1, [])
    close_runtime(runtime)
