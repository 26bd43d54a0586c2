"""Run by test_kernel in a process of its own: drawn rows through a kernel that was built with the sanitizers.

Buffers begin so small that each one allocated is exactly as large as the kernel says its next row needs.
"""

import sys
from pathlib import Path

from drawn_rows import Drawn, drawn_rows, kernel_bytes, oracle_bytes, worst_rows
from hypothesis import HealthCheck, given, settings

from offtake.encode import kernel

LIBRARY = kernel.load(Path(sys.argv[1]))


@settings(max_examples=100, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(drawn_rows())
def rows_are_rendered(drawn: Drawn) -> None:
    """The sanitizers end the process at the first wrong byte; what is written is compared besides."""
    assert kernel_bytes(drawn, LIBRARY, chunk_bytes=1) == oracle_bytes(drawn)


assert LIBRARY is not None
for worst in worst_rows():
    assert kernel_bytes(worst, LIBRARY, chunk_bytes=1) == oracle_bytes(worst)
rows_are_rendered()
print("clean")
