"""How long artifacts are kept."""

from datetime import datetime, timedelta

from offtake.model.job import ExportJob
from offtake.service.runtime import Runtime


def expires_at(runtime: Runtime, job: ExportJob, finished_at: datetime) -> datetime | None:
    """When the job's artifact has had its time; None = never (0 days)."""
    kept = runtime.retention
    days = kept.datasets.get(job.request.dataset, kept.tenants.get(job.tenant, kept.days))
    return finished_at + timedelta(days=days) if days else None
