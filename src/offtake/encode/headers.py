"""What stands over a column."""

from collections.abc import Iterable
from typing import Literal

from offtake.model.export import Column

Header = Literal["auto", "label", "name", "none"]


def header_of(column: Column, header: Header) -> str:
    """auto: the label the request gave, else the field's name · label: the request's or else the field's · name."""
    if header == "name":
        return column.name
    if header == "label":
        return column.label or column.field.label or column.name
    return column.label or column.name


def unique_names(names: Iterable[str], taken: Iterable[str] = ()) -> list[str]:
    """The names in order; a name that is taken already, or came before, gets the first free `_2`, `_3` … behind."""
    used, unique = set(taken), []
    for name in names:
        free, number = name, 1
        while free in used:
            number += 1
            free = f"{name}_{number}"
        used.add(free)
        unique.append(free)
    return unique
