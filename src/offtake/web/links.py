"""What a signed link opens, for whoever holds it."""

from starlette.requests import Request

from offtake.model.job import Artifact
from offtake.service.links import Link, open_link
from offtake.web.rates import count_stranger
from offtake.web.site import site_of


def find_linked(request: Request, link: Link) -> Artifact:
    """The file, with this request counted by its address. Raises what `open_link` raises, RateLimited."""
    count_stranger(request)
    return open_link(site_of(request).runtime, link)
