"""Databases we may read. `SOURCES` says which URL scheme is opened by what; any other is left to SQLAlchemy.

A plug is imported when its first source is opened: nobody waits for a driver that is not used.
"""

import difflib
from collections.abc import Callable, Mapping
from importlib import import_module

from offtake.errors import InvalidConfig
from offtake.model.ports import Source, SourceSpec


def _plug(module: str, function: str) -> Callable[[SourceSpec], Source]:
    def open_plug(spec: SourceSpec) -> Source:
        opened: Source = getattr(import_module(f"offtake.source.{module}"), function)(spec)
        return opened

    return open_plug


_open_database = _plug("database", "open_database")

SOURCES: Mapping[str, Callable[[SourceSpec], Source]] = {
    "postgresql": _plug("postgres", "open_postgres"),
    "postgres": _plug("postgres", "open_postgres"),
    "duckdb": _plug("duckdb", "open_duckdb"),
    "sqlite": _plug("sqlite", "open_sqlite"),
    "mysql": _open_database,
    "mariadb": _open_database,
    "mssql": _open_database,
    "oracle": _open_database,
}


def open_source(spec: SourceSpec) -> Source:
    """The source of a spec's URL; nothing is connected yet.

    Raises InvalidConfig for an unknown scheme (naming those we know) and for a driver that is not installed.
    """
    scheme, colon, _ = spec.url.partition(":")
    kind = scheme.partition("+")[0].lower()
    if not colon or not kind:
        raise InvalidConfig(
            f"sources.{spec.name}: its url has no scheme.", hint="Write one like postgresql://reader@host/database."
        )
    if kind not in SOURCES:
        near = difflib.get_close_matches(kind, SOURCES, 1)
        hint = f"Did you mean {near[0]}://? " if near else ""
        known = ", ".join(f"{known}://" for known in SOURCES)
        try:
            return _open_database(spec)
        except InvalidConfig:
            raise InvalidConfig(
                f"sources.{spec.name}: unknown scheme {kind}://.",
                hint=f"{hint}Known: {known} and whatever SQLAlchemy has a dialect installed for.",
            ) from None
    return SOURCES[kind](spec)
