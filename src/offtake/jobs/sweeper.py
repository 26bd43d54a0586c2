"""The loop that sweeps: expired files and snapshots once a minute, the whole store once an hour."""

import random
import threading
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from offtake.service.logs import logged
from offtake.service.runtime import Runtime
from offtake.service.sweep import Swept, sweep, sweep_expired, sweep_snapshots

EVERY_S = 60.0
WHOLE_STORE_EVERY = 60  # rounds: listing a large bucket costs time and money
GRACE = timedelta(hours=1)
GRACE_WITHOUT_DURATION = timedelta(days=7)


def sweep_forever(runtime: Runtime, stopping: threading.Event, log: Any) -> None:
    """Sweep until `stopping` is set. What goes wrong is logged and tried again in the next round."""
    # Processes that start together shall not all list the store in the same minute.
    turn = random.randrange(WHOLE_STORE_EVERY)  # noqa: S311
    while not stopping.wait(EVERY_S * random.uniform(0.9, 1.1)):  # noqa: S311
        turn = (turn + 1) % WHOLE_STORE_EVERY
        sweep_once(runtime, log, whole_store=turn == 0)


def sweep_once(runtime: Runtime, log: Any, *, whole_store: bool) -> None:
    """One round. It raises nothing."""
    with logged(log, "sweep"):
        swept = sweep(runtime, grace=_grace(runtime)) if whole_store else _sweep_ended(runtime)
        if swept:
            log.info("swept", **asdict(swept))


def _sweep_ended(runtime: Runtime) -> Swept:
    return Swept(expired=sweep_expired(runtime), snapshots=sweep_snapshots(runtime))


def _grace(runtime: Runtime) -> timedelta:
    """Longer than any attempt may take: a writer that waits for its database all that time still lives."""
    longest_s = runtime.job_limits.duration_s
    return GRACE + timedelta(seconds=longest_s) if longest_s else GRACE_WITHOUT_DURATION
