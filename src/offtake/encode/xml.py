"""XML 1.0: one root, in it one element a row, in that one element a column."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal
from xml.parsers import expat

from offtake.encode.compress import Deflate
from offtake.encode.headers import header_of, unique_names
from offtake.encode.locale import column_writer
from offtake.encode.rows import Cell, Escape, Fixed, Mode, RowTemplate, render_stream
from offtake.errors import InvalidFormat
from offtake.model.ports import Chunks, Format, RowStream

DECLARATION = b'<?xml version="1.0" encoding="UTF-8"?>\n'
NIL_NAMESPACE = b' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
NO_MARKUP = re.compile("[A-Za-z0-9_.\x80-\U0010ffff-]+")
NULLS: dict[str, Callable[[bytes], bytes]] = {
    "nil": lambda name: b"<" + name + b' xsi:nil="true"/>',
    "omit": lambda _name: b"",
    "empty": lambda name: b"<" + name + b"/>",
}


@dataclass(frozen=True)
class XmlOptions:
    """`root` and `row` name those elements; `header` says what the elements of the columns are named after.

    `nulls`: an empty element with `xsi:nil="true"` (XML Schema 1.0 part 1 §2.6.2), no element, or an empty one like
    empty text. Raises InvalidFormat for a name that no element can have.
    """

    root: str = "rows"
    row: str = "row"
    header: Literal["auto", "label", "name"] = "auto"
    nulls: Literal["nil", "omit", "empty"] = "nil"
    date_style: str | None = None
    deflate: Deflate = "fast"

    def __post_init__(self) -> None:
        for option, name in (("root", self.root), ("row", self.row)):
            if not is_element_name(name):
                raise InvalidFormat(
                    f"{name!r} cannot be the name of an XML element.",
                    hint=f"Letters, digits, `_`, `-` and `.`, a letter or `_` first, such as {element_name(name)}.",
                    pointer=f"/options/{option}",
                )


def encode_xml(stream: RowStream, options: XmlOptions) -> Chunks:
    """The declaration and the root with the first rows, then some MB at most at a time; each row on its own line."""
    root, row = options.root.encode(), options.row.encode()
    head = DECLARATION + b"<" + root + (NIL_NAMESPACE if options.nulls == "nil" else b"") + b">\n"
    template = RowTemplate(_cells(stream, options), Fixed(b"<" + row + b">"), Fixed(b"</" + row + b">\n"))
    return render_stream(stream, template, head, b"</" + root + b">\n")


XML = Format("xml", "application/xml", "xml", XmlOptions, encode_xml)


def element_name(text: str) -> str:
    """The text as the name of an element: its letters and digits kept, what a name cannot hold made `_`."""
    name = "".join(char if is_element_name("_" + char) else "_" for char in text)
    return name if is_element_name(name) else "_" + name


def is_element_name(text: str) -> bool:
    """Whether every parser takes the text for an element's name, without a prefix.

    XML 1.0's fifth edition widened names; expat, .NET and Xerces keep to the fourth. So we ask expat.
    """
    if not NO_MARKUP.fullmatch(text):
        return False
    parser = expat.ParserCreate()
    try:
        parser.Parse(f"<{text}/>".encode("utf-8", "replace"), True)
    except expat.ExpatError:
        return False
    return True


def _cells(stream: RowStream, options: XmlOptions) -> tuple[Cell, ...]:
    names = unique_names(element_name(header_of(column, options.header)) for column in stream.columns)
    null = NULLS[options.nulls]
    cells = []
    for index, (name, column, field) in enumerate(zip(names, stream.columns, stream.schema, strict=True)):
        writer = column_writer(column, field.type, stream.reader, date_style=options.date_style)
        tag = name.encode()
        around = Fixed(b"<" + tag + b">"), Fixed(b"</" + tag + b">")
        cells.append(Cell(index, writer, *around, Fixed(null(tag)), Escape(Mode.XML)))
    return tuple(cells)
