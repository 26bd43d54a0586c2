"""What requests about webhooks may hold."""

from typing import Annotated

from pydantic import Field

from offtake.api.bodies import Body
from offtake.web.bodies import Text


class WebhookBody(Body):
    """Where a webhook leads and what it is told of."""

    url: Annotated[str, Field(max_length=2000, description="https:// or http://, on the public internet.")]
    events: Annotated[list[Text], Field(max_length=20, description="Such as `export.succeeded`.")]


class NewWebhookBody(WebhookBody):
    """A webhook to make."""

    dialect: Text | None = Field(
        None, description="Such as `rebilly`: told of exports made through that API, in its words."
    )


class ChangedWebhookBody(WebhookBody):
    """All of it anew."""

    is_active: bool = Field(True, description="`false`: it is told of nothing.")
