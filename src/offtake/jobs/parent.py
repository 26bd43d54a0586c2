"""What a child process does first: tie its life to its parent's."""

import ctypes
import os
import signal
import sys
import threading
from contextlib import suppress
from multiprocessing import parent_process
from pathlib import Path

PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
SOONER = "500"  # of 1000, in oom_score_adj: when memory runs out, a job goes before the service
ORPHANED = 1


def die_with_parent() -> None:
    """End as soon as the service does, or the nursery; be none of their group."""
    os.setpgid(0, 0)  # Ctrl-C is for the service alone
    threading.Thread(target=_end_with_service, name="parent", daemon=True).start()
    if sys.platform == "linux":
        # prctl(2) means the thread that forked this process, which is the nursery's only one.
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        with suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text(SOONER, "ascii")


def _end_with_service() -> None:
    """The nursery takes its time to notice that the service is gone, and jobs would go on as long."""
    service = parent_process()
    if service is not None:
        service.join()
        os._exit(ORPHANED)
