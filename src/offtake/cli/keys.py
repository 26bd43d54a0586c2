"""`offtake keys`: make, list, revoke and rotate API keys. A secret is printed once, alone on stdout."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import typer

from offtake.app import build_runtime, close_runtime
from offtake.cli.failure import tell, wrong_usage
from offtake.cli.listing import print_table
from offtake.model.access import Key, Principal
from offtake.service import access
from offtake.service.runtime import Runtime
from offtake.settings import load_settings


def create(config: Path, tenant: str, scopes: Collection[str], roles: Collection[str], expires: str | None) -> None:
    """Print a new key's secret."""
    expires_at = None if expires is None else _read_expiry(expires)
    with _opened(config) as (runtime, principal):
        key, secret = access.create_key(
            runtime, principal, tenant=tenant, scopes=scopes, roles=roles, expires_at=expires_at
        )
    tell(f"key {key.id} of {key.tenant}; it is shown only now")
    typer.echo(secret)


def show(config: Path) -> None:
    """Print every key, without its secret."""
    with _opened(config) as (runtime, principal):
        keys, now = access.list_keys(runtime, principal), runtime.now()
    rows = [(key.id, f"{key.prefix}…", key.tenant, _gives(key), _state(key, now), _last_used(key)) for key in keys]
    print_table(("ID", "KEY", "TENANT", "SCOPES AND ROLES", "STATE", "LAST USED"), rows)


def revoke(config: Path, key_id: str) -> None:
    """End a key at once."""
    with _opened(config) as (runtime, principal):
        access.revoke_key(runtime, principal, key_id)
    tell(f"key {key_id} is revoked")


def rotate(config: Path, key_id: str) -> None:
    """Give a key a new secret; the old one ends at once."""
    with _opened(config) as (runtime, principal):
        key, secret = access.rotate_key(runtime, principal, key_id)
    tell(f"key {key.id} of {key.tenant} has a new secret; it is shown only now")
    typer.echo(secret)


@contextmanager
def _opened(config: Path) -> Iterator[tuple[Runtime, Principal]]:
    runtime = build_runtime(load_settings(config))
    try:
        yield runtime, access.local_principal(runtime, None)
    finally:
        close_runtime(runtime)


def _read_expiry(text: str) -> datetime:
    """An ISO 8601 date or instant; UTC where it names no zone."""
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        wrong_usage(
            f"--expires {text!r} is neither a date nor an instant.", "Write 2027-01-31 or 2027-01-31T12:00:00Z."
        )
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


def _gives(key: Key) -> str:
    return ",".join([*sorted(key.scopes), *(f"role {role}" for role in sorted(key.roles))]) or "nothing"


def _state(key: Key, now: datetime) -> str:
    if key.revoked_at is not None:
        return "revoked"
    if key.expires_at is None:
        return "active"
    return "expired" if key.expires_at <= now else f"until {_written(key.expires_at)}"


def _last_used(key: Key) -> str:
    return _written(key.last_used_at) if key.last_used_at else "never"


def _written(instant: datetime) -> str:
    return f"{instant.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
