"""The audit: lines written when a request has ended, read again, pruned, exported.

The ends of jobs are written in the transactions that end them: `appdb.audit.write_job_end`.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from offtake.appdb import audit as table
from offtake.model.access import Principal, Scope, require
from offtake.model.audit import AuditEntry, Outcome
from offtake.model.dataset import Dataset, Field, FieldType, Sort
from offtake.model.export import DateRange
from offtake.model.ids import is_id, new_id
from offtake.query.dates import resolve_range
from offtake.service.runtime import Runtime
from offtake.service.trail import Trail

SOURCE, DATASET = "offtake", "audit"
BATCH = 500


def record(runtime: Runtime, trail: Trail, outcome: Outcome, **seen: str | int | None) -> AuditEntry:
    """Write the trail down, with what only the entrypoint has `seen`: bytes, address, request_id.

    Raises Unavailable.
    """
    about: dict[str, Any] = {**vars(trail), **seen}
    entry = AuditEntry(id=new_id(), at=runtime.now(), outcome=outcome, **about)
    table.insert_entry(runtime.appdb, entry)
    return entry


def list_audit(
    runtime: Runtime,
    principal: Principal,
    *,
    action: str | None = None,
    key: str | None = None,
    dataset: str | None = None,
    dates: DateRange | None = None,
    before: str | None = None,
    limit: int = 50,
) -> tuple[AuditEntry, ...]:
    """The tenant's lines, the newest first, from the one after `before` on; `key` is the principal that they name.

    Raises InsufficientScope, and InvalidRange for what is no date, or no range.
    """
    require(principal, Scope.AUDIT_READ)
    dates = dates or DateRange()
    since, until = resolve_range(dates.start, dates.end, runtime.now(), "UTC")
    if "\0" in f"{action}{key}{dataset}" or (before is not None and not is_id(before)):
        return ()
    return table.list_entries(
        runtime.appdb,
        tenant=principal.tenant,
        action=action,
        principal=key,
        dataset=dataset,
        since=since,
        until=until,
        before=before,
        limit=limit,
    )


def prune_audit(runtime: Runtime) -> int:
    """Forget what is older than `retention.audit_days`; 0 keeps everything. Raises Unavailable."""
    days, pruned = runtime.retention.audit_days, 0
    while days and (some := table.prune_entries(runtime.appdb, runtime.now() - timedelta(days=days), BATCH)):
        pruned += some
    return pruned


def audit_dataset() -> Dataset:
    """The audit as something to export, for `audit:read`: from the source `offtake`, which is the app database."""
    texts = ("tenant", "principal", "action", "outcome", "dataset", "thing", "filter", "detail")
    types: Mapping[str, FieldType] = {
        "id": FieldType.STRING,
        "at": FieldType.DATETIME,
        **dict.fromkeys(texts, FieldType.STRING),
        "rows": FieldType.INTEGER,
        "bytes": FieldType.INTEGER,
        "address": FieldType.STRING,
        "request_id": FieldType.STRING,
    }
    return Dataset(
        DATASET,
        SOURCE,
        label="Audit",
        description="Who ran, read, shared, downloaded or was refused what.",
        table="audit",
        fields=tuple(
            Field(name, type_, name, name.replace("_", " ").capitalize(), values=_values(name), nullable=name != "id")
            for name, type_ in types.items()
        ),
        tenant_column="tenant",
        scopes=frozenset({Scope.AUDIT_READ}),
        key=("id",),
        date_field="at",
        default_sort=(Sort("id"),),
    )


def _values(name: str) -> tuple[str, ...]:
    return tuple(Outcome) if name == "outcome" else ()
