"""What people type after `offtake export`, read into the words of an ExportRequest."""

import csv
import json
from collections.abc import Iterable, Mapping
from dataclasses import replace

from offtake.errors import InvalidFormat, InvalidRequest
from offtake.model.dataset import Sort
from offtake.model.export import FieldChoice, Grouping, Measure
from offtake.model.filter import Filter
from offtake.model.ports import Format
from offtake.query.filters import parse_filter
from offtake.query.minilang import parse_minilang
from offtake.service.wishes import read_grouping, read_measure

COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}


def read_fields(text: str | None) -> tuple[FieldChoice, ...] | None:
    """`id,name=Full name` as choices; a part in double quotes may hold commas. None = every field."""
    if text is None:
        return None
    try:
        parts = next(csv.reader([text], skipinitialspace=True, strict=True), [])
    except csv.Error as error:
        raise InvalidRequest(
            "--fields has a quote that is never closed, or a line end.",
            hint="Write --fields 'id,\"total=Total, net\"'.",
        ) from error
    choices = [FieldChoice(name.strip(), label if equals else None) for name, equals, label in _split(parts)]
    if not all(choice.field for choice in choices) or not choices:
        raise InvalidRequest("--fields holds an empty name.", hint="Write --fields id,name or --fields id,name=Label.")
    return tuple(choices)


def _split(parts: Iterable[str]) -> Iterable[tuple[str, str, str]]:
    return (part.partition("=") for part in parts)


def read_sort(text: str | None) -> tuple[Sort, ...] | None:
    """`-createdAt,name` as keys of an order. None = the dataset's own."""
    if text is None:
        return None
    keys = [key.strip() for key in text.split(",")]
    if not all(key.removeprefix("-") for key in keys):
        raise InvalidRequest("--sort holds an empty name.", hint="Write --sort=-createdAt,name.")
    return tuple(Sort(key.removeprefix("-"), key.startswith("-")) for key in keys)


def read_groupings(text: str | None) -> tuple[Grouping, ...]:
    """`stage,createdAt:month=Month` as groupings."""
    return tuple(replace(read_grouping(name), label=label) for name, label in _labelled(text, "--group-by"))


def read_measures(text: str | None) -> tuple[Measure, ...]:
    """`count,sum:amount=Total` as measures."""
    return tuple(replace(read_measure(name), label=label) for name, label in _labelled(text, "--measures"))


def _labelled(text: str | None, option: str) -> Iterable[tuple[str, str | None]]:
    for name, equals, label in _split([] if text is None else text.split(",")):
        if not name.strip():
            raise InvalidRequest(f"{option} holds an empty name.", hint="Divide the names by single commas.")
        yield name.strip(), label if equals else None


def read_filter(text: str | None) -> Filter | None:
    """Conditions in JSON if it begins with `{`, else the mini-language. Raises InvalidFilter."""
    if text is None or not text.strip():
        return None
    if not text.lstrip().startswith("{"):
        return parse_minilang(text)
    try:
        return parse_filter(json.loads(text))
    except json.JSONDecodeError as error:
        raise InvalidRequest(
            f"--filter is not JSON: {error.msg} at character {error.pos + 1}.",
            hint="""Write it as '{"field": "status", "op": "eq", "value": "paid"}' or as status:paid.""",
        ) from error


def read_options(texts: Iterable[str]) -> Mapping[str, str]:
    """`--option delimiter=;` as a mapping; the format reads the texts."""
    options = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise InvalidRequest(f"--option {text!r} has no value.", hint="Write --option name=value.")
        options[name] = value
    return options


def read_ending(name: str, formats: Mapping[str, Format]) -> tuple[str | None, str]:
    """The format and the compression that a file's ending names; no format if it names none we know.

    `-` is stdout, which has no ending: CSV, as it is.
    """
    if name == "-":
        return "csv", "none"
    stem, compression = name.lower(), "none"
    for ending, kind in COMPRESSIONS.items():
        if stem.endswith(ending):
            stem, compression = stem.removesuffix(ending), kind
    found = (format.name for format in formats.values() if stem.endswith("." + format.extension.lstrip(".")))
    return next(found, None), compression


def choose_format(given: str | None, name: str, formats: Mapping[str, Format]) -> tuple[str, str]:
    """The format asked for, or else the one the file's ending names; and the compression. Raises InvalidFormat."""
    by_ending, compression = read_ending(name, formats)
    if given is None and by_ending is None:
        endings = ", ".join("." + format.extension.lstrip(".") for format in formats.values())
        raise InvalidFormat(
            f"The ending of {name!r} names no format.",
            hint=f"Use --format, or one of {endings}; .gz or .zst may follow.",
        )
    return given or by_ending or "", compression
