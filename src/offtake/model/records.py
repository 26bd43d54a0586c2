"""Records: rows of JSON that look alike, whatever each of them happens to hold."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

_NOTHING: Mapping[str, tuple[str, str]] = MappingProxyType({})


@dataclass(frozen=True)
class RecordStyle:
    """How records differ from rows of the JSON format. Columns that a result has not are passed over.

    `objects` are json columns of flat objects: each record has every name that occurs in any, in order, and texts for
    values: `blank` where there is none, `placeholder` for what is an object itself. `running` names the columns of
    milliseconds from one instant to another: where there is no end yet, those until the rows were read.
    """

    objects: tuple[str, ...] = ()
    running: Mapping[str, tuple[str, str]] = field(default_factory=lambda: _NOTHING)
    blank: str = ""
    placeholder: str = ""
