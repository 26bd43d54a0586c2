"""Who asked, as JSON in a row: the same everywhere something belongs to somebody."""

import json
from dataclasses import asdict

from offtake.model.access import Principal


def write_principal(principal: Principal) -> str:
    """The principal as JSON; `read_principal` is its inverse."""
    lists = {"scopes": sorted(principal.scopes), "roles": sorted(principal.roles)}
    return json.dumps(asdict(principal) | lists)


def read_principal(text: str) -> Principal:
    """The principal that was written down."""
    found = json.loads(text)
    return Principal(**found | {"scopes": frozenset(found["scopes"]), "roles": frozenset(found["roles"])})
