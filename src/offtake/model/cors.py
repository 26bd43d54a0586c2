"""Which pages of other origins may call the service from a browser."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Cors:
    """`origins` such as https://app.example.com, or `*` for all; none = no page but our own.

    `max_age_s`: how long browsers may remember the answer.
    """

    origins: tuple[str, ...] = ()
    max_age_s: int = 600


NO_CORS = Cors()
