"""Whose tokens are believed, as offtake.yaml says it."""

from pathlib import Path

from offtake.model.token import Algorithm, ClaimPaths, Issuer
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
