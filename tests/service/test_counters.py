"""What keys and tenants may take."""

import threading
from contextlib import ExitStack
from pathlib import Path

import pytest

from offtake.errors import InvalidConfig, RateLimited
from offtake.model.access import Principal
from offtake.model.export import ExportRequest
from offtake.model.limits import Limits
from offtake.service.access import local_principal
from offtake.service.counters import Counters
from offtake.service.downloads import open_download
from sites import FakeSource, few, make_runtime

ANN = Principal("ann", "acme", frozenset({"reports:read"}))
BOB = Principal("bob", "acme", frozenset({"reports:read"}))
EVE = Principal("eve", "globex", frozenset({"reports:read"}))
WISH = ExportRequest("numbers")


def test_a_tenant_has_so_many_downloads_at_once_whoever_asks() -> None:
    counters = Counters(Limits(downloads_per_key=2, downloads_per_tenant=3))
    with ExitStack() as running:
        for who in (ANN, ANN, BOB):
            running.enter_context(counters.slot(who))
        for who in (ANN, BOB):
            with pytest.raises(RateLimited), counters.slot(who):
                pass
        with counters.slot(EVE):
            pass
    with counters.slot(BOB):
        pass


def test_a_tenants_rate_is_not_used_up_by_a_key_that_is_over_its_own() -> None:
    counters = Counters(Limits(rate="1/year", rate_per_tenant="3/year"))
    refused = [(allowance.limit, bool(allowance.refusal)) for who in (ANN, ANN, ANN, BOB, EVE)
               if (allowance := counters.count_request(who))]  # fmt: skip
    assert refused == [(1, False), (1, True), (1, True), (1, False), (1, False)]


def test_a_rate_may_be_of_any_period() -> None:
    counters = Counters(Limits(rate="", rate_per_tenant="1 per 3 months"))
    assert counters.count_stranger("192.0.2.7") is None
    counters.count_request(ANN)
    allowance = counters.count_request(BOB)
    assert allowance is not None
    assert allowance.refusal is not None
    assert allowance.refusal.detail == "This tenant may send 1 requests per 3 months."


def test_zero_means_no_limit() -> None:
    counters = Counters(Limits(rate="", downloads_per_key=0, downloads_per_tenant=0))
    assert counters.count_request(ANN) is None
    with ExitStack() as running:
        for _ in range(100):
            running.enter_context(counters.slot(ANN))


def test_a_slot_is_given_back_by_a_download_that_is_left_or_never_begun(tmp_path: Path) -> None:
    runtime = make_runtime(tmp_path, {"fake": FakeSource(few)}, limits=Limits(downloads_per_key=1))
    for _ in range(3):
        open_download(runtime, ANN, WISH)
        left = open_download(runtime, ANN, WISH)
        next(left.chunks)
        with pytest.raises(RateLimited):
            next(open_download(runtime, ANN, WISH).chunks)
        left.chunks.close()


def test_the_download_that_crosses_the_rows_of_the_day_is_the_last_of_its_tenant(tmp_path: Path) -> None:
    runtime = make_runtime(tmp_path, {"fake": FakeSource(few)}, limits=Limits(rows_per_day=4))
    assert [len(b"".join(open_download(runtime, who, WISH).chunks)) for who in (ANN, BOB)] == [25, 25]
    with pytest.raises(RateLimited) as refused:
        b"".join(open_download(runtime, ANN, WISH).chunks)
    assert 0 < int(refused.value.extra["retry_after_s"]) <= 86400
    assert b"".join(open_download(runtime, EVE, WISH).chunks)


def test_bytes_of_the_day_count_as_they_leave(tmp_path: Path) -> None:
    runtime = make_runtime(tmp_path, {"fake": FakeSource(few)}, limits=Limits(bytes_per_day=20))
    assert b"".join(open_download(runtime, ANN, WISH).chunks)
    with pytest.raises(RateLimited):
        b"".join(open_download(runtime, ANN, WISH).chunks)


def test_the_command_line_is_not_limited(tmp_path: Path) -> None:
    limits = Limits(rows_per_day=1, bytes_per_day=1, downloads_per_key=1)
    runtime = make_runtime(tmp_path, {"fake": FakeSource(few)}, limits=limits)
    cli = local_principal(runtime, None)
    downloads = [open_download(runtime, cli, WISH) for _ in range(3)]
    assert [next(download.chunks) for download in downloads]
    for download in downloads:
        download.chunks.close()


@pytest.mark.parametrize("limits", [Limits(rate="often"), Limits(store="nowhere://x")])
def test_limits_that_cannot_be_read_are_refused_at_start(limits: Limits) -> None:
    with pytest.raises(InvalidConfig):
        Counters(limits)


def test_counting_starts_no_threads() -> None:
    counters = Counters(Limits(rate="1000/minute", rows_per_day=1_000_000))
    counters.count_request(ANN)
    before = set(threading.enumerate())
    for _ in range(50):
        counters.count_request(ANN)
        counters.count_rows(ANN, 1)
        assert set(threading.enumerate()) <= before
