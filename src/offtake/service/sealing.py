"""What is kept so that whoever reads the app database cannot use it: sealed with the newest of `secrets:`."""

import base64
import hashlib
import hmac

from offtake.errors import InvalidConfig
from offtake.model.access import Secret
from offtake.service.runtime import Runtime
from offtake.service.signing import signing_secret


def seal(runtime: Runtime, text: str) -> str:
    """The text, unreadable without our secrets (Fernet). Raises InvalidConfig without one that is valid."""
    # Imported here: it costs time that an export on the command line need not pay.
    from cryptography.fernet import Fernet

    return Fernet(_key(signing_secret(runtime))).encrypt(text.encode()).decode()


def unseal(runtime: Runtime, sealed: str) -> str:
    """The text, whichever of our secrets sealed it. Raises InvalidConfig if none of them did."""
    from cryptography.fernet import Fernet, InvalidToken

    for secret in reversed(runtime.secrets):
        try:
            return Fernet(_key(secret)).decrypt(sealed).decode()
        except InvalidToken:
            continue
    raise InvalidConfig(
        "None of `secrets:` opens what was sealed.", hint="Put the former secret back, or rotate what it sealed."
    )


def _key(secret: Secret) -> bytes:
    """A key for this purpose only, so that a signature tells nothing of it."""
    return base64.urlsafe_b64encode(hmac.digest(secret.value, b"offtake: sealing", hashlib.sha256))
