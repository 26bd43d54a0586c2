"""Keys of the caller's tenant: list, make, revoke, rotate."""

from fastapi import APIRouter
from starlette.requests import Request

from offtake.api.answers import KeyList, NewKeyAnswer, key_answer, new_key_answer
from offtake.api.bodies import KeyBody
from offtake.api.spec import problems
from offtake.errors import InvalidRequest
from offtake.service import access
from offtake.web.auth import Caller
from offtake.web.site import site_of

ROUTES = APIRouter(prefix="/api/v1/keys", tags=["keys"])


@ROUTES.get("", responses=problems())
def get_keys(request: Request, caller: Caller) -> KeyList:
    """Every key of the tenant, ended ones too, without secrets."""
    return KeyList(tuple(key_answer(key) for key in access.list_keys(site_of(request).runtime, caller)))


@ROUTES.post("", status_code=201, responses=problems(413, 415))
def post_key(request: Request, body: KeyBody, caller: Caller) -> NewKeyAnswer:
    """Make a key. Its secret is in this answer and nowhere else, ever."""
    tenant = body.tenant or caller.tenant
    if tenant is None:
        raise InvalidRequest("Whose key shall it be?", hint="Name a tenant.", pointer="/tenant")
    key, secret = access.create_key(
        site_of(request).runtime,
        caller,
        tenant=tenant,
        scopes=body.scopes,
        roles=body.roles,
        expires_at=body.expires_at,
    )
    return new_key_answer(key, secret)


@ROUTES.delete("/{key_id}", status_code=204, responses=problems())
def delete_key(request: Request, key_id: str, caller: Caller) -> None:
    """Revoke a key at once."""
    access.revoke_key(site_of(request).runtime, caller, key_id)


@ROUTES.post("/{key_id}/rotate", responses=problems(409))
def post_rotate(request: Request, key_id: str, caller: Caller) -> NewKeyAnswer:
    """Give a key a new secret; the old one ends at once."""
    key, secret = access.rotate_key(site_of(request).runtime, caller, key_id)
    return new_key_answer(key, secret)
