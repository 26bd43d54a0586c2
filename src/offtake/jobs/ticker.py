"""Looks once a second what schedules have to do: in every process that runs jobs, none knowing of the others."""

import queue
import threading
from typing import Any

from offtake.model.schedule import ScheduleRun
from offtake.service.logs import logged
from offtake.service.runtime import Runtime
from offtake.service.ticks import forget_old_runs, launch_run, runs_to_launch, settle_runs, take_due

EVERY_S = 1.0
FORGET_EVERY = 3600  # rounds
LAUNCHERS = 4  # a source that does not answer must not hold the other schedules up


class Ticker:
    """Ticks until `stopping` is set. What goes wrong is logged and tried again in the next round."""

    def __init__(self, runtime: Runtime, stopping: threading.Event, log: Any) -> None:
        self._runtime = runtime
        self._stopping = stopping
        self._log = log
        self._runs: queue.SimpleQueue[ScheduleRun] = queue.SimpleQueue()
        self._going: set[str] = set()  # schedules with a run in that queue or being launched

    def start(self) -> None:
        """Begin, in threads that end with the process."""
        threading.Thread(target=self._tick_forever, name="tick", daemon=True).start()
        for _ in range(LAUNCHERS):
            threading.Thread(target=self._launch_forever, name="launch", daemon=True).start()

    def _tick_forever(self) -> None:
        rounds = 0
        while not self._stopping.wait(EVERY_S):
            rounds += 1
            with logged(self._log, "schedules"):
                self._tick()
                if rounds % FORGET_EVERY == 0:
                    forget_old_runs(self._runtime)

    def _tick(self) -> None:
        settle_runs(self._runtime)
        take_due(self._runtime)
        for run in runs_to_launch(self._runtime):
            if run.schedule_id not in self._going:
                self._going.add(run.schedule_id)
                self._runs.put(run)

    def _launch_forever(self) -> None:
        while not self._stopping.is_set():
            try:
                run = self._runs.get(timeout=EVERY_S)
            except queue.Empty:
                continue
            with logged(self._log, "schedules"):
                try:
                    launch_run(self._runtime, run)
                finally:
                    self._going.discard(run.schedule_id)
