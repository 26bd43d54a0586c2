"""What the audit calls a request to a route."""

import pytest

from offtake.web.audit import action_of


@pytest.mark.parametrize(
    ("method", "route", "action"),
    [
        ("GET", "/api/v1/datasets", "dataset.list"),
        ("GET", "/api/v1/datasets/{name}/download", "dataset.download"),
        ("POST", "/api/v1/datasets/{name}/preview", "dataset.preview"),
        ("POST", "/api/v1/exports", "export.submit"),
        ("GET", "/api/v1/exports/{export_id}", "export.read"),
        ("DELETE", "/api/v1/exports/{export_id}", "export.delete"),
        ("POST", "/api/v1/exports/{export_id}/links", "link.create"),
        ("PUT", "/api/v1/definitions/{definition_id}", "definition.update"),
        ("POST", "/api/v1/deliveries/{delivery_id}/redeliver", "delivery.redeliver"),
        ("GET", "/api/v1/definitions/{definition_id}/pages", "pages.read"),
        ("POST", "/api/v1/definitions/{definition_id}/shares", "share.create"),
        ("POST", "/api/v1/schedules", "schedule.create"),
        ("POST", "/api/v1/schedules/{schedule_id}/pause", "schedule.pause"),
        ("DELETE", "/api/v1/webhooks/{webhook_id}", "webhook.delete"),
        ("POST", "/api/v1/keys/{key_id}/rotate", "key.rotate"),
        ("GET", "/s/{token}", "share.use"),
        ("GET", "/healthz", ""),
        ("GET", "none", ""),
        ("BREW", "/api/v1/exports", ""),
    ],
)
def test_a_route_is_called_by_its_thing_and_what_is_done_to_it(method: str, route: str, action: str) -> None:
    assert action_of(method, route) == action
