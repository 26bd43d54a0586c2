"""Progress for people at a terminal: rows, rate and time left, on stderr."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from offtake.errors import OfftakeError
from offtake.model.ports import Stop


class _Rate(ProgressColumn):
    """Rows a second, over the last moments."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed or 0:,.0f} rows/s", style="progress.data.speed")


@contextmanager
def showing_progress(name: str, count: Callable[[Stop], int] | None) -> Iterator[Callable[[int], None]]:
    """Gives what is to be told the size of every batch.

    `count` runs beside the export and brings the time left once it is known; it is stopped when the export ends. None =
    nobody can tell before the end.
    """
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:,} rows"), _Rate())
    with Progress(*columns, TimeRemainingColumn(), console=console) as progress:
        task = progress.add_task(name, total=None)
        with _counting(count, lambda total: progress.update(task, total=total)) if count else nullcontext():
            yield lambda rows: progress.advance(task, rows)
        done = progress.tasks[0].completed
        progress.update(task, total=done)


@contextmanager
def _counting(count: Callable[[Stop], int], tell_total: Callable[[int], None]) -> Iterator[None]:
    """Counts in a thread of its own. A count that fails costs the time left, nothing more."""
    stop = Stop()

    def run() -> None:
        try:
            tell_total(count(stop))
        except OfftakeError:
            return

    thread = threading.Thread(target=run, name="count", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=1.0)
