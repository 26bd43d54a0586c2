"""Proxies that may say for whom they ask, and what is not one."""

from settings.conftest import Load, Refusals


def test_proxies_are_addresses_or_networks(load: Load) -> None:
    assert load("{}").trusted_proxies == ()
    text = "trusted_proxies: [127.0.0.1, 10.0.0.0/8, 'fd00::/8']"
    assert load(text).trusted_proxies == ("127.0.0.1", "10.0.0.0/8", "fd00::/8")


def test_anything_else_is_refused_with_its_line(refusals: Refusals) -> None:
    told = refusals("trusted_proxies:\n- 10.0.0.0/8\n- everybody\n- 10.0.0.1/8\n")
    assert [line.split(" ")[0] for line in told] == ["offtake.yaml:3:", "offtake.yaml:4:"]


def test_the_audit_is_kept_for_a_year_unless_told(load: Load) -> None:
    assert load("{}").retention.audit_days == 365
    assert load("retention: {audit_days: 0}").retention.audit_days == 0
