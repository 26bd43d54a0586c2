"""Credential to principal, the same in every entrypoint."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import Depends, Security
from fastapi.security import APIKeyHeader, HTTPBearer
from starlette.datastructures import Headers
from starlette.requests import Request

from offtake.errors import Forbidden, OfftakeError, Unauthenticated, Unavailable
from offtake.model.access import Principal
from offtake.service.access import authenticate
from offtake.web.rates import count_request
from offtake.web.site import Site, site_of

# They only tell OpenAPI what to send; `read_secret` reads it, and says what is wrong.
WHAT = "A key, `ofk_…`, or a token (JWT) of an issuer that the service believes."
BEARER = HTTPBearer(auto_error=False, scheme_name="bearer", description=WHAT)
API_KEY = APIKeyHeader(name="x-api-key", auto_error=False, scheme_name="apiKey", description=WHAT)
HOW = "Send it as Authorization: Bearer ofk_… or x-api-key: ofk_…."


def authenticate_request(
    request: Request,
    _bearer: Annotated[object, Security(BEARER)] = None,
    _key: Annotated[object, Security(API_KEY)] = None,
) -> Principal:
    """Who asks, with this request counted. Raises Unauthenticated, Forbidden, RateLimited."""
    secret = read_secret(request.headers)
    return admit_first(request, [] if secret is None else [secret])


def admit_first(request: Request, secrets: Sequence[str]) -> Principal:
    """The holder of the first secret that is valid, if its request may pass: counted once, its own tenant asked for.

    For entrypoints that read their own places; in the order in which they prefer them. Raises what the last secret
    failed for if none is valid, Unauthenticated if none was sent, Forbidden, RateLimited.
    """
    site = site_of(request)
    failure: OfftakeError = Unauthenticated("This needs a key.", hint=HOW)
    for secret in secrets:
        try:
            principal = authenticate(site.runtime, secret)
        except (Unauthenticated, Unavailable) as error:  # the issuer of one may be away, the next be a key
            failure = error
        else:
            return _admit(site, request, principal)
    raise failure


def _admit(site: Site, request: Request, principal: Principal) -> Principal:
    request.state.principal = principal
    count_request(request, principal)
    _check_tenant(site, principal, request.headers.get("x-tenant-uuid"))
    return principal


def read_secret(headers: Headers) -> str | None:
    """The key that was sent, or None. Raises Unauthenticated if two different ones were."""
    found = {value.strip() for value in headers.getlist("x-api-key")} | set(bearer_secrets(headers))
    if len(found) > 1:
        raise Unauthenticated("Two different keys were sent.", hint="Send one key in one header.")
    return found.pop() if found else None


def bearer_secrets(headers: Headers) -> list[str]:
    """What `Authorization: Bearer` headers hold."""
    sent = [value.strip().partition(" ") for value in headers.getlist("authorization")]
    return [secret.strip() for scheme, _, secret in sent if scheme.lower() == "bearer"]


def _check_tenant(site: Site, principal: Principal, asked: str | None) -> None:
    if asked is None:
        return
    tenant = site.runtime.tenants.get(principal.tenant or "")
    if tenant is None or (asked != tenant.name and asked.lower() != tenant.uuid.lower()):
        raise Forbidden("This key belongs to another tenant.", hint="Leave x-tenant-uuid out, or send the key's own.")


Caller = Annotated[Principal, Depends(authenticate_request)]
