"""The native API as one entrypoint."""

import re

from fastapi import Depends

from offtake.api import (
    audit,
    datasets,
    definitions,
    exports,
    health,
    keys,
    pages,
    schedules,
    shares,
    webhooks,
)
from offtake.api.queries import check_once
from offtake.api.spec import PROBLEM
from offtake.service.shares import MARK
from offtake.web.entrypoint import Entrypoint
from offtake.web.problems import MEDIA_TYPE, render_problem

NATIVE = Entrypoint(
    name="native",
    title="offtake",
    description="Data export: from your databases to files people can trust.",
    routers=(
        datasets.ROUTES,
        exports.ROUTES,
        definitions.ROUTES,
        pages.ROUTES,
        schedules.ROUTES,
        shares.ROUTES,
        webhooks.ROUTES,
        keys.ROUTES,
        audit.ROUTES,
        health.ROUTES,
    ),
    claims=re.compile(""),
    render=render_problem,
    error_schema=PROBLEM,
    error_type=MEDIA_TYPE,
    dependencies=(Depends(check_once),),
    token_mark=MARK,
)
