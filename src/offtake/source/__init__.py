"""Databases we may read. `SOURCES` says which URL scheme is opened by what."""

from collections.abc import Callable

from offtake.model.ports import Source, SourceSpec


def _open_postgres(spec: SourceSpec) -> Source:
    from offtake.source.postgres import open_postgres

    return open_postgres(spec)


SOURCES: dict[str, Callable[[SourceSpec], Source]] = {"postgresql": _open_postgres}


def open_source(spec: SourceSpec) -> Source:
    return SOURCES[spec.url.partition(":")[0]](spec)
