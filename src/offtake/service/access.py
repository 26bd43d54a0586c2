"""Keys and who holds them: make, list, revoke, rotate, and turn a secret into a principal."""

import hashlib
import re
import secrets
import uuid
import zlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime

from offtake.appdb import access as table
from offtake.errors import (
    Conflict,
    Forbidden,
    InsufficientScope,
    InvalidRequest,
    NotFound,
    Revoked,
    Unauthenticated,
)
from offtake.model.access import Key, Principal, Scope, require
from offtake.model.ids import is_id
from offtake.model.token import HOLDER, is_token, issuer_mark
from offtake.query.nearest import did_you_mean
from offtake.service.runtime import Runtime
from offtake.service.trail import current_trail

LOCAL = "local"  # the principal of the command line; key ids are UUIDs, so it is nobody's
MARK = "ofk_"
BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
RANDOM_CHARS, CHECK_CHARS, SHOWN_CHARS = 30, 6, 10
AFTER_MARK = re.compile(rf"[0-9A-Za-z]{{{RANDOM_CHARS + CHECK_CHARS}}}")


def new_secret(mark: str = MARK) -> str:
    """The mark, 30 random base62 characters (178 bits), 6 of their CRC32: a typo is known without asking a database."""
    random = "".join(secrets.choice(BASE62) for _ in range(RANDOM_CHARS))
    return f"{mark}{random}{_checksum(random)}"


def is_well_formed(secret: str, mark: str = MARK) -> bool:
    """Whether it could be a secret with that mark: the right length, and the right end."""
    random, check = secret[len(mark) : -CHECK_CHARS], secret[-CHECK_CHARS:]
    if not secret.startswith(mark) or not AFTER_MARK.fullmatch(random + check):
        return False
    return secrets.compare_digest(check, _checksum(random))


def hash_secret(secret: str) -> str:
    """SHA-256 in lower-case hex. The secret is random, so neither salt nor a slow hash would add anything."""
    return hashlib.sha256(secret.encode()).hexdigest()


def authenticate(runtime: Runtime, secret: str) -> Principal:
    """Who holds this key or token. Raises Unauthenticated, saying why only to those who hold a real one.

    Raises Unavailable while a token's issuer cannot be asked for its keys.
    """
    if is_token(secret):
        # Imported here: what reads signatures takes 0.2 s to load, which the command line would pay for nothing.
        from offtake.service.tokens import open_token

        return open_token(runtime, secret)
    if not is_well_formed(secret):
        raise _unknown_key()
    key = table.find_key_by_hash(runtime.appdb, hash_secret(secret))
    if key is None or key.tenant not in runtime.tenants:
        raise _unknown_key()
    now = runtime.now()
    if key.revoked_at is not None:
        raise Unauthenticated("This key was revoked.", hint="Ask for a new key.")
    if key.expires_at is not None and key.expires_at <= now:
        raise Unauthenticated("This key has expired.", hint="Ask for a new key.")
    table.touch_key(runtime.appdb, key, now)
    return Principal(key.id, key.tenant, _all_scopes(runtime, key), key.roles, runtime.tenants[key.tenant].uuid)


def present_principal(runtime: Runtime, owner: Principal) -> Principal:
    """The same principal with the rights it has today: a key may have been revoked, or given fewer, since it asked.

    A token was shown once: its holder keeps the rights it gave for as long as its issuer is believed. Raises Forbidden
    if the key has ended, or the issuer is not believed any more.
    """
    if owner.id.startswith(HOLDER) and not any(owner.id.startswith(issuer_mark(name)) for name in runtime.issuers):
        raise Forbidden("The issuer of the token that asked for this is not believed any more.", hint="Ask again.")
    if not is_id(owner.id):
        return owner
    key = table.find_key(runtime.appdb, owner.id)
    if key is None or key.revoked_at is not None or (key.expires_at is not None and key.expires_at <= runtime.now()):
        raise Forbidden("The key that asked for this has ended.", hint="Ask again with another key.")
    return replace(owner, scopes=_all_scopes(runtime, key), roles=key.roles)


def check_giver(runtime: Runtime, giver: Principal, scopes: Collection[str]) -> None:
    """Raise Revoked unless whoever handed something on may, as of today, read what takes those scopes."""
    try:
        require(present_principal(runtime, giver), Scope.REPORTS_READ, *sorted(scopes))
    except (Forbidden, InsufficientScope) as error:
        raise Revoked("Whoever shared this may not read it any more.", hint="Ask somebody else for it.") from error


def local_principal(runtime: Runtime, tenant: str | None) -> Principal:
    """Who works on the command line: it has the file with the passwords, so it holds every scope there is.

    `tenant` None crosses tenants. Raises InvalidRequest for a tenant nobody configured.
    """
    if tenant is not None:
        _check_known("tenant", {"/tenant": tenant}, runtime.tenants)
    uuid = "" if tenant is None else runtime.tenants[tenant].uuid
    return Principal(LOCAL, tenant, known_scopes(runtime), tenant_uuid=uuid)


