"""`offtake check`: what the file says against what the databases have; one line for each problem."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import typer

from offtake.cli.failure import FAILED
from offtake.encode import kernel
from offtake.errors import OfftakeError
from offtake.model.access import Principal, Scope
from offtake.model.dataset import Dataset, Field, FieldType
from offtake.model.export import ExportRequest
from offtake.model.ports import Source, SourceSpec, Stop
from offtake.model.token import Issuer
from offtake.query.plan import plan_export
from offtake.settings import Settings, load_settings, nearest
from offtake.source import binary, open_source

_T = FieldType
_ANY_TEXT = frozenset(FieldType) - {_T.LIST, _T.STRUCT}
_NUMBERS = frozenset({_T.INTEGER, _T.NUMBER, _T.DECIMAL})
# Real type: the types a field over it may have. Text and numbers are generous, because SQLite and CSV keep everything
# in them; reading a row is what proves them.
_FITS: dict[FieldType, frozenset[FieldType]] = {
    _T.STRING: _ANY_TEXT,
    _T.INTEGER: _NUMBERS | {_T.STRING, _T.BOOLEAN, _T.DATE, _T.DATETIME},
    _T.NUMBER: _NUMBERS | {_T.STRING, _T.DATE, _T.DATETIME},
    _T.DECIMAL: _NUMBERS | {_T.STRING},
    _T.BOOLEAN: frozenset({_T.BOOLEAN, _T.INTEGER, _T.STRING}),
    _T.DATE: frozenset({_T.DATE, _T.DATETIME, _T.STRING}),
    _T.DATETIME: frozenset({_T.DATETIME, _T.DATE, _T.STRING}),
    _T.TIME: frozenset({_T.TIME, _T.STRING}),
    _T.UUID: frozenset({_T.UUID, _T.STRING}),
    _T.JSON: frozenset({_T.JSON, _T.STRING, _T.LIST, _T.STRUCT}),
    _T.LIST: frozenset({_T.LIST, _T.JSON, _T.STRING}),
    _T.STRUCT: frozenset({_T.STRUCT, _T.JSON, _T.STRING}),
}


def run_check(config: Path) -> None:
    """Print a line for every source and dataset that is right and one for every problem; exit 1 if there is any."""
    settings = load_settings(config)
    wrong = 0
    for name, problems in _check(settings):
        wrong += len(problems)
        for problem in problems or ("ok",):
            typer.echo(f"{name}: {problem}")
    _tell_compiled("kernel", kernel.available(), "plain Python writes text formats, slower")
    _tell_compiled("PostgreSQL reader", binary.available(), "PostgreSQL is read as CSV, slower")
    for fault in settings.secret_faults:
        typer.echo(f"secrets: {fault}")
    if wrong:
        typer.echo(f"{wrong} problem{'s' if wrong > 1 else ''}")
        raise typer.Exit(FAILED)


def _tell_compiled(part: str, is_compiled: bool, instead: str) -> None:
    typer.echo(f"{part}: {'compiled' if is_compiled else f'not compiled; {instead}'}")


def _check(settings: Settings) -> Iterator[tuple[str, Sequence[str]]]:
    for spec in settings.sources.values():
        datasets = [dataset for dataset in settings.datasets.values() if dataset.source == spec.name]
        yield from _check_source(spec, datasets)
    for issuer in settings.issuers:
        yield f"issuer {issuer.name}", tuple(_wrong_keys(issuer))


def _wrong_keys(issuer: Issuer) -> Iterator[str]:
    """What keeps the issuer's tokens from being verified."""
    from offtake.service.jwks import KeyRing  # 0.2 s for those who have issuers

    ring = KeyRing(issuer)
    try:
        if not any(ring.find(algorithm, None, datetime.now(UTC)) for algorithm in issuer.algorithms):
            yield f"{issuer.jwks} has no public key for {' or '.join(issuer.algorithms)}"
    except OfftakeError as error:
        yield error.detail


