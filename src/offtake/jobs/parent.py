"""What a child process does first, while it has imported nothing yet: tie its life to its parent's."""

import ctypes
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
SOONER = "500"  # of 1000, in oom_score_adj: when memory runs out, a job goes before the service


def die_with(parent: int) -> None:
    """Be killed when the thread that started this process ends (Linux); exits at once if that was before."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        with suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text(SOONER, "ascii")
    if os.getppid() != parent:
        os._exit(1)
