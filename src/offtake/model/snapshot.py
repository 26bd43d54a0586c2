"""A result that was read once and is handed out in pages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

_NONE: Mapping[str, Sequence[str]] = MappingProxyType({})


@dataclass(frozen=True)
class Spool:
    """An Arrow file in the store. `marks` are some of its batches, each by its first row and its first byte.

    Its schema ends where the first batch begins, its batches end at byte `end`; `bytes` is the size of the whole file.
    `names` are those that occur in the objects of json columns, for columns of which somebody wanted to know.
    """

    name: str
    marks: tuple[tuple[int, int], ...]
    end: int
    rows: int
    bytes: int
    snapshot_at: datetime
    names: Mapping[str, Sequence[str]] = field(default_factory=lambda: _NONE)


@dataclass(frozen=True)
class Snapshot:
    """One principal's view of a definition's result, kept until `expires_at`; each request for a page moves that.

    `needs` are the scopes whose holder may see what is in it. `spool` is None until all of it is in the store.
    """

    id: str
    tenant: str
    principal_id: str
    definition_id: str
    page_size: int
    keep_alive_s: int
    needs: frozenset[str]
    created_at: datetime
    expires_at: datetime
    spool: Spool | None = None
