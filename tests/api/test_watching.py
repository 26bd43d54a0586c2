"""Health, metrics and the pages about the API."""

import os
import re
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
import sqlalchemy as sa

from offtake.errors import StoreFailed
from offtake.model.export import ExportRequest
from offtake.model.job import JobState
from offtake.model.ports import Stop
from offtake.service.access import local_principal
from offtake.service.exports import Submission, cancel_export, submit_export
from offtake.service.health import HealthWatch
from offtake.service.numbers import read_numbers
from offtake.service.runs import claim_run, run_attempt
from offtake.service.runtime import Absent
from servers import run_postgres
from sites import NOW, FakeSource, bearer, few, make_key, make_runtime, serve, wait_until

PARTS = "/readyz"


def test_ready_tells_strangers_only_whether(tmp_path: Path) -> None:
    runtime = make_runtime(tmp_path, {"good": FakeSource(few), "bad": FakeSource(few, is_up=False)})
    with serve(runtime) as site:
        stranger = httpx2.get(site.url + PARTS)
        friend = httpx2.get(site.url + PARTS, headers=bearer(make_key(runtime)))
        impostor = httpx2.get(site.url + PARTS, headers=bearer("ofk_x"))
    nothing = {"appdb": None, "store": None, "queue": None, "sources": None}
    own = dict.fromkeys(("appdb", "store", "queue"), "ok")
    assert (stranger.status_code, stranger.json()) == (200, {"status": "degraded", **nothing})
    assert friend.json() == {"status": "degraded", **own, "sources": {"good": "ok", "bad": "failed"}}
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


@dataclass
class Part:
    """A store or a queue that can fail, hang and count who asked."""

    is_up: bool = True
    hangs_s: float = 0
    pings: int = 0

    def ping(self) -> None:
        self.pings += 1
        time.sleep(self.hangs_s)
        if not self.is_up:
            raise StoreFailed("It does not answer.", hint="Start it.")


@pytest.mark.parametrize("broken", ["store", "queue"])
def test_not_ready_without_store_or_queue(tmp_path: Path, broken: str) -> None:
    part: Any = Part(is_up=False)
    runtime = replace(make_runtime(tmp_path, {"good": FakeSource(few)}), **{broken: part})
    with serve(runtime) as site:
        answer = httpx2.get(site.url + PARTS, headers=bearer(make_key(runtime)))
    assert (answer.status_code, answer.json()["status"], answer.json()[broken]) == (503, "not_ready", "failed")


def test_a_service_without_jobs_is_asked_for_neither(tmp_path: Path) -> None:
    runtime = make_runtime(tmp_path, {"good": FakeSource(few)})
    for name in ("store", "queue"):
        runtime = replace(runtime, **{name: Absent(name)})
    with serve(runtime) as site:
        answer = httpx2.get(site.url + PARTS, headers=bearer(make_key(runtime)))
    assert (answer.status_code, answer.json()["store"], answer.json()["queue"]) == (200, None, None)


def test_a_flood_of_probes_is_one_ping(tmp_path: Path) -> None:
    queue: Any = Part(hangs_s=0.3)
    runtime = replace(make_runtime(tmp_path, {"good": FakeSource(few)}), queue=queue)
    with serve(runtime) as site, ThreadPoolExecutor(30) as crowd:
        answers = list(crowd.map(lambda _: httpx2.get(site.url + PARTS).status_code, range(60)))
    assert set(answers) == {200}
    assert queue.pings <= 3  # the crowd may take longer than an answer stays good


def test_a_part_that_hangs_has_failed(tmp_path: Path) -> None:
    store: Any = Part(hangs_s=8)
    runtime = replace(make_runtime(tmp_path, {"good": FakeSource(few)}), store=store)
    watch = HealthWatch(runtime, patience_s=0.2)
    began = time.monotonic()
    health = watch.look()
    assert (health.appdb, health.store, health.queue, health.is_ready) == (True, False, True, False)
    assert time.monotonic() - began < 8


def test_a_broken_app_database_is_unavailable_and_silent_about_why(tmp_path: Path) -> None:
    runtime = make_runtime(tmp_path, {"good": FakeSource(few)})
    secret = make_key(runtime)
    with runtime.appdb.write() as connection:
        connection.execute(sa.text("DROP TABLE keys"))
    with serve(runtime) as site:
        answer = httpx2.get(f"{site.url}/api/v1/datasets", headers=bearer(secret))
        logged = site.log.getvalue()
    assert (answer.status_code, answer.json()["code"]) == (503, "UNAVAILABLE")
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


