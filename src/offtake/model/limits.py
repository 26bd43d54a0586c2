"""How much one key and one tenant may take at a time."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """0 = none, for every number, and empty for every rate, in the notation of the `limits` library ("60000/minute").

    `rate` is that of each key, and of each address that sends no valid one.

    `store` is a Redis URL that shares the counters between processes; without one each process counts for itself.
    """

    rate: str = "60000/minute"
    rate_per_tenant: str = ""
    downloads_per_key: int = 8
    downloads_per_tenant: int = 32
    download_s: int = 3600
    rows_per_day: int = 0
    bytes_per_day: int = 0
    body_bytes: int = 1_000_000
    snapshots_per_tenant: int = 500
    snapshot_bytes_per_tenant: int = 10_000_000_000
    store: str = ""