def _check_source(spec: SourceSpec, datasets: Sequence[Dataset]) -> Iterator[tuple[str, Sequence[str]]]:
    """The source, and if it answers, its datasets."""
    try:
        with closing(open_source(spec)) as source:
            source.ping()
            yield f"source {spec.name}", ()
            for dataset in datasets:
                yield f"dataset {dataset.name}", tuple(problems_of(source, dataset))
    except OfftakeError as error:
        yield f"source {spec.name}", (_in_one_line(error),)


def problems_of(source: Source, dataset: Dataset) -> Iterator[str]:
    """What keeps this dataset from being read as configured."""
    try:
        real = source.describe(dataset)
    except OfftakeError as error:
        yield _missing_table(source, dataset) or _in_one_line(error)
        return
    found = list(_wrong_names(dataset, real))
    yield from found
    if not found:
        try:
            _read_one(source, replace(dataset, fields=dataset.fields or real, row_limit=0))
        except OfftakeError as error:
            yield f"a row cannot be read: {_in_one_line(error)}"


def _wrong_names(dataset: Dataset, real: Sequence[Field]) -> Iterator[str]:
    columns = {field.column: field for field in real}
    for field in dataset.fields:
        if field.column not in columns:
            yield f"field {field.name}: no column {field.column!r}{nearest(field.column, columns)}"
        elif field.type not in _FITS[columns[field.column].type]:
            yield f"field {field.name}: the column is {columns[field.column].type}, which does not fit {field.type}"
    for what, column in _columns_named(dataset):
        if column and column not in columns:
            yield f"{what}: no column {column!r}{nearest(column, columns)}"
    if not dataset.fields:
        yield from _wrong_reflected_names(dataset, {field.name: field for field in real})


def _columns_named(dataset: Dataset) -> Iterator[tuple[str, str]]:
    yield "tenant_field", dataset.tenant_column
    yield from (("key", column) for column in dataset.key)
    yield "custom_fields", dataset.custom_fields.column if dataset.custom_fields else ""
    yield "schemas", dataset.schemas.column if dataset.schemas else ""
    yield "schemas", dataset.schemas.schema if dataset.schemas else ""


def _wrong_reflected_names(dataset: Dataset, fields: dict[str, Field]) -> Iterator[str]:
    """Without `fields:` only the database can say whether these names mean anything."""
    named = [("date_field", dataset.date_field), *(("default_sort", sort.field) for sort in dataset.default_sort)]
    for what, name in named:
        if name and name not in fields:
            yield f"{what}: no column {name!r}{nearest(name, fields)}"
        elif what == "date_field" and name and fields[name].type not in (_T.DATE, _T.DATETIME):
            yield f"date_field: {name!r} is {fields[name].type}, not a date or datetime"


def _missing_table(source: Source, dataset: Dataset) -> str:
    """That there is no such table, with the nearest; empty if there is one, or nobody can say."""
    try:
        names = [table.name for table in source.tables()]
    except OfftakeError:
        return ""
    known = {name for full in names for name in (full, full.rpartition(".")[2])}
    if not dataset.table or dataset.table in known:
        return ""
    return f"no table {dataset.table!r}{nearest(dataset.table, known)}"


def _read_one(source: Source, dataset: Dataset) -> None:
    """Read a row of everything, the way every export reads. Raises what planning and reading raise."""
    scopes = dataset.scopes | {field.unless_scope for field in dataset.fields} | set(Scope)
    request = ExportRequest(dataset.name, sort=(), limit=1)
    plan = plan_export(dataset, request, Principal("check", None, frozenset(scopes)), datetime.now(UTC))
    with closing(source.read(plan, Stop())) as stream:
        next(stream.batches, None)


def _in_one_line(error: OfftakeError) -> str:
    return " ".join(f"{error.detail} {error.hint}".split())
