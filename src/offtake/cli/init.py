"""`offtake init`: look at a database and write a commented offtake.yaml for it, every guess marked as one."""

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from offtake.cli.failure import tell
from offtake.cli.guess import date_field, key_columns, label_of, tenant_column
from offtake.cli.yamltext import flow, key, text
from offtake.errors import Conflict, InvalidRequest
from offtake.model.dataset import Field
from offtake.model.ports import SourceSpec, Table
from offtake.settings import settle_url
from offtake.source import open_source

SOURCE = "db"

_HEAD = """\
# Written by `offtake init`; `offtake check` compares it with the database, docs/configuration.md explains every key.
# Lines marked "guess" were guessed from names: look at each of them.

# database: sqlite:///.offtake/offtake.db     # keys and other things the service remembers
# store: .offtake/artifacts                   # finished files
# secrets: [{id: k1, file: run/secret-k1}]    # `offtake serve` needs one: openssl rand -hex 32 > run/secret-k1
# tenants: {acme: {}}                         # a name is the value that the tenant's rows hold in the tenant column
"""


def run_init(url: str, output: Path) -> None:
    """Write the file. Raises InvalidRequest for what is no URL, Conflict if the file exists, SourceFailed."""
    if "://" not in url:
        raise InvalidRequest(
            "This is not a database URL.", hint="Try postgresql://reader@localhost/shop or sqlite:///shop.db."
        )
    if output.exists():
        raise Conflict(f"{output} exists already.", hint="Remove it, or name another file with -o.")
    here = Path.cwd()
    with closing(open_source(SourceSpec(SOURCE, settle_url(url, here)))) as source:
        tables = source.tables()
    in_place = output.absolute().parent == here
    lines = "\n".join(_file(url if in_place else settle_url(url, here), tables)) + "\n"
    # The URL may hold a password, so nobody else may read the file.
    with open(os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(lines)
    tell(f"{output}: {len(tables)} datasets; look at the guesses, then run `offtake check -c {output}`")


def _file(url: str, tables: tuple[Table, ...]) -> Iterator[str]:
    yield _HEAD
    yield "sources:"
    yield f"  {SOURCE}: {flow({'url': url})}"
    yield ""
    names = dataset_names(tables)
    yield "datasets:" if tables else "datasets: {}  # the database shows no tables"
    for table, name in zip(tables, names, strict=True):
        yield ""
        yield f"  {name}:"
        yield from (f"    {line}" for line in _dataset(table, name))


def dataset_names(tables: tuple[Table, ...]) -> list[str]:
    """A name for every table: its own without the schema, or with it where two would be the same."""
    short = [_clean(table.name.rpartition(".")[2]) for table in tables]
    names: list[str] = []
    for table, name in zip(tables, short, strict=True):
        wanted = name if short.count(name) == 1 else _clean(table.name)
        number = 2
        while wanted in names:
            wanted, number = f"{_clean(table.name)}_{number}", number + 1
        names.append(wanted)
    return names


def _clean(name: str) -> str:
    """Only what a dataset's name may hold."""
    kept = "".join(char if char.isascii() and (char.isalnum() or char in "_-") else "_" for char in name)
    return kept if kept[:1].isalnum() or kept[:1] == "_" else f"_{kept}"


def _dataset(table: Table, name: str) -> Iterator[str]:
    yield f"source: {SOURCE}"
    yield f"table: {text(table.name)}"
    yield f"label: {text(label_of(name))}"
    tenant, dates, guessed_key = tenant_column(table), date_field(table), key_columns(table)
    if tenant:
        yield f"tenant_field: {text(tenant)}  # guess: whose row it is; every read is confined by it"
    if guessed_key.columns:
        mark = "  # guess: the table has no primary key" if guessed_key.is_guess else ""
        yield f"key: {flow(list(guessed_key.columns))}{mark}"
    if dates:
        yield f"date_field: {text(dates)}  # guess: what --from and --to mean"
    yield "fields:"
    for field in table.fields:
        yield f"  {key(field.name)}: {flow(_field(field))}"


def _field(field: Field) -> dict[str, object]:
    """The field as the file writes it, without what goes without saying."""
    entry: dict[str, object] = {"type": str(field.type), "label": label_of(field.name)}
    if field.column != field.name:
        entry["column"] = field.column
    if field.items is not None:
        entry["items"] = str(field.items)
    if field.fields:
        entry["fields"] = {member.name: _member(member) for member in field.fields}
    return entry


def _member(field: Field) -> dict[str, object]:
    entry = _field(field)
    del entry["label"]
    entry.pop("column", None)
    return entry
