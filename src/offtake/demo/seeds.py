"""What the demo's app database holds before anybody uses it: things that the pages of foreign APIs show."""

from collections.abc import Mapping

from offtake.appdb import definitions
from offtake.demo import configs, reports
from offtake.demo.exports import finish_exports
from offtake.model.saved import Definition, Draft
from offtake.service.access import local_principal
from offtake.service.runtime import Runtime

TENANT = "acme"


def seed(runtime: Runtime) -> None:
    """Put everything there that is not there yet."""
    _seed_definitions(runtime, reports.REPORTS | configs.CONFIGS)
    finish_exports(runtime, local_principal(runtime, TENANT))


def _seed_definitions(runtime: Runtime, drafts: Mapping[str, Draft]) -> None:
    owner, now = local_principal(runtime, TENANT), runtime.now()
    for id_, draft in drafts.items():
        if definitions.find_definition(runtime.appdb, id_) is None:
            definitions.insert_definition(runtime.appdb, Definition(id_, TENANT, owner, draft, now, now))
