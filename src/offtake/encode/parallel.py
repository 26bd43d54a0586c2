"""Several threads at one stream, results in order: the kernel lets go of the GIL, so two cores write twice as fast."""

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
WORKERS = min(4, os.cpu_count() or 1)


def in_order(jobs: Iterable[Callable[[], T]], workers: int = WORKERS) -> Generator[T, None, None]:
    """What each job gives, in the order of the jobs, which are pulled by the caller's thread.

    At most `workers` run and one result waits, so memory stays flat. What a job raises is raised in its place; closing
    waits for those that run and drops the others.
    """
    if workers < 2:
        for job in jobs:
            yield job()
        return
    waiting: deque[Future[T]] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="render") as pool:
        try:
            for job in jobs:
                waiting.append(pool.submit(job))
                if len(waiting) > workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
