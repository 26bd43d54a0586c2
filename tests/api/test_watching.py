"""Health, metrics and the pages about the API."""

import re
from pathlib import Path

import httpx2
import sqlalchemy as sa

from sites import FakeSource, bearer, few, make_key, make_runtime, serve

PARTS = "/readyz"


def test_ready_tells_strangers_only_whether(tmp_path: Path) -> None:
    runtime = make_runtime(tmp_path, {"good": FakeSource(few), "bad": FakeSource(few, is_up=False)})
    with serve(runtime) as site:
        stranger = httpx2.get(site.url + PARTS)
        friend = httpx2.get(site.url + PARTS, headers=bearer(make_key(runtime)))
        impostor = httpx2.get(site.url + PARTS, headers=bearer("ofk_x"))
    assert (stranger.status_code, stranger.json()) == (200, {"status": "degraded", "appdb": None, "sources": None})
    assert friend.json() == {"status": "degraded", "appdb": "ok", "sources": {"good": "ok", "bad": "failed"}}
    assert impostor.status_code == 401


def test_not_ready_when_no_source_answers(tmp_path: Path) -> None:
    with serve(make_runtime(tmp_path, {"bad": FakeSource(few, is_up=False)})) as site:
        answer = httpx2.get(site.url + PARTS)
        alive = httpx2.get(f"{site.url}/healthz")
    assert (answer.status_code, answer.json()["status"]) == (503, "not_ready")
    assert (alive.status_code, alive.json()["status"]) == (200, "alive")


def test_not_ready_when_the_app_database_is_gone(tmp_path: Path) -> None:
    runtime = make_runtime(tmp_path, {"good": FakeSource(few)})
    runtime.appdb.close()
    (tmp_path / "offtake.db").write_bytes(b"not a database, whatever its name says" * 100)
    with serve(runtime) as site:
        assert httpx2.get(site.url + PARTS).status_code == 503


def test_a_broken_app_database_is_internal_and_silent_about_why(tmp_path: Path) -> None:
    runtime = make_runtime(tmp_path, {"good": FakeSource(few)})
    secret = make_key(runtime)
    with runtime.appdb.write() as connection:
        connection.execute(sa.text("DROP TABLE keys"))
    with serve(runtime) as site:
        answer = httpx2.get(f"{site.url}/api/v1/datasets", headers=bearer(secret))
        logged = site.log.getvalue()
    assert (answer.status_code, answer.json()["code"]) == (500, "INTERNAL")
    assert "SELECT" not in answer.text + logged


def test_metrics_count_rows_and_bytes_and_name_no_tenant(tmp_path: Path) -> None:
    runtime = make_runtime(tmp_path, {"fake": FakeSource(few)})
    with serve(runtime) as site:
        httpx2.get(f"{site.url}/api/v1/datasets/numbers/download", headers=bearer(make_key(runtime)))
        metrics = httpx2.get(f"{site.url}/metrics")
    assert metrics.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert "offtake_rows_total 3.0" in metrics.text
    assert "offtake_bytes_total 25.0" in metrics.text
    assert 'offtake_stage_seconds_count{stage="read"} 1.0' in metrics.text
    assert 'route="/api/v1/datasets/{name}/download",status="200"} 1.0' in metrics.text
    assert "acme" not in metrics.text


def test_methods_that_somebody_made_up_share_one_meter(tmp_path: Path) -> None:
    with serve(make_runtime(tmp_path, {"fake": FakeSource(few)})) as site:
        for method in ("BREW", "WHEN"):
            httpx2.request(method, f"{site.url}/api/v1/datasets")
        metrics = httpx2.get(f"{site.url}/metrics").text
    assert 'offtake_requests_total{method="other",route="/api/v1/datasets",status="405"} 2.0' in metrics
    assert "BREW" not in metrics


def test_the_pages_need_nothing_from_elsewhere(tmp_path: Path) -> None:
    with serve(make_runtime(tmp_path, {"fake": FakeSource(few)})) as site:
        page = httpx2.get(f"{site.url}/docs")
        linked = re.findall(r'(?:src|href)="([^"]+)"', page.text)
        parts = {name: httpx2.get(f"{site.url}/{name}") for name in linked}
        spec = httpx2.get(f"{site.url}/openapi.json")
        missing = httpx2.get(f"{site.url}/docs/..%2f__init__.py")
    assert {name: part.status_code for name, part in parts.items()} == dict.fromkeys(linked, 200)
    assert "//" not in "".join(linked)
    assert "script-src 'self'" in page.headers["content-security-policy"]
    assert 'url: "openapi.json"' in parts["docs/start.js"].text
    assert spec.json()["openapi"].startswith("3.")
    assert missing.status_code == 404
