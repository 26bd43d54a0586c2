"""Whole processes, measured from outside: wall seconds, peak memory, and the ratio of two on the same rows."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

# The kernel counts a parent's memory to its child's peak (shared until exec): so a small process starts the child.
LAUNCHER = """
import os, subprocess, sys, time
begin = time.perf_counter()
process = subprocess.Popen(sys.argv[2:])
_, status, usage = os.wait4(process.pid, 0)
seconds = time.perf_counter() - begin
os.write(int(sys.argv[1]), f"{os.waitstatus_to_exitcode(status)} {seconds} {usage.ru_maxrss}".encode())
"""


@dataclass(frozen=True)
class Run:
    """One finished process: wall time and the peak resident memory of it alone."""

    seconds: float
    peak_mb: float


@dataclass(frozen=True)
class Ratio:
    """Ours against theirs; `goal` is what the ratio must stay under (time) or reach (speed), "" if none was set."""

    name: str
    ours_s: float
    theirs_s: float
    ratio: float
    goal: str
    ours_mb: float
    theirs_mb: float


def run(command: list[str], output: Path | None = None) -> Run:
    """Run the command to its end with its output in a file; RuntimeError unless it succeeds."""
    with (output or Path(os.devnull)).open("wb") as sink, tempfile.TemporaryFile() as report:
        launcher = [sys.executable, "-S", "-E", "-c", LAUNCHER, str(report.fileno()), *command]
        subprocess.run(launcher, stdout=sink, pass_fds=[report.fileno()], check=True)
        report.seek(0)
        code, seconds, peak_kb = report.read().split()
    if int(code):
        raise RuntimeError(f"{command[0]} exited {int(code)}: {' '.join(command)[:300]}")
    return Run(float(seconds), int(peak_kb) / 1024)


def compare(name: str, ours: list[str], theirs: list[str], *, goal: str = "", rounds: int = 3, output: Path) -> Ratio:
    """Both commands in turn, A B A B …, after one warm-up each; medians, and the median of the paired ratios."""
    run(ours, output)
    run(theirs, output)
    pairs = [(run(ours, output), run(theirs, output)) for _ in range(rounds)]
    ratio = Ratio(
        name,
        statistics.median(a.seconds for a, _ in pairs),
        statistics.median(b.seconds for _, b in pairs),
        statistics.median(a.seconds / b.seconds for a, b in pairs),
        goal,
        max(a.peak_mb for a, _ in pairs),
        max(b.peak_mb for _, b in pairs),
    )
    show(ratio)
    return ratio


def show(ratio: Ratio) -> None:
    """One line a comparison, at once, so that a long run can be watched."""
    goal = f"  goal {ratio.goal}" if ratio.goal else ""
    print(
        f"{ratio.name:<54} {ratio.ours_s:7.2f} s {ratio.theirs_s:7.2f} s   x{ratio.ratio:5.2f}{goal:<14}"
        f"   {ratio.ours_mb:5.0f} MB {ratio.theirs_mb:5.0f} MB",
        flush=True,
    )


def save(ratios: list[Ratio], notes: dict[str, object], path: Path) -> None:
    """Keep the run as JSON beside earlier ones."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"notes": notes, "ratios": [asdict(r) for r in ratios]}, indent=2) + "\n")


def python(*arguments: str) -> list[str]:
    """A command that runs a module of this environment."""
    return [sys.executable, *arguments]
