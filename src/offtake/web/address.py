"""Where this service is reached from outside, and where requests come from."""

import ipaddress

from starlette.requests import Request
from starlette.types import Scope

from offtake.web.site import site_of


def absolute_url(request: Request, path: str) -> str:
    """A path of ours as a whole URL: below `public_url` if one is set, else below the request's scheme and Host."""
    return (site_of(request).runtime.public_url or str(request.base_url).rstrip("/")) + path


def client_network(scope: Scope) -> str:
    """Where a request comes from, as one customer of a provider: an IPv4 address, or the /64 around an IPv6 one.

    Trusted proxies have been believed by then. Empty where the server does not know, as on a Unix socket.
    """
    host = (scope.get("client") or ("",))[0]
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return str(host)
    address = getattr(address, "ipv4_mapped", None) or address
    return str(address) if address.version == 4 else str(ipaddress.ip_network((address, 64), strict=False))
