"""Memory is flat: 3 million rows need hardly more than 1 million, and a server little beyond what it needs idle."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from acceptance.processes import OFFTAKE, Served, make_home, make_many, needs_curl, needs_proc, peak_mb, serving
from servers import Postgres

FEW, MANY = 1_000_000, 3_000_000  # fewer would not even fill what may be under way
FORMATS = ("csv", "ndjson", "parquet")
PARTED = 200_000
GROWTH = 1.2  # what the peak at many rows may be, as a multiple of that at few
ABOVE_IDLE_MB = 100

pytestmark = [pytest.mark.slow, needs_proc]


@pytest.fixture(scope="module")
def home(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder whose offtake.yaml exports three million rows from PostgreSQL."""
    with postgres.database() as url:
        make_many(url, MANY)
        yield make_home(tmp_path_factory.mktemp("memory"), url, "many")


@pytest.mark.parametrize("format", FORMATS)
def test_the_command_needs_the_same_memory_for_any_number_of_rows(home: Path, format: str) -> None:
    peaks = [
        peak_mb([*OFFTAKE, "export", "many", "-o", f"many.{format}", "--limit", str(rows)], home)
        for rows in (FEW, MANY)
    ]
    assert peaks[1] <= GROWTH * peaks[0], peaks


@pytest.mark.parametrize("size", [("--part-rows", "50000"), ("--part-bytes", "5000000")])
@pytest.mark.parametrize("format", ["csv", "xlsx"])
def test_a_zip_of_parts_needs_the_same_memory_for_any_number_of_them(
    home: Path, format: str, size: tuple[str, str]
) -> None:
    peaks = [
        peak_mb([*OFFTAKE, "export", "many", "-o", "many.zip", "--format", format, *size, "--limit", str(rows)], home)
        for rows in (PARTED, 5 * PARTED)
    ]
    assert peaks[1] <= GROWTH * peaks[0], peaks


@needs_curl
@pytest.mark.parametrize("format", FORMATS)
def test_a_server_needs_the_same_memory_for_any_number_of_rows(home: Path, format: str) -> None:
    with serving(home) as served:
        idle = _peak_mb(served)
        peaks = []
        for rows in (FEW, MANY):
            _forget_peak(served)
            fetched = served.download(f"many/download?format={format}&limit={rows}", Path("/dev/null"), "--fail")
            assert (fetched.returncode, fetched.stderr) == (0, "")
            peaks.append(_peak_mb(served))
    assert peaks[1] <= GROWTH * peaks[0], (idle, peaks)
    assert peaks[1] - idle <= ABOVE_IDLE_MB, (idle, peaks)


def _peak_mb(served: Served) -> float:
    status = Path(f"/proc/{served.process.pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def _forget_peak(served: Served) -> None:
    """Let the peak begin anew at what is in memory now (proc(5), clear_refs)."""
    Path(f"/proc/{served.process.pid}/clear_refs").write_text("5")
