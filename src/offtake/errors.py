"""Every expected failure, once: a class, its code, its HTTP status, whether trying again can help.

Anything that can go wrong for a reason outside this code is one of these classes. The detail is for people, the hint
names the way out. Neither may hold a secret, a row's value (beyond what the caller itself sent) or a driver's message
that might contain one. `docs/errors.md` lists every code; a test keeps the two equal.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar


class OfftakeError(Exception):
    """An expected failure. `extra` joins the problem document (RFC 9457 §3.2); `problems`: (JSON pointer, detail)."""

    code: ClassVar[str] = "INTERNAL"
    status: ClassVar[int] = 500
    retryable: ClassVar[bool] = False

    def __init__(
        self,
        detail: str,
        *,
        hint: str = "",
        pointer: str = "",
        problems: Sequence[tuple[str, str]] = (),
        extra: Mapping[str, int | str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.hint = hint
        self.problems = tuple(problems) or (((pointer, detail),) if pointer else ())
        self.extra = dict(extra or {})


class InvalidHeader(OfftakeError):
    """A header that cannot be read, where passing it over would do something else than was meant."""

    code, status = "INVALID_HEADER", 400


class Unauthenticated(OfftakeError):
    """No credential, or one nobody knows, or one that has ended."""

    code, status = "UNAUTHENTICATED", 401


class Forbidden(OfftakeError):
    """The principal is known and may not do this, whatever its scopes."""

    code, status = "FORBIDDEN", 403


class InsufficientScope(OfftakeError):
    """The principal lacks a scope that its key could be given."""

    code, status = "INSUFFICIENT_SCOPE", 403


class NotFound(OfftakeError):
    """There is no such thing, or it is another tenant's."""

    code, status = "NOT_FOUND", 404


class MethodNotAllowed(OfftakeError):
    """The path exists, the method on it does not."""

    code, status = "METHOD_NOT_ALLOWED", 405


class NotAcceptable(OfftakeError):
    """No representation fits the Accept header."""

    code, status = "NOT_ACCEPTABLE", 406


class Conflict(OfftakeError):
    """The thing is not in a state that allows this."""

    code, status = "CONFLICT", 409


class NotReady(OfftakeError):
    """The file is not finished yet."""

    code, status, retryable = "NOT_READY", 409, True


class Expired(OfftakeError):
    """The link, token or artifact had its time."""

    code, status = "EXPIRED", 410


class Revoked(OfftakeError):
    """Somebody took the link or token back."""

    code, status = "REVOKED", 410


class PreconditionFailed(OfftakeError):
    """If-Match or If-Unmodified-Since does not hold (RFC 9110 §13)."""

    code, status = "PRECONDITION_FAILED", 412


class TooLarge(OfftakeError):
    """The request's body is larger than the server reads."""

    code, status = "TOO_LARGE", 413


class UnsupportedMediaType(OfftakeError):
    """The body is of a type the route does not read."""

    code, status = "UNSUPPORTED_MEDIA_TYPE", 415


class RangeNotSatisfiable(OfftakeError):
    """The Range header asks for bytes the file does not have."""

    code, status = "RANGE_NOT_SATISFIABLE", 416


class InvalidRequest(OfftakeError):
    """The request's shape or one of its values is wrong."""

    code, status = "INVALID_REQUEST", 422


class UnknownField(OfftakeError):
    """The dataset has no such field, or this principal does not see it."""

    code, status = "UNKNOWN_FIELD", 422


class InvalidFilter(OfftakeError):
    """A filter names an operator, a value or a field that do not go together."""

    code, status = "INVALID_FILTER", 422


class InvalidFormat(OfftakeError):
    """No such format, or an option it does not take."""

    code, status = "INVALID_FORMAT", 422


class InvalidRange(OfftakeError):
    """A date range that cannot be read, or that ends before it starts."""

    code, status = "INVALID_RANGE", 422


class InvalidCursor(OfftakeError):
    """A page cursor this server did not sign for this question."""

    code, status = "INVALID_CURSOR", 422


class RowLimitExceeded(OfftakeError):
    """More rows match than the dataset lets out; `extra` holds `matched` and `allowed`."""

    code, status = "ROW_LIMIT_EXCEEDED", 422


class NoRows(OfftakeError):
    """Nothing matches, and the request asked not to get a file without rows."""

    code, status = "NO_ROWS", 422


class IdempotencyMismatch(OfftakeError):
    """The Idempotency-Key was used with another body."""

    code, status = "IDEMPOTENCY_MISMATCH", 422


class RateLimited(OfftakeError):
    """Too many requests or too many downloads at once; `extra["retry_after_s"]` says when to try again."""

    code, status, retryable = "RATE_LIMITED", 429, True


class SourceFailed(OfftakeError):
    """The database refused, broke off or is not there."""

    code, status, retryable = "SOURCE_FAILED", 502, True


class SourceTimeout(OfftakeError):
    """The database did not answer in the time the settings give it."""

    code, status, retryable = "SOURCE_TIMEOUT", 504, True


class StoreFailed(OfftakeError):
    """The store of artifacts refused, broke off or is not there."""

    code, status, retryable = "STORE_FAILED", 502, True


class StoreFull(OfftakeError):
    """No room is left where the file should go."""

    code, status, retryable = "STORE_FULL", 507, True


class Unavailable(OfftakeError):
    """What we need ourselves does not answer: the app database, the counters' store, the keys of a token's issuer."""

    code, status, retryable = "UNAVAILABLE", 503, True


class AttemptFailed(OfftakeError):
    """The process that ran a job ended before the job did: killed, out of memory, or broken."""

    code, status, retryable = "ATTEMPT_FAILED", 500, True


class DeliveryFailed(OfftakeError):
    """A mail, webhook or copy did not arrive, and may the next time; `extra["answered"]` is a webhook's HTTP status."""

    code, status, retryable = "DELIVERY_FAILED", 502, True


class DeliveryRefused(OfftakeError):
    """A mail, webhook or copy that will never arrive as it is: its address is not allowed, or nobody takes it there."""

    code, status = "DELIVERY_REFUSED", 422


class InvalidConfig(OfftakeError):
    """offtake.yaml, the environment or a secret file is wrong; the detail names file and line. Never over HTTP."""

    code, status = "INVALID_CONFIG", 500


class Cancelled(OfftakeError):
    """The reader went away or asked to stop. Nothing is answered to anybody; it only unwinds the read."""

    code, status = "CANCELLED", 499


ERRORS: tuple[type[OfftakeError], ...] = (OfftakeError, *OfftakeError.__subclasses__())
