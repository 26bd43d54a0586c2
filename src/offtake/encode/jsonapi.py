"""JSON:API 1.1: a document of one resource object a row (https://jsonapi.org/format/1.1/)."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

import pyarrow as pa

from offtake.encode.compress import Deflate
from offtake.encode.headers import unique_names
from offtake.encode.iso import iso_writer
from offtake.encode.members import dumps, instant_text, member_cell, member_name
from offtake.encode.rows import Cell, Escape, Fixed, Mode, RowTemplate, render_stream
from offtake.errors import InvalidFormat
from offtake.model.ports import Chunks, Format, RowStream
from offtake.query.nearest import did_you_mean

# §5.8: letters, digits and all beyond ASCII; hyphen, underscore and space only between two of these.
MEMBER = re.compile("[a-zA-Z0-9\x80-\U0010ffff](?:[a-zA-Z0-9\x80-\U0010ffff _-]*[a-zA-Z0-9\x80-\U0010ffff])?")
NOT_IN_MEMBERS = re.compile("[^a-zA-Z0-9\x80-\U0010ffff _-]")
URI_REFERENCE = re.compile(r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+")  # the characters of RFC 3986 §2
FOREIGN_KEY = re.compile("(?:_id|Id)$")


@dataclass(frozen=True)
class JsonApiOptions:
    """`type` of the resources (None = the dataset's name); `id` is the column that names each.

    `id` None = the column `id`, if there is one; "" = the row's number. `relationships` gives the columns that hold the
    id of another resource, each with that resource's type. `self_link` is where the document is found.
    `formatted` writes numbers, dates and times of the attributes as text in the reader's language and zone.
    Raises InvalidFormat for a type or link that JSON:API does not allow.
    """

    type: str | None = None
    id: str | None = None
    relationships: Mapping[str, str] = field(default_factory=dict)
    self_link: str | None = None
    formatted: bool = False
    date_style: str | None = None
    deflate: Deflate = "fast"

    def __post_init__(self) -> None:
        types = {f"/options/relationships/{name}": type for name, type in self.relationships.items()}
        if self.type is not None:
            types["/options/type"] = self.type
        for pointer, type in types.items():
            if not MEMBER.fullmatch(type):
                raise InvalidFormat(
                    f"{type!r} cannot be a resource type of JSON:API.",
                    hint=f"Letters and digits; `_`, `-` and spaces between them, such as {member_text(type)!r}.",
                    pointer=pointer,
                )
        if self.self_link is not None and not URI_REFERENCE.fullmatch(self.self_link):
            raise InvalidFormat(
                f"{self.self_link!r} is no link.",
                hint="Percent-encode what a URL cannot hold, as in https://example.com/a%20b.",
                pointer="/options/self_link",
            )


def encode_jsonapi(stream: RowStream, options: JsonApiOptions) -> Chunks:
    """The document with the first resources, then some MB at most at a time; what is known last comes last."""
    template = row_template(stream, options)
    return render_stream(stream, template, b'{"jsonapi":{"version":"1.1"},"data":[', partial(_tail, stream, options))


JSONAPI = Format("jsonapi", "application/vnd.api+json", "jsonapi", JsonApiOptions, encode_jsonapi, machine=True)


def row_template(stream: RowStream, options: JsonApiOptions) -> RowTemplate:
    """One resource object a line. Raises InvalidFormat for an option that names no column."""
    id = _id_column(stream, options)
    keys = [_column(stream, name, f"/options/relationships/{name}") for name in options.relationships]
    rest = [index for index in range(len(stream.columns)) if index != id and index not in keys]
    names = _names(stream, rest, keys)
    before = b'{"type":' + dumps(options.type or member_text(stream.about.dataset or "rows")) + b',"id":"'
    after = b'","attributes":{'
    cells = (*_attributes(stream, options, rest, names), *_relationships(stream, options, keys, names[len(rest) :]))
    prefix = Fixed(before, after)
    if id is not None:
        # Every resource needs an id: a null is told apart from any other by the row's number.
        key = _text_cell(stream, id, Fixed(), Fixed(after), Fixed(b"row-", after))
        cells, prefix = (key, *cells), Fixed(before)
    return RowTemplate(cells, prefix, Fixed(b"}}"), first=b"\n", between=b",\n")


def member_text(text: str) -> str:
    """The text as a member name: what none can hold made `_`, and nothing but letters and digits at its ends."""
    return NOT_IN_MEMBERS.sub("_", text).strip("_- ") or "field"


def _attributes(stream: RowStream, options: JsonApiOptions, indexes: list[int], names: list[str]) -> Iterator[Cell]:
    reader = stream.reader if options.formatted else None
    types: list[pa.DataType] = stream.schema.types
    for number, (index, name) in enumerate(zip(indexes, names, strict=False)):
        before = (b"," if number else b"") + member_name(name)
        yield member_cell(index, before, stream.columns[index], types[index], reader, options.date_style)


def _relationships(stream: RowStream, options: JsonApiOptions, indexes: list[int], names: list[str]) -> Iterator[Cell]:
    """Resource linkage of §7.4.2.3: to one resource, or null."""
    types = options.relationships.values()
    for number, (index, name, type) in enumerate(zip(indexes, names, types, strict=True)):
        before = (b"," if number else b'},"relationships":{') + member_name(name) + b'{"data":'
        prefix = Fixed(before + b'{"type":' + dumps(type) + b',"id":"')
        yield _text_cell(stream, index, prefix, Fixed(b'"}}'), Fixed(before + b"null}"))


def _text_cell(stream: RowStream, index: int, prefix: Fixed, suffix: Fixed, null: Fixed) -> Cell:
    """An id, which is always a string and never in anybody's language."""
    writer = iso_writer(stream.schema.types[index], None, stream.columns[index].type)
    return Cell(index, writer, prefix, suffix, null, Escape(Mode.JSON))


def _names(stream: RowStream, attributes: list[int], relationships: list[int]) -> list[str]:
    """Attributes and relationships share one namespace, in which `type` and `id` are taken (§7.2.2.3)."""
    plain = [member_text(column.name) for column in stream.columns]
    bare = [FOREIGN_KEY.sub("", plain[index]) for index in relationships]
    related = [plain[index] if name in ("", *plain) else name for index, name in zip(relationships, bare, strict=True)]
    return unique_names([*(plain[index] for index in attributes), *related], taken=("type", "id"))


def _id_column(stream: RowStream, options: JsonApiOptions) -> int | None:
    if options.id is None:
        names = stream.schema.names
        return names.index("id") if "id" in names else None
    return _column(stream, options.id, "/options/id") if options.id else None


def _column(stream: RowStream, name: str, pointer: str) -> int:
    """Where that column is. Raises InvalidFormat unless it is there and holds single values."""
    names: list[str] = stream.schema.names
    if name not in names:
        raise InvalidFormat(
            f"The file has no column {name!r}.", hint=did_you_mean(name, names, "Columns"), pointer=pointer
        )
    index = names.index(name)
    if pa.types.is_nested(stream.schema.types[index]):
        raise InvalidFormat(
            f"{name} holds lists or structs, which cannot be ids.",
            hint="Name a column of texts or numbers.",
            pointer=pointer,
        )
    return index


def _tail(stream: RowStream, options: JsonApiOptions, rows: int) -> bytes:
    dataset = {"dataset": stream.about.dataset} if stream.about.dataset else {}
    meta = {"rows": rows, "snapshot_at": instant_text(stream.snapshot_at)} | dataset
    links = b',"links":' + dumps({"self": options.self_link}) if options.self_link else b""
    return b'\n],"meta":' + dumps(meta) + links + b"}\n"
