"""Everything a deployment decides, read once from offtake.yaml, the environment and secret files, and frozen."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from offtake.errors import InvalidConfig
from offtake.model.access import Secret, Tenant
from offtake.model.cors import NO_CORS, Cors
from offtake.model.dataset import DIALECTS, Dataset
from offtake.model.delivery import SmtpSpec, TargetSpec, WebhookRules
from offtake.model.job import JobLimits, Retention
from offtake.model.limits import Limits
from offtake.model.ports import SourceSpec, StoreSpec
from offtake.model.token import Issuer
from offtake.settings.bodies import settings_schema
from offtake.settings.build import (
    build_issuers,
    build_limits,
    build_proxies,
    build_retention,
    build_roles,
    build_smtp,
    build_sources,
    build_store,
    build_targets,
    build_tenants,
    build_webhook_rules,
)
from offtake.settings.complaints import check_shape, nearest
from offtake.settings.datasets import build_datasets
from offtake.settings.document import read_document
from offtake.settings.places import settle_url
from offtake.settings.secret_files import read_secrets

__all__ = ["Settings", "load_settings", "nearest", "require_secrets", "settings_schema", "settle_url"]


@dataclass(frozen=True)
class Settings:
    """offtake.yaml with every default filled in and every path absolute. URLs may hold passwords: never print them."""

    path: Path
    database: str = field(repr=False)
    store: StoreSpec = field(repr=False)
    public_url: str | None
    tenants: Mapping[str, Tenant]
    secrets: tuple[Secret, ...]
    secret_faults: tuple[str, ...]  # why configured secrets are missing above; `require_secrets` raises them
    sources: Mapping[str, SourceSpec]
    datasets: Mapping[str, Dataset]
    roles: Mapping[str, frozenset[str]]
    limits: Limits
    jobs: JobLimits
    retention: Retention
    smtp: SmtpSpec | None
    webhooks: WebhookRules
    targets: Mapping[str, TargetSpec]
    trusted_proxies: tuple[str, ...] = ()
    issuers: tuple[Issuer, ...] = ()
    cors: Cors = NO_CORS
    dialects: tuple[str, ...] = DIALECTS


def load_settings(path: Path, environ: Mapping[str, str] | None = None) -> Settings:
    """The settings in that file; `environ` fills its variables (None = the process's own environment).

    Raises InvalidConfig with every problem of the file at once, each with its line.
    """
    document = read_document(path, os.environ if environ is None else environ)
    body = check_shape(document)
    folder = path.absolute().parent
    secrets, faults = read_secrets(document, body.secrets, folder)
    off = {name for name, is_on in body.dialects.items() if not is_on}
    settings = Settings(
        path=path.absolute(),
        database=settle_url(body.database, folder),
        store=build_store(body, folder),
        public_url=body.public_url.rstrip("/") if body.public_url else None,
        tenants=build_tenants(document, body),
        secrets=secrets,
        secret_faults=faults,
        sources=build_sources(document, body, folder),
        datasets=build_datasets(document, body),
        roles=build_roles(body),
        limits=build_limits(document, body),
        jobs=JobLimits(**body.jobs.model_dump()),
        retention=build_retention(document, body),
        smtp=build_smtp(document, body, folder),
        webhooks=build_webhook_rules(body),
        targets=build_targets(document, body, folder),
        trusted_proxies=build_proxies(document, body),
        issuers=build_issuers(document, body, folder),
        cors=Cors(tuple(body.cors.origins), body.cors.max_age_s),
        dialects=tuple(name for name in DIALECTS if name not in off),
    )
    document.refuse()
    return settings


def require_secrets(settings: Settings) -> None:
    """Raise InvalidConfig unless links and cursors can be signed: no secret, a short or a well-known one is refused."""
    hint = "Make one with `openssl rand -hex 32`, mode 0600, and name it under `secrets:`."
    if settings.secret_faults:
        raise InvalidConfig(
            settings.secret_faults[0], hint=hint, problems=[("/secrets", fault) for fault in settings.secret_faults]
        )
    if not settings.secrets:
        raise InvalidConfig(f"{settings.path} names no secret to sign links and cursors with.", hint=hint)
