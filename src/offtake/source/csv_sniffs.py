"""What DuckDB guesses about CSV files, kept until they change: without this every query would guess anew."""

import os
import re
from dataclasses import dataclass
from itertools import groupby

import duckdb

_EMPTY = "(empty)"  # how sniff_csv writes a character that the file does not use
_LINE_ENDS = ("\\n", "\\r", "\\r\\n")
_SNIFF = """
SELECT Delimiter, Quote, Escape, NewLineDelimiter, Comment, SkipRows, HasHeader, DateFormat, TimestampFormat,
    list_transform(Columns, lambda c: [c.name, c.type]) FROM sniff_csv({path}, {options})
"""


@dataclass(frozen=True)
class Version:
    """A file as it is now; another version may have another shape."""

    path: str
    modified_ns: int
    changed_ns: int  # moves even where a copy keeps the modification time
    size: int


@dataclass(frozen=True)
class Shape:
    """How one file is written (arguments of read_csv), and its columns: name and type."""

    dialect: str
    columns: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Sniffed:
    """What was guessed about a set of files, and the relation that reads them without another guess."""

    shapes: dict[Version, Shape]
    relation: str


class CsvFiles:
    """The CSV files of one path or glob. It remembers one set of versions: the last one asked for."""

    def __init__(self, path: str, options: str) -> None:
        self.path = path
        self._options = options
        self._last: Sniffed | None = None

    def sniffed(self, connection: duckdb.DuckDBPyConnection) -> Sniffed:
        """The same object while no file changes; only new versions are read. duckdb.Error for files it cannot read."""
        versions = _versions(connection, self.path)
        last = self._last
        if last is not None and tuple(last.shapes) == versions:
            return last
        known = last.shapes if last is not None else {}
        plain = _plain(self.path, self._options)
        if not versions:
            return Sniffed({}, plain)
        shapes = {v: known.get(v) or _sniff(connection, v.path, self._options) for v in versions}
        self._last = Sniffed(shapes, _relation(connection, shapes, plain, self._options))
        return self._last


def _versions(connection: duckdb.DuckDBPyConnection, path: str) -> tuple[Version, ...]:
    """The files in the order they are read; none if DuckDB has to be given the path as it stands.

    Folders such as `year=2024` are columns to it, and a file name with a wildcard in it would match others.
    """
    found = [str(file) for (file,) in connection.execute("SELECT file FROM glob(?)", [path]).fetchall()]
    if any(re.search(r"=.*/|[*?\[{]", file) for file in found):
        return ()
    stats = ((file, os.stat(file)) for file in found)
    return tuple(Version(file, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_size) for file, stat in stats)


def _sniff(connection: duckdb.DuckDBPyConnection, path: str, options: str) -> Shape:
    (row,) = connection.execute(_SNIFF.format(path=literal(path), options=options)).fetchall()
    delimiter, quote, escape, line_end, comment, skip, header, dates, timestamps, columns = row
    characters = {"delim": delimiter, "quote": quote, "escape": escape, "comment": comment}
    arguments = {name: literal("" if text == _EMPTY else text) for name, text in characters.items()}
    arguments |= {"skip": str(skip), "header": str(header).lower()}
    texts = {"new_line": line_end if line_end in _LINE_ENDS else None, "dateformat": dates}
    texts["timestampformat"] = timestamps
    arguments |= {name: literal(text) for name, text in texts.items() if text}
    dialect = ", ".join(f"{name} = {value}" for name, value in arguments.items())
    return Shape(dialect, tuple((name, type_) for name, type_ in columns))


def _relation(connection: duckdb.DuckDBPyConnection, shapes: dict[Version, Shape], plain: str, options: str) -> str:
    """The files that are written alike as one read each, in their order; `plain` where our reading could differ."""
    first = next(iter(shapes.values())).columns
    types = dict(first)
    if any(shape.columns != first for shape in shapes.values()):
        # DuckDB alone knows which type two types make.
        described = connection.sql(f"SELECT * FROM {plain} LIMIT 0")  # noqa: S608  (quoted)
        types = {name: str(type_) for name, type_ in zip(described.columns, described.types, strict=True)}
        if types.keys() != {name for shape in shapes.values() for name, _ in shape.columns}:
            return plain
    reads = []
    for (dialect, names), files in groupby(shapes.items(), lambda item: _written(item[1])):
        paths = ", ".join(literal(version.path) for version, _ in files)
        columns = ", ".join(f"{literal(name)}: {literal(types[name])}" for name in names)
        reads.append(
            f"SELECT * FROM read_csv([{paths}], auto_detect = false, {dialect}, columns = {{{columns}}}, {options})"  # noqa: S608
        )
    shown = ", ".join(quoted(name) for name in types)
    return f"(SELECT {shown} FROM ({' UNION ALL BY NAME '.join(reads)}))"  # noqa: S608  (quoted)


def _written(shape: Shape) -> tuple[str, tuple[str, ...]]:
    return shape.dialect, tuple(name for name, _ in shape.columns)


def _plain(path: str, options: str) -> str:
    return f"read_csv({literal(path)}, {options}, union_by_name = true)"


def literal(text: str) -> str:
    """The text between SQL's quotes."""
    return "'" + text.replace("'", "''") + "'"


def quoted(name: str) -> str:
    """The name between SQL's quotes."""
    return '"' + name.replace('"', '""') + '"'
