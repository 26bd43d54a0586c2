"""Where this service is reached from outside."""

from starlette.requests import Request

from offtake.web.site import site_of


def absolute_url(request: Request, path: str) -> str:
    """A path of ours as a whole URL: below `public_url` if one is set, else below the request's scheme and Host."""
    return (site_of(request).runtime.public_url or str(request.base_url).rstrip("/")) + path
