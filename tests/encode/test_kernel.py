"""The compiled kernel against its oracle, and under the sanitizers."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from drawn_rows import Drawn, drawn_rows, kernel_bytes, oracle_bytes
from hypothesis import given

from examples import examples
from offtake.encode import kernel

SOURCE = Path(kernel.__file__).with_name("rows.c")
compiled = pytest.mark.skipif(not kernel.available(), reason="The kernel was not compiled: no C compiler at install.")


@compiled
@examples(200)
@given(drawn_rows())
def test_the_kernel_writes_what_the_oracle_writes(drawn: Drawn) -> None:
    assert kernel_bytes(drawn) == oracle_bytes(drawn)


@pytest.mark.slow
@compiled
@examples(5000)
@given(drawn_rows())
def test_the_kernel_writes_what_the_oracle_writes_often(drawn: Drawn) -> None:
    assert kernel_bytes(drawn) == oracle_bytes(drawn)


@compiled
@examples(100)
@given(drawn_rows())
def test_rows_that_do_not_fit_the_buffer_are_written_all_the_same(drawn: Drawn) -> None:
    assert kernel_bytes(drawn, chunk_bytes=1) == oracle_bytes(drawn)


@pytest.mark.slow
def test_no_memory_error_under_the_sanitizers(tmp_path: Path) -> None:
    compiler = shutil.which("gcc")
    if compiler is None:
        pytest.skip("gcc is needed for the sanitizers.")
    library = tmp_path / "librows.so"
    flags = ["-std=c11", "-O1", "-g", "-fPIC", "-shared", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    built = subprocess.run([compiler, *flags, "-o", library, SOURCE], capture_output=True, text=True, check=False)
    if built.returncode:
        pytest.skip(f"This gcc has no sanitizers: {built.stderr[:200]}")
    preload = [
        subprocess.run(
            [compiler, f"-print-file-name={name}"], capture_output=True, text=True, check=True
        ).stdout.strip()
        for name in ("libasan.so", "libubsan.so")
    ]
    environment = {
        **os.environ,
        "LD_PRELOAD": " ".join(preload),
        "ASAN_OPTIONS": "detect_leaks=0",
        "PYTHONMALLOC": "malloc",
        "ARROW_DEFAULT_MEMORY_POOL": "system",
    }
    script = Path(__file__).with_name("sanitized.py")
    run = subprocess.run(
        [sys.executable, script, library], env=environment, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr[-3000:]
    assert run.stdout.strip() == "clean"
