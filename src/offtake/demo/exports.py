"""The finished export that Exelensia's page shows, made as a client would have made it."""

from dataclasses import replace

from offtake.appdb.jobs import find_job, insert_job
from offtake.dialect.exelensia.bodies import NewExport
from offtake.model.access import Principal
from offtake.model.ports import Stop
from offtake.service.exports import prepare_export
from offtake.service.runs import claim_run, run_attempt
from offtake.service.runtime import Runtime
from offtake.service.schemas import find_schema

ID = "019760a0-0050-7000-8000-000000000050"
WISH = NewExport(
    schema_id="019760a0-0001-7000-8000-000000000001",
    start_date="2024-01-01T00:00:00.000Z",
    end_date="2024-01-31T23:59:59.999Z",
)


def finish_export(runtime: Runtime, owner: Principal) -> None:
    """Make it, unless it is there, and run it here and now: it is small, and no queue need know of it."""
    if find_job(runtime.appdb, ID) is not None:
        return
    schema = find_schema(runtime, owner, WISH.schema_id)
    prepared = prepare_export(runtime, owner, WISH.to_request(schema), WISH.to_submission(schema))
    insert_job(runtime.appdb, replace(prepared.job, id=ID), lambda _: None, None)
    job = claim_run(runtime, ID, 0)
    assert job is not None
    run_attempt(runtime, job, Stop())
