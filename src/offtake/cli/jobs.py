"""`offtake jobs`: what is in the queue, at work and over, of all tenants."""

from datetime import datetime
from pathlib import Path

from offtake.app import build_runtime, close_runtime
from offtake.cli.failure import tell, wrong_usage
from offtake.cli.listing import print_table
from offtake.model.job import ExportJob, JobState
from offtake.query.nearest import did_you_mean
from offtake.service.access import local_principal
from offtake.service.exports import list_exports
from offtake.service.stuck import list_stuck
from offtake.settings import load_settings

MOST = 100
HEADS = ("ID", "TENANT", "DATASET", "STATE", "AGE", "ROWS", "ATTEMPTS", "LAST ERROR")


def show_jobs(config: Path, *, stuck: bool, state: str | None) -> None:
    """Print the newest jobs, or the oldest of those that are stuck."""
    wanted = None if state is None else _read_state(state)
    if stuck and wanted:
        wrong_usage("--stuck and --state do not go together.", "The states of stuck jobs are queued and running.")
    runtime = build_runtime(load_settings(config))
    try:
        principal, now = local_principal(runtime, None), runtime.now()
        if stuck:
            jobs = list_stuck(runtime, principal, MOST + 1)
        else:
            jobs = list_exports(runtime, principal, state=wanted, limit=MOST + 1)
    finally:
        close_runtime(runtime)
    print_table(HEADS, [_row(job, now) for job in jobs[:MOST]])
    if len(jobs) > MOST:
        tell(f"these are the {'oldest' if stuck else 'newest'} {MOST}; there are more")


def _read_state(text: str) -> JobState:
    if text not in list(JobState):
        wrong_usage(f"There is no state {text!r}.", did_you_mean(text, JobState, "States"))
    return JobState(text)


def _row(job: ExportJob, now: datetime) -> tuple[str, ...]:
    error = "" if job.error is None else f"{job.error.code}: {job.error.detail}"
    age = _written((now - job.created_at).total_seconds())
    dataset = job.request.dataset
    return (job.id, job.tenant, dataset, job.state_at(now), age, str(job.rows), str(job.attempt), error)


def _written(seconds: float) -> str:
    """The two largest units of a duration: 3d 4h, 5m 20s."""
    left = max(0, int(seconds))
    parts: list[str] = []
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count or parts or unit == "s":
            parts.append(f"{count}{unit}")
    return " ".join(parts[:2])
