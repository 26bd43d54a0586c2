"""Whose tokens are believed: JWTs (RFC 7519) of issuers that the settings name."""

import hashlib
import re
from dataclasses import dataclass
from enum import StrEnum

HOLDER = "jwt_"
_ISSUER_CHARS, _SUBJECT_CHARS = 8, 32
_FORM = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")


class Algorithm(StrEnum):
    """What tokens may be signed with (RFC 7518 §3.1).

    Public keys only: `none` proves nothing, and HS256 and its like would make a secret of what everybody can read.
    """

    RS256 = "RS256"
    RS384 = "RS384"
    RS512 = "RS512"
    PS256 = "PS256"
    PS384 = "PS384"
    PS512 = "PS512"
    ES256 = "ES256"
    ES384 = "ES384"
    ES512 = "ES512"


@dataclass(frozen=True)
class ClaimPaths:
    """Where a token says what its holder is and may do: a claim's name, or a path such as `realm_access.roles`."""

    tenant: str = "tenant"
    roles: str = "roles"
    scopes: str = "scope"


@dataclass(frozen=True)
class Issuer:
    """Who signs tokens. `name` and one of the `audiences` are what `iss` and `aud` must say, to the letter.

    `jwks` is where its public keys are (RFC 7517 §5): an http(s) URL, or the path of a file.
    """

    name: str
    audiences: tuple[str, ...]
    jwks: str
    algorithms: tuple[Algorithm, ...] = (Algorithm.RS256, Algorithm.ES256)
    claims: ClaimPaths = ClaimPaths()
    leeway_s: int = 30
    cache_s: int = 300


def is_token(text: str) -> bool:
    """Whether it has the form of a signed token: three words of base64url (RFC 7515 §7.1)."""
    return _FORM.fullmatch(text) is not None


def holder_id(issuer: str, subject: str) -> str:
    """The principal of every token of one subject: `jwt_` and the first digits of two SHA-256.

    One of the issuer's name, one of that and the subject, which may name a person: ids are in logs and in the audit.
    """
    return issuer_mark(issuer) + _digest(f"{issuer}\n{subject}")[:_SUBJECT_CHARS]


def issuer_mark(issuer: str) -> str:
    """What the ids of all holders of its tokens begin with."""
    return f"{HOLDER}{_digest(issuer)[:_ISSUER_CHARS]}_"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
