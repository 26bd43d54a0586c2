"""From the settings to a bucket: which cloud, which bucket, whose credentials, how patient."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from obstore.exceptions import BaseError
from obstore.store import AzureStore, GCSStore, S3Store

from offtake.errors import InvalidConfig
from offtake.model.ports import StoreSpec
from offtake.store.objects import Bucket, Driver

_URL = re.compile(r"(?P<scheme>\w+)://(?P<bucket>[A-Za-z0-9][A-Za-z0-9._-]+)(?:/(?P<prefix>[^?#]*))?")


@dataclass(frozen=True)
class Cloud:
    """How to open its buckets, and what our settings are called there."""

    open: Callable[..., Driver]
    settings: Mapping[str, str]
    credentials: str  # where they come from, for people


CLOUDS: Mapping[str, Cloud] = {
    "s3": Cloud(
        S3Store,
        {each: each for each in ("endpoint", "region", "access_key_id", "secret_access_key")},
        "Give `access_key_id` and `secret_access_key`, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
    ),
    "gs": Cloud(GCSStore, {}, "Set GOOGLE_APPLICATION_CREDENTIALS to the path of the service account's file."),
    "az": Cloud(
        AzureStore,
        {"endpoint": "endpoint", "access_key_id": "account_name", "secret_access_key": "account_key"},
        "Give the account's name as `access_key_id` and its key as `secret_access_key`, or set "
        "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY.",
    ),
}


def open_bucket(spec: StoreSpec) -> Bucket:
    """The store in that bucket; nothing is sent yet. Raises InvalidConfig."""
    found = _URL.fullmatch(spec.url)
    if found is None:
        raise InvalidConfig(
            "store: the URL names no bucket we could use.", hint="Write it like s3://bucket/prefix, without a password."
        )
    cloud = CLOUDS[found["scheme"]]
    config = _config(spec, cloud, found["scheme"])
    _check_endpoint(spec)

    def driver(timeout_s: float, retry_s: float) -> Driver:
        return cloud.open(
            found["bucket"],
            prefix=(found["prefix"] or "").strip("/") or None,
            config=config,
            client_options=_client(spec, timeout_s),
            retry_config=_retries(retry_s),
        )

    try:
        # A refusal of some seconds is waited out, a longer one is for the job to wait out. A request is at most a part.
        return Bucket(driver(timeout_s=60, retry_s=6), probe=driver(timeout_s=5, retry_s=0))
    except (BaseError, ValueError):
        raise InvalidConfig("store: the bucket's credentials are missing or wrong.", hint=cloud.credentials) from None


def _config(spec: StoreSpec, cloud: Cloud, scheme: str) -> dict[str, str]:
    config = {}
    for name in ("endpoint", "region", "access_key_id", "secret_access_key"):
        value = getattr(spec, name)
        if value and name not in cloud.settings:
            raise InvalidConfig(
                f"store: `{name}` does not apply to {scheme}://.", hint=f"Remove it. {cloud.credentials}"
            )
        if value:
            config[cloud.settings[name]] = value
    return config


def _check_endpoint(spec: StoreSpec) -> None:
    if not spec.endpoint:
        return
    try:
        parts = urlsplit(spec.endpoint)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and not (parts.query or parts.username)
    except ValueError:
        usable = False
    if not usable:
        raise InvalidConfig("store: `endpoint` is no address.", hint="Write it like https://s3.example.com.")
    if parts.scheme == "http" and not spec.allow_http:
        raise InvalidConfig(
            "store: `endpoint` is http://, so everything would travel in the clear.",
            hint="Use https://, or set `allow_http: true`.",
        )


def _client(spec: StoreSpec, timeout_s: float) -> dict[str, Any]:
    options: dict[str, Any] = {"connect_timeout": timedelta(seconds=5), "timeout": timedelta(seconds=timeout_s)}
    return options | ({"allow_http": True} if spec.allow_http else {})


def _retries(seconds: float) -> dict[str, Any]:
    return {
        "max_retries": 20 if seconds else 0,
        "retry_timeout": timedelta(seconds=seconds),
        "backoff": {"init_backoff": timedelta(seconds=0.2), "max_backoff": timedelta(seconds=2), "base": 2},
    }
