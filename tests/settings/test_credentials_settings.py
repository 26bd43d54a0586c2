"""Whose tokens are believed, who may ask how often, and from which pages, as offtake.yaml says it."""

from pathlib import Path

import pytest

from offtake.model.cors import NO_CORS, Cors
from offtake.model.token import Algorithm, ClaimPaths, Issuer
from offtake.service.counters import Counters
from settings.conftest import Load


def test_nobodys_tokens_are_believed_unless_told(load: Load) -> None:
    assert load("{}").issuers == ()


def test_an_issuer_needs_its_name_an_audience_and_its_keys(load: Load, tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text('{"keys": []}')
    told = load("""
        jwt:
          leeway_s: 5
          issuers:
          - {issuer: a, audience: b, jwks_file: keys.json}
          - {issuer: c, audience: [d, e], jwks_url: "https://f/g", algorithms: [ES384], claims: {roles: h.i}}
    """)
    algorithm = (Algorithm.ES384,)
    assert told.issuers == (
        Issuer("a", ("b",), str(tmp_path / "keys.json"), leeway_s=5),
        Issuer("c", ("d", "e"), "https://f/g", algorithm, ClaimPaths(roles="h.i"), leeway_s=5),
    )
    assert told.issuers[0].algorithms == ("RS256", "ES256")


def test_no_page_of_another_origin_may_call_unless_told(load: Load) -> None:
    assert load("{}").cors == NO_CORS
    origins = ("https://app.example.com", "http://localhost:3000", "http://[::1]:3000", "capacitor://localhost", "*")
    assert load(f"cors: {{origins: {[*origins]}, max_age_s: 0}}").cors == Cors(origins, 0)


def test_tenants_have_a_rate_if_told(load: Load) -> None:
    assert load("{}").limits.rate_per_tenant == ""
    assert load("limits: {rate_per_tenant: 100 per 5 minutes}").limits.rate_per_tenant == "100 per 5 minutes"


@pytest.mark.parametrize("text", ["rate_limit: 0", "limits: {rate: 0, rate_per_tenant: 0}"])
def test_a_rate_of_nought_is_none(load: Load, text: str) -> None:
    assert Counters(load(text).limits).count_stranger("192.0.2.7") is None
