"""What keys and tenants have taken: requests a minute, downloads at once, rows and bytes a day."""

import math
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from limits import RateLimitItem, RateLimitItemPerDay, parse
from limits.errors import ConfigurationError, StorageError
from limits.storage import MemoryStorage, Storage, storage_from_string
from limits.strategies import FixedWindowRateLimiter, SlidingWindowCounterRateLimiter

from offtake.errors import InvalidConfig, RateLimited, Unavailable
from offtake.model.access import Principal
from offtake.model.limits import Limits

TIDY_S = 60.0
ANSWER_S = 5.0  # for the store of the counters


@dataclass(frozen=True)
class Allowance:
    """Where somebody stands who has just asked: requests a window, how many are left, when there are more again.

    `reset_at` is in seconds since 1970. `refusal`: this one was already too many.
    """

    limit: int
    remaining: int
    reset_at: int
    refusal: RateLimited | None = None


class _Memory(MemoryStorage):
    """The library's counters in memory, without its habit of starting a thread with almost every count."""

    tidied_at = 0.0

    def _MemoryStorage__schedule_expiry(self) -> None:  # noqa: N802  (the only place where it can be held back)
        if time.monotonic() - self.tidied_at > TIDY_S:
            self.tidied_at = time.monotonic()
            super()._MemoryStorage__schedule_expiry()  # type: ignore[misc]


class Counters:
    """The counters behind `Limits`. Requests, rows and bytes are counted in `limits.store` if it names one.

    Downloads at once are always counted by each process for itself: a crashed one could not give a shared slot back.
    """

    def __init__(self, limits: Limits) -> None:
        try:
            storage = _open_storage(limits.store) if limits.store else _Memory()
            self._rate, self._tenant_rate = _rate(limits.rate), _rate(limits.rate_per_tenant)
        except (ConfigurationError, ValueError) as error:
            raise InvalidConfig(
                "limits: the rate or the store cannot be read.",
                hint='Write the rate like "60000/minute" and the store like redis://host:6379.',
            ) from error
        self._limits = limits
        self._requests = SlidingWindowCounterRateLimiter(storage)
        self._days = FixedWindowRateLimiter(storage)
        self._rows = RateLimitItemPerDay(limits.rows_per_day, namespace="rows") if limits.rows_per_day else None
        self._bytes = RateLimitItemPerDay(limits.bytes_per_day, namespace="bytes") if limits.bytes_per_day else None
        self._lock = threading.Lock()
        self._running: Counter[str] = Counter()

    @property
    def is_shared(self) -> bool:
        """Whether counting asks another machine, which no event loop should wait for."""
        return bool(self._limits.store)

    def count_request(self, principal: Principal) -> Allowance | None:
        """Count one request of the key and of its tenant: how the one with less left stands. None without rates.

        Raises Unavailable while the store of the counters does not answer, as all that ask it do.
        """
        key = self._count(self._rate, principal.id, "This key")
        if self._tenant_rate is None or (key is not None and key.refusal is not None):
            return key
        tenant = self._count(self._tenant_rate, f"tenant {principal.tenant}", "This tenant")
        assert tenant is not None
        return tenant if key is None or tenant.refusal or tenant.remaining < key.remaining else key

    def count_stranger(self, address: str) -> Allowance | None:
        """Count one request that came from there without a valid credential; None where no rate is set."""
        return self._count(self._rate, f"address {address}", "Without a valid key, this address")

    def _count(self, rate: RateLimitItem | None, who: str, called: str) -> Allowance | None:
        if rate is None:
            return None
        with _asking():
            is_allowed = self._requests.hit(rate, who)
            reset_time, remaining = self._requests.get_window_stats(rate, who)
        now = time.time()
        reset_at = math.ceil(max(reset_time, now + 1))
        refusal = None if is_allowed else _limited(f"{called} may send {_told(rate)}.", math.ceil(reset_at - now))
        return Allowance(rate.amount, remaining, reset_at, refusal)

    @contextmanager
    def slot(self, principal: Principal) -> Iterator[None]:
        """Room for one read of the principal, given back at the end. Raises RateLimited if it has as many as it may."""
        places = (
            (f"key {principal.id}", self._limits.downloads_per_key, "This key"),
            (f"tenant {principal.tenant}", self._limits.downloads_per_tenant, "This tenant"),
        )
        with self._lock:
            for place, allowed, who in places:
                if allowed and self._running[place] >= allowed:
                    raise _limited(f"{who} has {allowed} downloads running, as many as it may.", 5)
            for place, _, _ in places:
                self._running[place] += 1
        try:
            yield
        finally:
            with self._lock:
                for place, _, _ in places:
                    self._running[place] -= 1
                    if not self._running[place]:
                        del self._running[place]

    def check_day(self, principal: Principal) -> None:
        """Raise RateLimited if the tenant has had its rows or bytes of the day."""
        for item, what in ((self._rows, "rows"), (self._bytes, "bytes")):
            if item is None:
                continue
            with _asking():
                has_had_all = not self._days.test(item, str(principal.tenant))
                reset_time, _ = self._days.get_window_stats(item, str(principal.tenant))
            if has_had_all:
                raise _limited(
                    f"This tenant has had its {item.amount} {what} of the day.",
                    max(1, math.ceil(reset_time - time.time())),
                )

    def count_rows(self, principal: Principal, rows: int) -> None:
        """Add to the tenant's rows of the day. The download that crosses the line still finishes."""
        self._add(self._rows, principal, rows)

    def count_bytes(self, principal: Principal, size: int) -> None:
        """Add to the tenant's bytes of the day, counted as they leave, compressed or not."""
        self._add(self._bytes, principal, size)

    def _add(self, item: RateLimitItem | None, principal: Principal, amount: int) -> None:
        if item is not None and amount:
            with suppress(StorageError):  # no file is cut for this
                self._days.hit(item, str(principal.tenant), cost=amount)


def _open_storage(url: str) -> Storage:
    redis: dict[str, float | str | bool] = {"socket_timeout": ANSWER_S, "socket_connect_timeout": ANSWER_S}
    storage = storage_from_string(url, wrap_exceptions=True, **(redis if url.startswith("redis") else {}))
    assert isinstance(storage, Storage)
    return storage


@contextmanager
def _asking() -> Iterator[None]:
    try:
        yield
    except StorageError:
        raise Unavailable("Requests cannot be counted at the moment.", hint="Try again in a few seconds.") from None


def _rate(text: str) -> RateLimitItem | None:
    rate = parse(text) if text else None
    return rate if rate is not None and rate.amount else None


def _told(rate: RateLimitItem) -> str:
    period = rate.GRANULARITY.name if rate.multiples == 1 else f"{rate.multiples} {rate.GRANULARITY.name}s"
    return f"{rate.amount} requests per {period}"


def _limited(detail: str, retry_after_s: int) -> RateLimited:
    return RateLimited(detail, hint=f"Try again in {retry_after_s} seconds.", extra={"retry_after_s": retry_after_s})
