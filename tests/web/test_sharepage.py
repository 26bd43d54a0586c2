"""The page of a share: who gets it, and that it is one that every browser and screen reader can show."""

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from starlette.datastructures import Headers
from starlette.responses import Response

from offtake.errors import Expired, RateLimited
from offtake.model.access import Principal
from offtake.model.export import ExportRequest
from offtake.model.job import Artifact, ExportJob, JobState
from offtake.model.saved import Definition, Draft
from offtake.model.share import Share
from offtake.service.shares import Shared
from offtake.web.sharepage import prefers_page, refusal_page, share_page
from sites import NOW

CHROME = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8"
OWNER = Principal("a key", "acme")
SHARE = Share("s", "acme", OWNER, "ofs_abcdef", NOW, job_id="j", uses=2, max_downloads=5, expires_at=NOW)
JOB = ExportJob("j", "acme", OWNER, ExportRequest("people", "xlsx"), JobState.SUCCEEDED, NOW, NOW, rows=12345)
FILE = Artifact("j/1", "people.xlsx", "application/x", 2_345_678, "00")
FIXED = Shared(SHARE, OWNER, job=JOB, artifact=FILE)
VOID = {"meta", "link", "br", "img", "input"}


class Reader(HTMLParser):
    """Reads a page strictly: every element closed in order; its words by element."""

    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: dict[str, list[str]] = {}
        self.feed(bytes(response.body).decode())
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open:
            self.words.setdefault(self.open[-1], []).append(data)

    def metas(self) -> dict[str | None, str | None]:
        """What the page says about itself."""
        return {said.get("name"): said.get("content") for tag, said in self.tags if tag == "meta"}


@pytest.mark.parametrize(
    ("accept", "is_page"),
    [
        (CHROME, True),
        ("text/html", True),
        ("TEXT/HTML ; level=1 ; Q=0.9, text/csv;q=0.5", True),
        ("text/html, */*", True),
        ("*/*", False),
        ("", False),
        ("text/*", False),
        ("text/csv", False),
        ("application/json, text/plain, */*", False),
        ("text/html;q=0.5, text/csv", False),
        ("text/html;q=0", False),
        ("text/html;q=often", False),
        (",;,=", False),
    ],
)
def test_only_who_prefers_html_is_a_person(accept: str, is_page: bool) -> None:
    assert prefers_page(Headers({"accept": accept})) is is_page
    assert not prefers_page(Headers({}))


def test_the_page_tells_what_there_is_and_leads_to_it() -> None:
    page = Reader(share_page(FIXED))
    assert page.words["h1"] == page.words["title"] == ["people.xlsx"]
    assert page.words["dt"] == ["Format", "Rows", "Size", "Made", "Can be had until", "Downloads left"]
    assert page.words["dd"] == ["xlsx", "12,345", "2.3 MB", "3"]
    assert page.words["time"] == ["17 May 2026, 12:30 UTC"] * 2
    assert [said["href"] for tag, said in page.tags if tag == "a"] == ["?download=1"]
    assert ("html", {"lang": "en"}) in page.tags


def test_the_page_of_a_definition_says_that_its_file_is_made_anew() -> None:
    definition = Definition("d", "acme", OWNER, Draft("Ours", ExportRequest("people", "csv")), NOW, NOW)
    share = replace(SHARE, job_id=None, definition_id="d", expires_at=None, max_downloads=None)
    page = Reader(share_page(Shared(share, OWNER, definition=definition)))
    assert (page.words["h1"], page.words["dt"]) == (["Ours"], ["Format", "Made"])
    assert page.words["dd"] == ["csv", "anew with every download"]


def test_the_page_needs_and_may_load_nothing_else() -> None:
    page = Reader(share_page(FIXED))
    assert not {tag for tag, _ in page.tags} & {"script", "link", "img", "iframe", "form", "base", "object"}
    assert not [name for _, said in page.tags for name in said if name.startswith("on") or name in ("style", "src")]
    policy = page.response.headers["content-security-policy"]
    digest = hashlib.sha256("".join(page.words["style"]).encode()).digest()
    assert re.findall(r"'(sha256-[^']+)'", policy) == [f"sha256-{base64.b64encode(digest).decode()}"]
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy


def test_the_page_is_for_nobody_elses_index_log_or_cache() -> None:
    page = Reader(share_page(FIXED))
    assert page.metas() | {"robots": "noindex, nofollow", "referrer": "no-referrer"} == page.metas()
    headers = page.response.headers
    assert (headers["referrer-policy"], headers["cache-control"]) == ("no-referrer", "no-store")


def test_names_of_others_are_words_and_never_tags() -> None:
    hostile = "</title><script>alert('1')</script>\"&\ud800.csv"
    page = Reader(share_page(replace(FIXED, artifact=replace(FILE, filename=hostile))))
    assert "script" not in [tag for tag, _ in page.tags]
    assert "".join(page.words["h1"]) == hostile.replace("\ud800", "?")


@pytest.mark.parametrize(
    ("size", "said"),
    [(0, "0 bytes"), (999, "999 bytes"), (1000, "1.0 kB"), (5_000_000_000, "5.0 GB"), (7 * 10**12, "7000.0 GB")],
)
def test_sizes_are_said_in_decimal_units(size: int, said: str) -> None:
    assert said in Reader(share_page(replace(FIXED, artifact=replace(FILE, bytes=size)))).words["dd"]


def test_a_refusal_is_a_page_too() -> None:
    page = Reader(refusal_page(Expired("This share had its <time>.", hint="Ask & see.")))
    assert (page.response.status_code, "".join(page.words["h1"])) == (410, "This share had its <time>.")
    assert "".join(page.words["p"]) == "Ask & see."
    busy = refusal_page(RateLimited("Busy.", hint="Wait.", extra={"retry_after_s": 5}))
    assert (busy.status_code, busy.headers["retry-after"]) == (429, "5")
