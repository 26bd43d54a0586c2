"""The finished exports that the pages of foreign APIs show, made as their clients would have made them."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from offtake.appdb.jobs import find_job, insert_job
from offtake.dialect.exelensia.bodies import NewExport
from offtake.dialect.rebilly.bodies import DataExportBody
from offtake.model.access import Principal
from offtake.model.ports import Stop
from offtake.service.exports import Prepared, prepare_export
from offtake.service.runs import claim_run, run_attempt
from offtake.service.runtime import Runtime
from offtake.service.schemas import find_schema

READ = NewExport(
    schema_id="019760a0-0001-7000-8000-000000000001",
    start_date="2024-01-01T00:00:00.000Z",
    end_date="2024-01-31T23:59:59.999Z",
)
PAID = DataExportBody.model_validate(
    {
        "name": "Transactions of January",
        "resource": "transactions",
        "format": "csv",
        "arguments": {"filter": "status:completed", "sort": "-processedTime"},
        "fields": ["id", "customerId", "amount", "currency", "status", "processedTime"],
        "dateRange": {"start": "2026-01-01", "end": "2026-01-31", "field": "processedTime"},
    }
)
PAID_ID = "foobar-001"


def finish_exports(runtime: Runtime, owner: Principal) -> None:
    """Make those that are not there, and run them here and now: they are small, and no queue need know of them."""
    for id_, prepare in _EXPORTS.items():
        if find_job(runtime.appdb, id_) is None:
            insert_job(runtime.appdb, replace(prepare(runtime, owner).job, id=id_), lambda _: None, None)
            job = claim_run(runtime, id_, 0)
            assert job is not None
            run_attempt(runtime, job, Stop())


def _read(runtime: Runtime, owner: Principal) -> Prepared:
    schema = find_schema(runtime, owner, READ.schema_id)
    return prepare_export(runtime, owner, READ.to_request(schema), READ.to_submission(schema))


def _paid(runtime: Runtime, owner: Principal) -> Prepared:
    how = PAID.to_submission(PAID_ID, runtime.now())
    return prepare_export(runtime, owner, PAID.to_request(runtime, owner), how)


_EXPORTS: Mapping[str, Callable[[Runtime, Principal], Prepared]] = {
    "019760a0-0050-7000-8000-000000000050": _read,
    "019760a0-0051-7000-8000-000000000051": _paid,
}
