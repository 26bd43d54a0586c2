"""The process that children are forked from: it has imported what they need, and does nothing else.

A fork takes ten milliseconds and shares the memory of what was imported; a fresh interpreter took a second each time.
"""

from collections.abc import Sequence
from multiprocessing import forkserver, get_context

FORKS = get_context("forkserver")
LOST = 255  # the exit code of a child whose nursery ended, for nobody is left who saw how the child did


def start_nursery(modules: Sequence[str]) -> None:
    """Start it, to import these; returns at once. Started before all else, it imports while we do.

    It ends when this process does. Should it die before, the next child starts another.
    """
    FORKS.set_forkserver_preload(list(modules))
    forkserver.ensure_running()
