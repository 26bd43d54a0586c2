"""What a bucket answers when it will not, in our words.

A driver's message holds addresses, our key's id and sometimes a session's token, so only the code in it is passed on.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from obstore.exceptions import AlreadyExistsError, BaseError, PreconditionError

from offtake.errors import Conflict, NotFound, OfftakeError, StoreFailed, StoreFull

_CODE = re.compile(r"<Code>(\w+)</Code>")
_STATUS = re.compile(r"status code: (\d{3})")
_FULL = re.compile(r"Quota|StorageFull|InsufficientStorage|OverLimit|\b507\b", re.IGNORECASE)
_NO_BUCKET = re.compile(r"<Code>(NoSuchBucket|ContainerNotFound)</Code>")

# The first that fits tells: (what the driver says, detail, hint).
_REFUSALS: tuple[tuple[re.Pattern[str], str, str], ...] = (
    (_NO_BUCKET, "The bucket is not there", "Create it, or correct `store` in the settings."),
    (
        re.compile(r"latest/api/token|latest/meta-data|computeMetadata|metadata/identity|CredentialProvider"),
        "No credentials for the bucket were found",
        "Give `store` its access_key_id and secret_access_key, or set the variables the cloud's own tools read.",
    ),
    (
        re.compile(r"PermanentRedirect|AuthorizationHeaderMalformed|IllegalLocationConstraint|status code: 301"),
        "The bucket is in another region",
        "Correct `region` of `store`.",
    ),
    (
        re.compile(r"status code: 40[13]|PermissionDenied|Unauthenticated"),
        "The bucket refused our credentials",
        "Check the credentials of `store`: they must let us read, write, list and delete in the bucket.",
    ),
    (
        re.compile(r"BadScheme"),
        "The bucket's endpoint is http://, which is not allowed",
        "Set `allow_http` of `store`, or use https.",
    ),
    (re.compile(r"kind: (Timeout|TimedOut)"), "The bucket did not answer in time", "Try again; look at its server."),
    (
        re.compile(r"kind: (Connect|Request|Interrupted|Decode)"),
        "The bucket cannot be reached",
        "Check `endpoint` of `store`, the network and that the server runs.",
    ),
)


def refusal(error: Exception, name: str) -> OfftakeError:
    """The driver's error as one of ours; `name` is the file it was about, if one."""
    said = str(error)
    if isinstance(error, AlreadyExistsError | PreconditionError):
        return Conflict(f"The store has a file {name!r} already.")
    if isinstance(error, FileNotFoundError) and name and not _NO_BUCKET.search(said):
        return NotFound(f"The store has no file {name!r}.")
    found = _CODE.search(said) or _STATUS.search(said)
    code = f" ({found[1]})" if found else ""
    if _FULL.search(code):
        return StoreFull(
            f"No room is left in the bucket{code}.", hint="Raise its quota, or keep artifacts for less long."
        )
    for pattern, detail, hint in _REFUSALS:
        if pattern.search(said):
            return StoreFailed(f"{detail}{code}.", hint=hint)
    return StoreFailed(f"The bucket failed{code}.", hint="Try again; look at its server.")


@contextmanager
def told(name: str = "", own: Sequence[BaseException] = ()) -> Iterator[None]:
    """Raise what the driver raises as our errors, without its message. What `own` holds came from us: it stays."""
    try:
        yield
    except (BaseError, OSError, ValueError) as error:
        if any(error is each for each in own):
            raise
        raise refusal(error, name) from None
