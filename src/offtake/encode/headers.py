"""What stands over a column."""

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