def meter(metrics: str, name: str) -> float:
    """What a meter stands at."""
    [line] = [line for line in metrics.splitlines() if line.startswith(f"{name} ")]
    return float(line.removeprefix(f"{name} "))


def test_metrics_tell_the_jobs_of_the_whole_installation(tmp_path: Path) -> None:
    runtime = make_runtime(tmp_path, {"fake": FakeSource(few)}, now=lambda: datetime.now(UTC))
    principal, request = local_principal(runtime, "acme"), ExportRequest("numbers", format="csv")
    done, cancelled, _ = [submit_export(runtime, principal, request).job for _ in range(3)]
    submit_export(runtime, principal, request, Submission(start_at=runtime.now() + timedelta(hours=1)))
    cancel_export(runtime, principal, cancelled.id)
    claim = claim_run(runtime, done.id, 0)
    assert claim is not None
    assert run_attempt(runtime, claim, Stop())
    with serve(runtime) as site:
        metrics = httpx2.get(f"{site.url}/metrics").text
    states = {state: meter(metrics, f'offtake_jobs{{state="{state}"}}') for state in JobState}
    assert states == {"scheduled": 1, "queued": 1, "running": 0, "succeeded": 1, "failed": 0, "cancelled": 1}
    assert meter(metrics, 'offtake_jobs_finished_total{outcome="succeeded"}') == 1
    assert meter(metrics, 'offtake_jobs_finished_total{outcome="cancelled"}') == 1
    assert meter(metrics, 'offtake_jobs_finished_total{outcome="failed"}') == 0
    assert (meter(metrics, "offtake_job_rows_total"), meter(metrics, "offtake_job_bytes_total")) == (3, 25)
    assert 0 < meter(metrics, "offtake_queue_age_seconds") < 60
    assert meter(metrics, 'offtake_job_stage_seconds_total{stage="read"}') > 0
    assert "acme" not in metrics + "".join(re.findall("tenant", metrics))


def test_a_scheduled_job_is_queued_once_its_time_has_come(tmp_path: Path) -> None:
    runtime = make_runtime(tmp_path, {"fake": FakeSource(few)})
    how = Submission(start_at=NOW + timedelta(hours=1))
    submit_export(runtime, local_principal(runtime, "acme"), ExportRequest("numbers", format="csv"), how)
    before = read_numbers(runtime)
    after = read_numbers(replace(runtime, now=lambda: NOW + timedelta(hours=1, seconds=90)))
    assert (before.jobs[JobState.SCHEDULED], before.jobs[JobState.QUEUED], before.queue_age_s) == (1, 0, 0)
    assert (after.jobs[JobState.SCHEDULED], after.jobs[JobState.QUEUED], after.queue_age_s) == (0, 1, 90)


def test_a_scrape_without_the_app_database_tells_what_the_process_knows(tmp_path: Path) -> None:
    sources = {"fake": FakeSource(few)}
    with run_postgres() as server, serve(make_runtime(tmp_path, sources, database=server.url())) as site:
        whole = httpx2.get(f"{site.url}/metrics")
        os.kill(server.pid, signal.SIGQUIT)
        time.sleep(1.1)  # an answer is good for a second
        rest = httpx2.get(f"{site.url}/metrics")
    assert "offtake_queue_age_seconds" in whole.text
    assert (rest.status_code, "offtake_queue_age_seconds" in rest.text) == (200, False)
    assert 'offtake_requests_total{method="GET",route="/metrics",status="200"} 1.0' in rest.text


def test_methods_that_somebody_made_up_share_one_meter(tmp_path: Path) -> None:
    with serve(make_runtime(tmp_path, {"fake": FakeSource(few)})) as site:
        for method in ("BREW", "WHEN"):
            httpx2.request(method, f"{site.url}/api/v1/datasets")

        def metrics() -> str:
            return httpx2.get(f"{site.url}/metrics").text

        counted = 'offtake_requests_total{method="other",route="/api/v1/datasets",status="405"} 2.0'
        wait_until(lambda: counted in metrics())
        assert "BREW" not in metrics()


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
    assert 'data-spec="openapi.json"' in page.text
    assert spec.json()["openapi"].startswith("3.")
    assert missing.status_code == 404
