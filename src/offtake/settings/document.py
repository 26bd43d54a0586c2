"""offtake.yaml as plain data that remembers its lines, with `${ENV}` filled in.

Plain scalars follow YAML 1.2: only `true` and `false` are booleans, so a country `NO` stays text.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from offtake.errors import InvalidConfig

Location = tuple[str | int, ...]

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(0|[1-9][0-9]*)?(\.[0-9]+|(?=[eE]))([eE][-+]?[0-9]+)?")
_VARIABLE = re.compile(r"\$\$\{|\$\{([^}]*)(\}?)")
_VARIABLE_BODY = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?", re.DOTALL)


class Nothing:
    """A key without a value. Not None, which optional keys would take for "not there": `mask:` must not unmask."""


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Only composes nodes; what a scalar means is decided here, not by YAML 1.1."""

    yaml_implicit_resolvers: Mapping[str, Any] = {}


class Document:
    """The file's data, the line of every part of it, and what was found wrong with it so far."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.data: Any = {}
        self._lines: dict[Location, int] = {}
        self._problems: list[tuple[int, Location, str]] = []

    def note_line(self, location: Location, line: int) -> None:
        """Remember where a part stands."""
        self._lines[location] = line

    def line(self, location: Location) -> int:
        """Where the part at `location` stands, or the nearest part above it that the file has."""
        return next((self._lines[location[:n]] for n in range(len(location), -1, -1) if location[:n] in self._lines), 1)

    def complain(self, location: Location, text: str, line: int | None = None) -> None:
        """Note a problem with the part at `location`."""
        self._problems.append((line or self.line(location), location, text))

    def names(self, *location: str | int) -> tuple[str, ...]:
        """The keys of the mapping at `location`, as written; none if there is no mapping."""
        part = self.data
        for step in location:
            known = range(len(part)) if isinstance(part, list) else part if isinstance(part, dict) else ()
            part = part[step] if step in known else None
        return tuple(part) if isinstance(part, dict) else ()

    def refuse(self) -> None:
        """Raise InvalidConfig with every problem noted, in the order of the file; nothing if there is none."""
        if not self._problems:
            return
        ordered = sorted(self._problems, key=lambda problem: problem[0])
        problems = [(_pointer(location), f"{self.name}:{line}: {text}") for line, location, text in ordered]
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise InvalidConfig(problems[0][1] + more, hint="docs/configuration.md lists every key.", problems=problems)


def read_document(path: Path, environ: Mapping[str, str]) -> Document:
    """The file as data. Raises InvalidConfig if it cannot be read or is not YAML."""
    document = Document(str(path))
    node = _compose(path)
    if node is not None:
        document.data = _Conversion(document, environ).value(node, ())
    return document


def _compose(path: Path) -> yaml.Node | None:
    """The node tree of the file; None if it is empty."""
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError as error:
        raise InvalidConfig(
            f"There is no {path}.", hint="Write one with `offtake init DATABASE_URL`, or name it with --config."
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidConfig(f"{path} cannot be read.", hint="It must be a readable file in UTF-8.") from error
    try:
        return yaml.compose(text, Loader=_Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        reason = getattr(error, "problem", None) or "it holds a character that YAML does not allow"
        raise InvalidConfig(
            f"{path}:{line}: this is not YAML: {reason}.", hint="Look at the line above it too."
        ) from error


class _Conversion:
    """Nodes to data, noting lines and problems in the document on the way."""

    def __init__(self, document: Document, environ: Mapping[str, str]) -> None:
        self._document = document
        self._environ = environ
        self._open: list[yaml.Node] = []

    def value(self, node: yaml.Node, location: Location) -> Any:
        """The data of one node and of everything below it."""
        if not location or isinstance(location[-1], int):  # a mapping's entry stands where its key stands
            self._document.note_line(location, int(node.start_mark.line) + 1)
        if node in self._open:
            self._document.complain(location, "this alias contains itself")
            return {}
        if not node.tag.startswith("tag:yaml.org,2002:"):
            self._document.complain(location, f"the tag {node.tag} means nothing here")
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, location)
        self._open.append(node)
        try:
            return self._collection(node, location)
        finally:
            self._open.pop()

    def _collection(self, node: yaml.Node, location: Location) -> dict[str, Any] | list[Any]:
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, location)
        return [self.value(item, (*location, n)) for n, item in enumerate(node.value)]

    def _mapping(self, node: yaml.MappingNode, location: Location) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            key = str(key_node.value) if isinstance(key_node, yaml.ScalarNode) else "?"
            if key in data:
                first = self._document.line((*location, key))
                self._document.complain((*location, key), f"{key!r} stands here twice, first in line {first}", line)
                continue
            self._document.note_line((*location, key), line)
            data[key] = self.value(value_node, (*location, key))
        return data

    def _scalar(self, node: yaml.ScalarNode, location: Location) -> Any:
        written = str(node.value)
        text = _VARIABLE.sub(lambda found: self._variable(found, location), written)
        plain = not node.style and node.tag.endswith(":str")
        if not plain or (text == "" and written != ""):
            return text
        return _plain(text)

    def _variable(self, found: re.Match[str], location: Location) -> str:
        if found[0] == "$${":
            return "${"
        body = _VARIABLE_BODY.fullmatch(found[1])
        if body is None or not found[2]:
            self._document.complain(location, "write variables as ${NAME} or ${NAME:-default}, and $${ for a plain ${")
            return "?"
        name, default = body[1], body[2]
        value = self._environ.get(name)
        if default is not None:
            return value or str(default)
        if value is None:
            self._document.complain(location, f"the environment variable {name} is not set")
            return "?"
        return value


def _plain(text: str) -> str | int | float | bool | Nothing:
    """What an unquoted scalar means (YAML 1.2.2 §10.3.2, without hexadecimal and octal)."""
    if text in _NULLS:
        return Nothing()
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text


def _pointer(location: Location) -> str:
    """RFC 6901."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in location)
