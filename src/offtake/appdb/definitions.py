"""Saved definitions as the app database keeps them."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from offtake.appdb.database import AppDb
from offtake.appdb.principals import read_principal, write_principal
from offtake.appdb.schedules import delete_schedules_of
from offtake.appdb.shares import revoke_shares_of
from offtake.appdb.tables_saved import DEFINITIONS
from offtake.errors import Conflict
from offtake.model.dataset import Sort
from offtake.model.saved import Definition, Draft
from offtake.query.stored import read_request, request_json

_NEVER = datetime(1970, 1, 1, tzinfo=UTC)
SORTABLE = ("name", "created_at", "updated_at", "last_executed_at")


def insert_definition(db: AppDb, definition: Definition) -> None:
    """Remember a new definition. Raises Conflict if its dialect has one of that id already."""
    try:
        with db.write() as connection:
            connection.execute(DEFINITIONS.insert().values(**_row(definition)))
    except sa.exc.IntegrityError as error:
        raise Conflict("There is a definition of that id already.", hint="Replace it, or choose another id.") from error


def find_definition(db: AppDb, id_: str) -> Definition | None:
    """The definition of that id."""
    return _find(db, DEFINITIONS.c.id == id_)


def find_external(db: AppDb, tenant: str, dialect: str, external_id: str) -> Definition | None:
    """The definition that a foreign API's client knows by an id of its own."""
    where = sa.and_(
        DEFINITIONS.c.tenant == tenant, DEFINITIONS.c.dialect == dialect, DEFINITIONS.c.external_id == external_id
    )
    return _find(db, where)


def list_definitions(
    db: AppDb,
    tenant: str | None,
    *,
    q: str = "",
    dialect: str | None = None,
    sort: Sort = Sort("created_at", descending=True),  # noqa: B008  (frozen)
    after: tuple[Any, str] | None = None,
    offset: int = 0,
    limit: int = 50,
) -> tuple[Sequence[Definition], int]:
    """Definitions in that order and how many there are in all; `after` is the last one seen: its sort value and id."""
    key = _key(sort.field)
    mine = sa.true() if tenant is None else DEFINITIONS.c.tenant == tenant
    found = sa.and_(mine, _matches(q), sa.true() if dialect is None else DEFINITIONS.c.dialect == dialect)
    query = sa.select(DEFINITIONS).where(found).limit(limit).offset(offset)
    if after is not None:
        value, id_ = after
        beyond = key < value if sort.descending else key > value
        same = DEFINITIONS.c.id < id_ if sort.descending else DEFINITIONS.c.id > id_
        query = query.where(sa.or_(beyond, sa.and_(key == value, same)))
    order = (key.desc(), DEFINITIONS.c.id.desc()) if sort.descending else (key.asc(), DEFINITIONS.c.id.asc())
    with db.read() as connection:
        total = connection.execute(sa.select(sa.func.count()).select_from(DEFINITIONS).where(found)).scalar_one()
        return [_definition(row) for row in connection.execute(query.order_by(*order))], total


def sort_value(definition: Definition, sort: Sort) -> Any:
    """What `list_definitions` compares by."""
    if sort.field == "name":
        return definition.draft.name.casefold()
    return getattr(definition, sort.field) or _NEVER


def _key(field: str) -> sa.ColumnElement[Any]:
    if field == "name":
        return DEFINITIONS.c.sort_name
    column = DEFINITIONS.c[field]
    return sa.func.coalesce(column, sa.literal(_NEVER, column.type))


def _matches(q: str) -> sa.ColumnElement[bool]:
    return DEFINITIONS.c.words.contains(q.casefold(), autoescape=True) if q else sa.true()


def replace_definition(db: AppDb, definition: Definition, draft: Draft, now: datetime) -> Definition | None:
    """Put another draft in the place of that very version; None if somebody changed or deleted it meanwhile."""
    values = _draft_row(draft)
    return _change(db, definition, **values, version=definition.version + 1, updated_at=now)


def touch_definition(db: AppDb, id_: str, now: datetime) -> None:
    """Note that it was executed. That is no change: the version stays."""
    with db.write() as connection:
        connection.execute(DEFINITIONS.update().where(DEFINITIONS.c.id == id_).values(last_executed_at=now))


def delete_definition(db: AppDb, definition: Definition, now: datetime) -> bool:
    """Forget that version, end its schedules and revoke its shares; False if somebody changed it meanwhile."""
    with db.write() as connection:
        gone = connection.execute(DEFINITIONS.delete().where(*_version(definition)))
        if gone.rowcount:
            delete_schedules_of(connection, definition.id)
            revoke_shares_of(connection, definition.id, now)
    return bool(gone.rowcount)


def _version(definition: Definition) -> tuple[sa.ColumnElement[bool], ...]:
    return DEFINITIONS.c.id == definition.id, DEFINITIONS.c.version == definition.version


def _change(db: AppDb, definition: Definition, **values: Any) -> Definition | None:
    with db.write() as connection:
        statement = DEFINITIONS.update().where(*_version(definition)).values(**values).returning(DEFINITIONS)
        row = connection.execute(statement).one_or_none()
    return None if row is None else _definition(row)


def _find(db: AppDb, where: sa.ColumnElement[bool]) -> Definition | None:
    with db.read() as connection:
        row = connection.execute(sa.select(DEFINITIONS).where(where)).one_or_none()
    return None if row is None else _definition(row)


def _row(definition: Definition) -> dict[str, Any]:
    return _draft_row(definition.draft) | {
        "id": definition.id,
        "tenant": definition.tenant,
        "owner_id": definition.owner.id,
        "owner": write_principal(definition.owner),
        "version": definition.version,
        "created_at": definition.created_at,
        "updated_at": definition.updated_at,
        "last_executed_at": definition.last_executed_at,
    }


def _draft_row(draft: Draft) -> dict[str, Any]:
    return {
        "name": draft.name,
        "description": draft.description,
        "sort_name": draft.name.casefold(),
        "words": f"{draft.name}\n{draft.description}".casefold(),
        "dataset": draft.request.dataset,
        "format": draft.request.format,
        "request": json.dumps(request_json(draft.request), ensure_ascii=False),
        "members": json.dumps(list(draft.members)),
        "dialect": draft.dialect,
        "external_id": draft.external_id,
        "extra": json.dumps(dict(draft.extra), ensure_ascii=False),
    }


def _definition(row: sa.Row[Any]) -> Definition:
    draft = Draft(
        name=row.name,
        request=read_request(json.loads(row.request)),
        description=row.description,
        members=tuple(json.loads(row.members)),
        dialect=row.dialect,
        external_id=row.external_id,
        extra=json.loads(row.extra),
    )
    return Definition(
        id=row.id,
        tenant=row.tenant,
        owner=read_principal(row.owner),
        draft=draft,
        created_at=row.created_at,
        updated_at=row.updated_at,
        version=row.version,
        last_executed_at=row.last_executed_at,
    )
