"""The audit, for whoever may read it."""

import re
from dataclasses import dataclass
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import AfterValidator, Field
from starlette.requests import Request

from offtake.api.bodies import PageQuery
from offtake.api.spec import problems
from offtake.model.audit import AuditEntry
from offtake.model.export import DateRange
from offtake.service.audit import list_audit
from offtake.service.lists import list_page
from offtake.web.auth import Caller
from offtake.web.bodies import Text
from offtake.web.site import site_of

ACTION = r"[a-z_]+\.([a-z_]+|\*)"


def _read_action(text: str) -> str:
    if not re.fullmatch(ACTION, text):
        raise ValueError("action is a thing and what was done to it, such as export.submit, or export.* for all of it")
    return text


class AuditQuery(PageQuery):
    """Which lines to list."""

    action: Annotated[Text, AfterValidator(_read_action)] | None = Field(
        None,
        description="Such as `export.submit`; `export.*` is all that was done to exports.",
        json_schema_extra={"pattern": f"^{ACTION}$"},
    )
    principal: Text | None = Field(None, description="Who did it: a key's id, `share:ID` or `local`.")
    dataset: Text | None = None
    from_: Text | None = Field(
        None, alias="from", description="First instant or day, such as `2026-05-01` or `-7 days`."
    )
    to: Text | None = Field(None, description="End: before this instant, or up to this day.")


@dataclass(frozen=True)
class AuditList:
    """Lines of the tenant's audit, the newest first. `next_cursor` asks for those after them; null on the last."""

    data: tuple[AuditEntry, ...]
    next_cursor: str | None


ROUTES = APIRouter(prefix="/api/v1/audit", tags=["audit"])


@ROUTES.get("", responses=problems(503))
def get_audit(request: Request, caller: Caller, query: Annotated[AuditQuery, Query()]) -> AuditList:
    """Who ran, read, shared, downloaded or was refused what. Needs `audit:read`."""
    runtime = site_of(request).runtime
    question = ("audit", caller.tenant, query.action, query.principal, query.dataset, query.from_, query.to)
    find = partial(
        list_audit,
        runtime,
        caller,
        action=query.action,
        key=query.principal,
        dataset=query.dataset,
        dates=DateRange(query.from_, query.to),
    )
    page = list_page(runtime, question, query.cursor, query.limit, find)
    return AuditList(page.things, page.next_cursor)
