"""What people save: a choice of dataset, fields, filters, order and format under a name."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any

from offtake.model.access import Principal
from offtake.model.export import ExportRequest

_NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Draft:
    """What its maker says about a definition. `members` are the ids that a combined one lists instead of a request.

    A definition made through a foreign API (`dialect`) may have an id of the client's own and things to echo (`extra`).
    """

    name: str
    request: ExportRequest
    description: str = ""
    members: tuple[str, ...] = ()
    dialect: str | None = None
    external_id: str | None = None
    extra: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)


@dataclass(frozen=True)
class Definition:
    """A saved draft. `version` grows with every change, so that two editors do not overwrite each other."""

    id: str
    tenant: str
    owner: Principal
    draft: Draft
    created_at: datetime
    updated_at: datetime
    version: int = 1
    last_executed_at: datetime | None = None

    @property
    def request(self) -> ExportRequest:
        """What it asks for."""
        return self.draft.request

    @property
    def is_combined(self) -> bool:
        """Whether it only lists others."""
        return bool(self.draft.members)
