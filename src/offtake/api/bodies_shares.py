"""What requests about shares may hold."""

from typing import Annotated

from pydantic import Field

from offtake.api.bodies import Body
from offtake.service.shares import LONGEST_S, MOST_DOWNLOADS


class ShareBody(Body):
    """How long a share shall last and how often it may be used."""

    expires_in_s: Annotated[int, Field(ge=1, le=LONGEST_S)] | None = Field(
        None, description="If absent, until it is revoked."
    )
    max_downloads: Annotated[int, Field(ge=1, le=MOST_DOWNLOADS)] | None = Field(
        None, description="If absent, any number."
    )
