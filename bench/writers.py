"""Arrow batches to files: our encoders against the fastest writers there are, on 1,000,000 x 12 mixed cells."""

import statistics
from dataclasses import replace
from pathlib import Path

from bench import tables
from bench.measure import Ratio, Run, python, run, show

# ours, theirs, how the ratio must come out (theirs / ours), rows if not all
PAIRS = (
    ("offtake:xlsx", "xlsxturbo-1", ">= 6", 0),
    ("offtake:xlsx", "xlsxturbo", ">= 6", 0),
    ("offtake:xlsx::small", "xlsxturbo", ">= 1.3", 0),
    ("offtake:xlsx", "rustpy", ">= 6", 100_000),
    ("offtake:xlsx", "xlsxwriter", ">= 6", 100_000),
    ("offtake:csv:es-CL", "polars-csv", ">= 1", 0),
    ("offtake:csv:es-CL", "babel", "", 100_000),
    ("offtake:ndjson", "polars-ndjson", ">= 1", 0),
    ("offtake:ndjson", "duckdb-ndjson", ">= 1", 0),
    ("offtake:ndjson", "orjson", "", 100_000),
    ("offtake:parquet", "duckdb-parquet", "", 0),
    ("offtake:xml", "lxml", ">= 15", 0),
    ("offtake:csv", "offtake:csv:es-CL", "<= 1.2", 0),
    ("offtake:pdf", "longtable", ">= 15", -100_000),
    ("offtake:pdf", "fpdf2", "", -100_000),
)
PDF_COLUMNS = 8
ROUNDS, SLOW_S = 3, 40.0  # a peer that takes longer than this altogether is not run again


def compare_writers(folder: Path, quick: bool) -> list[Ratio]:
    """How many times longer the peer takes for the same rows; files and sizes stay for whoever wants to look."""
    rows = 100_000 if quick else 1_000_000
    return [_pair(folder, *pair, rows=rows) for pair in PAIRS]


def _pair(folder: Path, ours: str, theirs: str, goal: str, some: int, *, rows: int) -> Ratio:
    source = _source(folder, min(rows, abs(some)) or rows if some else rows, narrow=some < 0)
    out = {name: folder / name.replace(":", "_") for name in (ours, theirs)}
    timed: dict[str, list[Run]] = {name: [] for name in (ours, theirs)}
    while len(timed[theirs]) < ROUNDS and sum(run.seconds for run in timed[theirs]) < SLOW_S:
        for name in (ours, theirs):
            timed[name].append(_write(name, source, out[name]))
    a, b = timed[ours], timed[theirs]
    ratio = statistics.median(y.seconds / x.seconds for x, y in zip(a, b, strict=True))
    sizes = f"{out[ours].stat().st_size / 1e6:.0f}/{out[theirs].stat().st_size / 1e6:.0f} MB file"
    result = Ratio(
        f"{theirs} / {ours} ({sizes})",
        statistics.median(x.seconds for x in a),
        statistics.median(y.seconds for y in b),
        ratio,
        goal,
        max(x.peak_mb for x in a),
        max(y.peak_mb for y in b),
    )
    show(result)
    return result


def _source(folder: Path, rows: int, *, narrow: bool) -> Path:
    path = folder / f"contacts-{rows}{'-narrow' if narrow else ''}.arrow"
    if not path.exists():
        for file, count in ((path, rows), (path.with_name(path.name + ".warm"), 100)):
            tables.write_ipc("contacts", count, file, columns=PDF_COLUMNS if narrow else None)
    return path


def _write(name: str, source: Path, out: Path) -> Run:
    """The writer in a process of its own; its own seconds (imports aside), the process's memory."""
    report = out.with_name(out.name + ".seconds")
    measured = run(python("-m", "bench.write", name, str(source), str(out)), report)
    return replace(measured, seconds=float(report.read_text().split()[-1]))
