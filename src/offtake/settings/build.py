"""Bodies to the model's dataclasses, with the checks that look across blocks. Problems go into the document."""

import ipaddress
import re
import uuid
import zoneinfo
from collections.abc import Mapping
from dataclasses import replace
from email.utils import parseaddr
from pathlib import Path

from offtake.model.access import Tenant
from offtake.model.delivery import PLACEHOLDERS, SmtpSpec, TargetSpec, WebhookRules
from offtake.model.job import Retention
from offtake.model.limits import Limits
from offtake.model.ports import FileSet, SourceSpec, StoreSpec
from offtake.model.token import ClaimPaths, Issuer
from offtake.settings.bodies import FileBody, SourceBody
from offtake.settings.complaints import nearest
from offtake.settings.document import Document
from offtake.settings.places import settle_path, settle_url

_TENANT_NAMESPACE = uuid.UUID("5f8d3c1e-7c1f-4a53-9b0e-0ff7a4e0c0de")


def build_proxies(document: Document, body: FileBody) -> tuple[str, ...]:
    """The networks that proxies are in."""
    for n, text in enumerate(body.trusted_proxies):
        try:
            ipaddress.ip_network(text)
        except ValueError:
            document.complain(("trusted_proxies", n), "this is neither an address nor a network, such as 10.0.0.0/8")
    return tuple(body.trusted_proxies)


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


def build_smtp(document: Document, body: FileBody, folder: Path) -> SmtpSpec | None:
    """The mail server, if there is one; the path of `ca_file` is absolute."""
    if body.smtp is None:
        return None
    given = body.smtp.model_dump()
    if not re.fullmatch(r"[^@\s]+@[^@\s]+", parseaddr(body.smtp.sender)[1]) or not body.smtp.sender.isprintable():
        document.complain(("smtp", "from"), "'from' expects a mail address, such as Exports <exports@example.com>")
    given["ca_file"] = None if body.smtp.ca_file is None else settle_path(body.smtp.ca_file, folder)
    domains = tuple(domain.lower().lstrip("@") for domain in body.smtp.allowed_domains)
    return SmtpSpec(**given | {"allowed_domains": domains})


def build_webhook_rules(body: FileBody) -> WebhookRules:
    """Where webhooks may lead."""
    hosts = frozenset(host.lower() for host in body.webhooks.allowed_hosts)
    return WebhookRules(hosts, body.webhooks.timeout_s)


def build_issuers(document: Document, body: FileBody, folder: Path) -> tuple[Issuer, ...]:
    """Whose tokens are believed; the path of `jwks_file` is absolute."""
    issuers: list[Issuer] = []
    for n, given in enumerate(body.jwt.issuers):
        here = ("jwt", "issuers", n)
        raw = document.names(*here)
        if ("jwks_url" in raw) == ("jwks_file" in raw):
            document.complain(here, f"issuer {given.issuer!r} needs either 'jwks_url' or 'jwks_file'")
        elif given.jwks_file and not (folder / given.jwks_file).is_file():
            document.complain((*here, "jwks_file"), f"there is no file {given.jwks_file}")
        if any(other.name == given.issuer for other in issuers):
            document.complain(here, f"two issuers are called {given.issuer!r}")
        issuers.append(
            Issuer(
                name=given.issuer,
                audiences=tuple(given.audience),
                jwks=given.jwks_url or settle_path(given.jwks_file or "", folder),
                algorithms=tuple(given.algorithms),
                claims=ClaimPaths(**given.claims.model_dump()),
                leeway_s=body.jwt.leeway_s,
                cache_s=body.jwt.cache_s,
            )
        )
    return tuple(issuers)


def build_targets(document: Document, body: FileBody, folder: Path) -> Mapping[str, TargetSpec]:
    """Where copies may go; a folder's path is absolute."""
    targets = {}
    for name, target in body.deliveries.targets.items():
        given = target.model_dump(exclude={"folder"})
        for placeholder in re.findall(r"\{([^{}]*)\}", target.folder):
            if placeholder not in PLACEHOLDERS:
                where = ("deliveries", "targets", name, "folder")
                document.complain(where, f"unknown placeholder {placeholder!r}{nearest(placeholder, PLACEHOLDERS)}")
        spec = StoreSpec(**given | {"url": settle_path(target.url, folder)})
        targets[name] = TargetSpec(spec, target.folder)
    return targets


def build_retention(document: Document, body: FileBody) -> Retention:
    """How long artifacts are kept, for tenants and datasets there are."""
    kept = body.retention
    for place, names, known in (("tenants", kept.tenants, body.tenants), ("datasets", kept.datasets, body.datasets)):
        for name in names:
            if name not in known:
                where = ("retention", place, name)
                document.complain(where, f"there is no {place[:-1]} {name!r}{nearest(name, known)}")
    return Retention(kept.days, kept.tenants, kept.datasets, kept.audit_days)


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
