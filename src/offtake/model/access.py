"""Who asks: tenants, principals, what they may do."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from offtake.errors import Forbidden, InsufficientScope


class Scope(StrEnum):
    """One permission."""

    REPORTS_READ = "reports:read"
    REPORTS_WRITE = "reports:write"
    PII_READ = "pii:read"
    KEYS_ADMIN = "keys:admin"
    AUDIT_READ = "audit:read"


@dataclass(frozen=True)
class Tenant:
    """The walled-off owner of everything. `uuid` is how some dialects name it."""

    name: str
    uuid: str


@dataclass(frozen=True)
class Principal:
    """Who asks, in one tenant. `tenant` None crosses tenants and exists only on the command line.

    `tenant_uuid` is the same tenant as databases may write it; empty = only by its name. `always_masked`: no scope it
    holds lifts a mask.
    """

    id: str
    tenant: str | None
    scopes: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()
    tenant_uuid: str = ""
    always_masked: bool = False

    def holds(self, scope: str) -> bool:
        """Whether this principal has the scope; scopes a deployment invents itself are plain text."""
        return scope in self.scopes

    def lifts(self, unless_scope: str) -> bool:
        """Whether a mask that gives way to that scope (empty = to none) does so for this principal."""
        return bool(unless_scope) and self.holds(unless_scope) and not self.always_masked


@dataclass(frozen=True)
class Key:
    """A principal's API secret as the app database remembers it: never the secret itself."""

    id: str
    tenant: str
    prefix: str  # the first characters, so that people can tell keys apart
    scopes: frozenset[str]
    roles: frozenset[str] = frozenset()
    created_at: datetime | None = None
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Secret:
    """What links and cursors are signed with: the last configured one signs, each verifies until its `not_after`."""

    id: str
    value: bytes = field(repr=False)
    not_after: datetime | None = None


def require_role(principal: Principal, roles: Collection[str]) -> None:
    """Raise Forbidden unless the principal has at least one of the roles."""
    if principal.roles.isdisjoint(roles):
        raise Forbidden(
            "This key has none of the roles that may do this.", hint=f"One of {', '.join(sorted(roles))} may."
        )


def require(principal: Principal, *scopes: str) -> None:
    """Raise InsufficientScope unless the principal holds every one of the scopes."""
    missing = [scope for scope in scopes if not principal.holds(scope)]
    if missing:
        raise InsufficientScope(
            f"This needs the scope {missing[0]}.",
            hint=f"Ask for a key with {', '.join(missing)}.",
        )
