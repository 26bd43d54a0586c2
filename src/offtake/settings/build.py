"""Bodies to the model's dataclasses, with the checks that look across blocks. Problems go into the document."""

import uuid
import zoneinfo
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from offtake.model.access import Tenant
from offtake.model.job import Retention
from offtake.model.limits import Limits
from offtake.model.ports import FileSet, SourceSpec, StoreSpec
from offtake.settings.bodies import FileBody, SourceBody
from offtake.settings.complaints import nearest
from offtake.settings.document import Document
from offtake.settings.places import settle_path, settle_url

_TENANT_NAMESPACE = uuid.UUID("5f8d3c1e-7c1f-4a53-9b0e-0ff7a4e0c0de")


def build_tenants(document: Document, body: FileBody) -> Mapping[str, Tenant]:
    """Every tenant; one without a uuid gets the version 5 UUID of its name, the same on every machine."""
    tenants: dict[str, Tenant] = {}
    for name, tenant in body.tenants.items():
        given = str(tenant.uuid or uuid.uuid5(_TENANT_NAMESPACE, name))
        twin = next((other.name for other in tenants.values() if other.uuid == given), None)
        if twin:
            document.complain(("tenants", name), f"the tenants {twin!r} and {name!r} have one uuid")
        tenants[name] = Tenant(name, given)
    return tenants


def build_sources(document: Document, body: FileBody, folder: Path) -> Mapping[str, SourceSpec]:
    """Every source, with the timeouts and the pool that hold for all of them."""
    return {
        name: SourceSpec(
            name=name,
            url=_source_url(document, name, source, folder),
            files={key: FileSet(settle_path(files.path, folder), files.nullstr) for key, files in source.files.items()},
            timezone=_timezone(document, name, source.timezone),
            connect_timeout_s=body.timeouts.connect_s,
            statement_timeout_s=body.timeouts.statement_s,
            pool_size=body.pool.size,
            pool_timeout_s=body.pool.timeout_s,
        )
        for name, source in body.sources.items()
    }


def build_roles(body: FileBody) -> Mapping[str, frozenset[str]]:
    """Every role with the scopes it holds."""
    return {name: frozenset(scopes) for name, scopes in body.roles.items()}


def build_limits(document: Document, body: FileBody) -> Limits:
    """The limits; `rate_limit:` is a shorter way to write `limits.rate`."""
    given = body.limits.model_dump(exclude_none=True)
    if body.rate_limit is not None:
        if "rate" in given:
            document.complain(("rate_limit",), "'rate_limit' and 'limits.rate' say the same thing; keep one of them")
        given["rate"] = body.rate_limit
    return replace(Limits(), **given)


def build_store(body: FileBody, folder: Path) -> StoreSpec:
    """Where artifacts lie; a folder's path is absolute."""
    given = body.store.model_dump()
    return StoreSpec(**given | {"url": settle_path(body.store.url, folder)})


def build_retention(document: Document, body: FileBody) -> Retention:
    """How long artifacts are kept, for tenants and datasets there are."""
    kept = body.retention
    for place, names, known in (("tenants", kept.tenants, body.tenants), ("datasets", kept.datasets, body.datasets)):
        for name in names:
            if name not in known:
                where = ("retention", place, name)
                document.complain(where, f"there is no {place[:-1]} {name!r}{nearest(name, known)}")
    return Retention(kept.days, kept.tenants, kept.datasets)


def _source_url(document: Document, name: str, source: SourceBody, folder: Path) -> str:
    """The URL, from the file or from the file it names; a problem if there is not exactly one."""
    here = ("sources", name)
    raw = document.names("sources", name)
    if ("url" in raw) == ("url_file" in raw):
        document.complain(here, f"source {name!r} needs either 'url' or 'url_file'")
        return ""
    url = source.url or ""
    if source.url_file:
        try:
            url = (folder / source.url_file).read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError):
            document.complain((*here, "url_file"), f"the file with the URL of source {name!r} cannot be read")
            return ""
    if url and "://" not in url:
        document.complain(
            (*here, "url"), f"the URL of source {name!r} does not begin with a scheme, such as postgresql://"
        )
    if url and source.files and not url.startswith("duckdb:"):
        document.complain((*here, "files"), "'files' needs the URL duckdb://")
    return settle_url(url, folder)


def _timezone(document: Document, name: str, zone: str) -> str:
    try:
        zoneinfo.ZoneInfo(zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        close = nearest(zone, zoneinfo.available_timezones())
        document.complain(("sources", name, "timezone"), f"unknown timezone {zone!r}{close}")
        return "UTC"
    return zone