def known_scopes(runtime: Runtime) -> frozenset[str]:
    """Our own scopes and those this deployment's datasets and roles invented."""
    found = {str(scope) for scope in Scope}
    for dataset in runtime.datasets.values():
        found |= dataset.scopes
        found |= {field.unless_scope for field in dataset.fields if field.unless_scope}
    return frozenset(found.union(*runtime.roles.values()))


def create_key(
    runtime: Runtime,
    principal: Principal,
    *,
    tenant: str,
    scopes: Collection[str] = (),
    roles: Collection[str] = (),
    expires_at: datetime | None = None,
) -> tuple[Key, str]:
    """A new key and its secret, which is shown this once.

    A principal of one tenant can make keys only there, and give only scopes it holds itself. Raises InsufficientScope,
    Forbidden, and InvalidRequest for a tenant, scope or role that does not exist or an expiry that has passed.
    """
    require(principal, Scope.KEYS_ADMIN)
    if principal.tenant not in (None, tenant):  # before anything that could name other tenants
        raise Forbidden("A key can only be made for your own tenant.", hint="Leave the tenant out.")
    _check_known("tenant", {"/tenant": tenant}, runtime.tenants)
    _check_known("scope", {f"/scopes/{n}": scope for n, scope in enumerate(scopes)}, known_scopes(runtime))
    _check_known("role", {f"/roles/{n}": role for n, role in enumerate(roles)}, runtime.roles)
    if expires_at is not None and expires_at <= runtime.now():
        raise InvalidRequest("The key would have expired already.", hint="Choose a later time.", pointer="/expires_at")
    secret = new_secret()
    key = Key(
        id=str(uuid.uuid4()),
        tenant=tenant,
        prefix=secret[:SHOWN_CHARS],
        scopes=frozenset(scopes),
        roles=frozenset(roles),
        created_at=runtime.now(),
        expires_at=None if expires_at is None else expires_at.astimezone(UTC),
    )
    _require_within(runtime, principal, key)
    table.insert_key(runtime.appdb, key, hash_secret(secret))
    current_trail().thing = key.id
    return key, secret


def list_keys(runtime: Runtime, principal: Principal) -> tuple[Key, ...]:
    """The keys of the principal's tenant (all of them for the command line), ended ones too."""
    require(principal, Scope.KEYS_ADMIN)
    return table.list_keys(runtime.appdb, principal.tenant)


def revoke_key(runtime: Runtime, principal: Principal, key_id: str) -> None:
    """End a key at once; ending it twice is no error. Raises NotFound."""
    key = _own_key(runtime, principal, key_id)
    table.revoke_key(runtime.appdb, key.id, runtime.now())


def rotate_key(runtime: Runtime, principal: Principal, key_id: str) -> tuple[Key, str]:
    """The same key with a new secret; the old one ends at once. Raises NotFound, Conflict, Forbidden.

    Whoever rotates a key learns its secret, so it must hold every scope the key gives.
    """
    key = _own_key(runtime, principal, key_id)
    _require_within(runtime, principal, key)
    ended = key.revoked_at is not None or (key.expires_at is not None and key.expires_at <= runtime.now())
    secret = new_secret()
    prefix = secret[:SHOWN_CHARS]
    if ended or not table.replace_secret(runtime.appdb, key.id, hash_secret(secret), prefix):
        raise Conflict("This key has ended.", hint="Make a new key instead.")
    return replace(key, prefix=prefix), secret


def _own_key(runtime: Runtime, principal: Principal, key_id: str) -> Key:
    require(principal, Scope.KEYS_ADMIN)
    key = table.find_key(runtime.appdb, key_id) if is_id(key_id) else None
    if key is None or principal.tenant not in (None, key.tenant):
        raise NotFound("There is no such key.", hint="List the keys to see their ids.")
    return key


def _require_within(runtime: Runtime, principal: Principal, key: Key) -> None:
    beyond = sorted(_all_scopes(runtime, key) - principal.scopes)
    if beyond and principal.id != LOCAL:
        raise Forbidden(
            f"You do not hold {', '.join(beyond)} yourself.", hint="A key can only give scopes its maker holds."
        )


def _all_scopes(runtime: Runtime, key: Key) -> frozenset[str]:
    return key.scopes.union(*(runtime.roles.get(role, frozenset()) for role in key.roles))


def _check_known(what: str, given: Mapping[str, str], known: Iterable[str]) -> None:
    """Raise InvalidRequest for the first word, by its JSON pointer, that nobody knows."""
    known = sorted(known)
    for pointer, word in given.items():
        if word not in known:
            raise InvalidRequest(
                f"There is no {what} {word!r}.", hint=did_you_mean(word, known, "Known"), pointer=pointer
            )


def _checksum(random: str) -> str:
    number = zlib.crc32(random.encode())
    digits = ""
    for _ in range(CHECK_CHARS):
        number, digit = divmod(number, len(BASE62))
        digits = BASE62[digit] + digits
    return digits


def _unknown_key() -> Unauthenticated:
    return Unauthenticated(
        "Nobody knows this key.", hint="Send a key as Authorization: Bearer ofk_… or x-api-key: ofk_…."
    )
