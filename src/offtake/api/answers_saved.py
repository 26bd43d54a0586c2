"""What answers about definitions hold."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import BaseModel, TypeAdapter

from offtake.api.bodies import ExportBody
from offtake.api.bodies_saved import DefinitionBody
from offtake.model.saved import Definition
from offtake.service.definitions import DefinitionPage
from offtake.service.wishes import write_wish

ACTIONS = ("run", "preview", "download", "pages")
# Definitions are answered as this writes them, not as a model would: what was saved once is shown whatever it is like.
_JSON = TypeAdapter(dict[str, Any])


class ProblemAnswer(BaseModel):
    """What keeps a definition from being run: where in it, and why."""

    pointer: str
    detail: str


class DefinitionAnswer(DefinitionBody):
    """A definition: its body, with every default filled in, and what became of it.

    `version` grows with every change. `problems` say what no longer fits its dataset; null in lists, where nobody
    looks, and while the database does not answer. `links` holds `self`, and unless it is a
    combined one `run`, `preview`, `download` and `pages`; and `result` if it is a report.
    """

    id: str
    owner: str
    version: int
    created_at: datetime
    updated_at: datetime
    last_executed_at: datetime | None
    problems: list[ProblemAnswer] | None
    links: dict[str, str]


@dataclass(frozen=True)
class ResultAnswer:
    """What a report says.

    Without groups, `data` is its number, or the list of them if there are several measures. With one grouping it is a
    list of `{key, value, label}`, whose values are as above; with more, each value is such a list again.
    """

    data: Any


class DefinitionList(BaseModel):
    """Definitions of the caller's tenant, and how many match in all. `next_cursor` is null on the last page."""

    data: list[DefinitionAnswer]
    total: int
    next_cursor: str | None


def definition_json(
    definition: Definition, problems: tuple[tuple[str, str], ...] | None, address: Callable[[str], str]
) -> dict[str, Any]:
    """The definition as it is shown; `address` makes a path of ours absolute."""
    own = address(f"/api/v1/definitions/{definition.id}")
    has_result = definition.request.group_by or definition.request.measures
    actions = () if definition.is_combined else (*ACTIONS, "result") if has_result else ACTIONS
    found = None if problems is None else [{"pointer": pointer, "detail": detail} for pointer, detail in problems]
    written: dict[str, Any] = _JSON.dump_python(
        {
            "id": definition.id,
            **body_json(definition),
            "owner": definition.owner.id,
            "version": definition.version,
            "created_at": definition.created_at,
            "updated_at": definition.updated_at,
            "last_executed_at": definition.last_executed_at,
            "problems": found,
            "links": {"self": own, **{name: f"{own}/{name}" for name in actions}},
        },
        mode="json",
    )
    return written


def body_json(definition: Definition) -> dict[str, Any]:
    """The body that would make the same definition, with every default filled in."""
    asked = write_wish(definition.request) | {"dataset": definition.request.dataset or None}
    fields = {field.alias or name: field for name, field in ExportBody.model_fields.items()}
    draft = definition.draft
    return {
        "name": draft.name,
        "description": draft.description,
        "members": list(draft.members),
        **{name: asked.get(name, field.get_default(call_default_factory=True)) for name, field in fields.items()},
    }


def list_json(page: DefinitionPage, address: Callable[[str], str]) -> dict[str, Any]:
    """A page of the list as it is shown."""
    data = [definition_json(definition, None, address) for definition in page.definitions]
    return {"data": data, "total": page.total, "next_cursor": page.next_cursor}
