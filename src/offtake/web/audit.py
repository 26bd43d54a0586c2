"""One request, at most one line of the audit: what its route does, how it ended, who asked from where."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import anyio
from anyio.to_thread import run_sync

from offtake.errors import OfftakeError
from offtake.model.audit import Outcome
from offtake.model.ids import is_id
from offtake.service.audit import record
from offtake.service.trail import Trail
from offtake.web.entrypoint import entrypoint_of
from offtake.web.site import Site

# What the rule of `action_of` would call otherwise.
NAMED = {
    ("POST", "/api/v1/exports"): "export.submit",
    ("GET", "/api/v1/audit"): "audit.read",
    ("GET", "/api/v1/definitions/{}/pages"): "pages.read",
    ("GET", "/api/v1/definitions/{}/shares"): "share.list",
    ("GET", "/api/v1/exports/{}/shares"): "share.list",
    ("POST", "/api/v1/definitions/{}/shares"): "share.create",
    ("POST", "/api/v1/exports/{}/shares"): "share.create",
    ("POST", "/api/v1/exports/{}/links"): "link.create",
    ("DELETE", "/api/v1/shares/{}"): "share.revoke",
    ("DELETE", "/api/v1/keys/{}"): "key.revoke",
    ("GET", "/s/{}"): "share.use",
}
VERBS = {"PUT": "update", "PATCH": "update", "DELETE": "delete", "GET": "read", "POST": "create"}
# Lists, descriptions and progress, which people's screens ask for all day: only who was refused them is written down.
QUIET = re.compile(r"[a-z_]+\.(list|events|runs|next|deliveries)|export\.read|dataset\.read")
REDIRECTED = 307


class Seen(NamedTuple):
    """What only the gate knows of a request. `status` 0 = it was never answered."""

    method: str
    route: str
    status: int
    sent: int
    request_id: str
    scope: Mapping[str, Any]

    @property
    def state(self) -> Mapping[str, Any]:
        """What routes left about it."""
        state: Mapping[str, Any] = self.scope["state"]
        return state


def action_of(method: str, route: str) -> str:
    """What a request to that route does, such as `definition.update`; empty if it is nothing to write down.

    Below `/api/v1`: the thing, and the last word of the path or else what the method does with it.
    """
    path = re.sub(r"\{[^}]*\}", "{}", route)
    if (method, path) in NAMED:
        return NAMED[method, path]
    words = path.removeprefix("/api/v1/").split("/")
    if not path.startswith("/api/v1/") or method not in VERBS:
        return ""
    thing = "delivery" if words[0] == "deliveries" else words[0].removesuffix("s")
    if len(words) == 1:
        return f"{thing}.{'list' if method == 'GET' else VERBS[method]}"
    inner = [word for word in words[1:] if word != "{}"]
    return f"{thing}.{inner[-1] if inner else VERBS[method]}"


async def write_audit(site: Site, trail: Trail, seen: Seen) -> None:
    """Write the request down, once its last byte was sent. If that fails the log says what was lost; nobody waits."""
    outcome = _outcome(seen)
    if not _complete(site, trail, seen) or (outcome is Outcome.OK and QUIET.fullmatch(trail.action)):
        return
    if outcome is Outcome.REFUSED and site.repeats.is_one(trail.principal, trail.action, trail.thing, trail.detail):
        return
    address = (seen.scope.get("client") or (None,))[0]

    def write() -> None:
        record(site.runtime, trail, outcome, bytes=seen.sent, address=address, request_id=seen.request_id)

    try:
        with anyio.CancelScope(shield=True):
            await run_sync(write, limiter=site.audits)
    except Exception as error:
        lost = {"action": trail.action, "key": trail.principal, "thing": trail.thing, "outcome": str(outcome)}
        site.log.error("audit lost", request_id=seen.request_id, type=type(error).__name__, **lost)


def _complete(site: Site, trail: Trail, seen: Seen) -> bool:
    """Fill in what the request itself says; False if nobody we know was at the door, or nothing was done."""
    principal, failure = seen.state.get("principal"), seen.state.get("failure")
    if principal is not None:
        trail.principal, trail.tenant = principal.id, principal.tenant
    trail.action = (
        trail.action
        or _action_in_dialect(site, seen)
        or action_of("GET" if seen.method == "HEAD" else seen.method, seen.route)
    )
    asked: Mapping[str, str] = seen.scope.get("path_params", {})
    if asked.get("name") in site.runtime.datasets:
        trail.dataset = asked["name"]
    named = [text for text in asked.values() if is_id(text)]  # anything else may be a secret, or a novel
    if named:
        made = trail.thing if trail.thing != named[-1] else None
        trail.thing, trail.detail = named[-1], trail.detail or made
    if isinstance(failure, OfftakeError):
        trail.detail = failure.code
    elif seen.method == "HEAD":
        trail.detail = trail.detail or "HEAD"
    elif seen.status == REDIRECTED:
        trail.detail = "REDIRECTED"
    return bool(trail.action) and trail.tenant is not None


def _action_in_dialect(site: Site, seen: Seen) -> str:
    actions = entrypoint_of(site.entrypoints, seen.scope["path"]).actions
    return actions.get(getattr(seen.scope.get("route"), "name", ""), "")


def _outcome(seen: Seen) -> Outcome:
    if seen.state.get("failure") is not None or seen.status >= 500 or not seen.status:
        return Outcome.FAILED
    return Outcome.REFUSED if seen.status >= 400 else Outcome.OK
