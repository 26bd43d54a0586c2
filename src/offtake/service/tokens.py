"""Bearer tokens (JWT, RFC 7519) of the issuers that the settings name, and whom they speak of."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from joserfc.errors import ClaimError, ExpiredTokenError, JoseError
from joserfc.jws import CompactSignature, extract_compact, validate_compact
from joserfc.jwt import JWTClaimsRegistry

from offtake.errors import Unauthenticated
from offtake.model.access import Principal, Tenant
from offtake.model.token import Issuer, holder_id
from offtake.service.jwks import REGISTRY, KeyRing
from offtake.service.runtime import Runtime

LONGEST = 16_384  # characters
# Nobody but the issuer's own code says what is in there.
_UNREADABLE = (JoseError, ValueError, TypeError, KeyError, AttributeError, RecursionError)


def open_token(runtime: Runtime, text: str) -> Principal:
    """Whom the token speaks of, with the rights it gives.

    Raises Unauthenticated, saying why only if the issuer signed it, and Unavailable if its keys cannot be had.
    """
    signed, claims = _take_apart(text)
    ring = runtime.issuers.get(claims["iss"]) if isinstance(claims.get("iss"), str) else None
    if ring is None or not _is_signed(ring, signed, runtime.now()):
        raise _unknown()
    issuer = ring.issuer
    _check_claims(issuer, claims, runtime.now())
    tenant = _tenant(runtime, claim_at(claims, issuer.claims.tenant))
    roles = _words(claim_at(claims, issuer.claims.roles)) & runtime.roles.keys()
    scopes = _words(claim_at(claims, issuer.claims.scopes)).union(*(runtime.roles[role] for role in roles))
    return Principal(holder_id(issuer.name, claims["sub"]), tenant.name, scopes, roles, tenant.uuid)


def claim_at(claims: Mapping[str, Any], path: str) -> Any:
    """The claim of that name, or inside others at that path; None if there is none. Names may hold dots themselves."""
    if path in claims:
        return claims[path]
    places = [n for n, letter in enumerate(path) if letter == "."]
    inner = ((claims[path[:n]], path[n + 1 :]) for n in places if isinstance(claims.get(path[:n]), dict))
    return next((found for each, rest in inner if (found := claim_at(each, rest)) is not None), None)


def _take_apart(text: str) -> tuple[CompactSignature, dict[str, Any]]:
    """The token and what it claims, of which nothing is proven yet."""
    if len(text) > LONGEST:
        raise _unknown()
    try:
        signed = extract_compact(text.encode(), registry=REGISTRY)
        claims = json.loads(signed.payload)
    except _UNREADABLE:
        raise _unknown() from None
    if not isinstance(claims, dict):
        raise _unknown()
    return signed, claims


def _is_signed(ring: KeyRing, signed: CompactSignature, now: datetime) -> bool:
    """Whether one of the issuer's keys signed it, with an algorithm the settings allow it."""
    headers = signed.headers()
    algorithm, kid = headers.get("alg"), headers.get("kid")
    if algorithm not in ring.issuer.algorithms or not isinstance(kid, str | None):
        return False
    return any(_verifies(key, signed) for key in ring.find(algorithm, kid, now))


def _verifies(key: Any, signed: CompactSignature) -> bool:
    try:
        return validate_compact(signed, key, registry=REGISTRY)
    except _UNREADABLE:
        return False


def _check_claims(issuer: Issuer, claims: dict[str, Any], now: datetime) -> None:
    """Raise Unauthenticated unless it is meant for us, now (RFC 7519 §4.1)."""
    rules = JWTClaimsRegistry(
        now=int(now.timestamp()),
        leeway=issuer.leeway_s,
        aud={"essential": True, "values": list(issuer.audiences)},
        exp={"essential": True},
        sub={"essential": True},
    )
    try:
        rules.validate(claims)
    except ExpiredTokenError:
        raise Unauthenticated("This token has expired.", hint="Ask its issuer for a new one.") from None
    except ClaimError as error:
        raise Unauthenticated(
            f"This token is not good here: look at its {error.claim}.",
            hint="Ask its issuer for one that is meant for this service, with aud, exp and sub.",
        ) from None


def _tenant(runtime: Runtime, claimed: object) -> Tenant:
    """The tenant with that name or uuid. Raises Unauthenticated."""
    name = claimed if isinstance(claimed, str) else ""
    found = runtime.tenants.get(name)
    if found is None:
        found = next((each for each in runtime.tenants.values() if each.uuid == name.lower()), None)
    if found is None:
        raise Unauthenticated(
            "This token names no tenant of this service.", hint="Its issuer has to put the tenant's name or uuid in."
        )
    return found


def _words(claimed: object) -> frozenset[str]:
    """The words of a list, or of a text with spaces between them."""
    words = claimed.split() if isinstance(claimed, str) else claimed if isinstance(claimed, list) else ()
    return frozenset(word for word in words if isinstance(word, str) and word)


def _unknown() -> Unauthenticated:
    return Unauthenticated("Nobody knows this token.", hint="Send a key, or a token of an issuer this service knows.")
