"""The small page that people get at the address of a share: what it is, how long it lasts, a button. No scripts."""

import base64
import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from html import escape

from starlette.datastructures import Headers
from starlette.responses import Response

from offtake.errors import OfftakeError
from offtake.service.shares import Shared
from offtake.service.trail import current_trail

STYLE = """
body { margin: 0; font: 1rem/1.5 system-ui, sans-serif; color: #1b1f24; background: #f4f5f7; }
main { max-width: 36rem; margin: 12vh auto 0; padding: 2rem; background: #fff; border-radius: .5rem; }
h1 { margin: 0 0 1rem; font-size: 1.4rem; overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1.5rem; margin: 0 0 1.5rem; }
dt { color: #57606a; }
dd { margin: 0; overflow-wrap: anywhere; }
a { display: inline-block; padding: .6rem 1.2rem; border-radius: .4rem; color: #fff; background: #0550ae; }
a:focus-visible { outline: 3px solid #1b1f24; outline-offset: 2px; }
"""
_DIGEST = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
HEADERS = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_DIGEST}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex, nofollow">
<meta name="referrer" content="no-referrer">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main>
<h1>{title}</h1>
{content}
</main>
</body>
</html>
"""


def prefers_page(headers: Headers) -> bool:
    """Whether a person asks: the Accept header names `text/html`, and nothing before it (RFC 9110 §12.5.1)."""
    weights: dict[str, float] = {}
    for part in ",".join(headers.getlist("accept")).split(","):
        name, *parameters = (each.strip().lower() for each in part.split(";"))
        weights[name] = _weight(parameters)
    page = weights.get("text/html", 0.0)
    return page > 0 and page >= max(weights.values())


def _weight(parameters: list[str]) -> float:
    text = next((each[2:] for each in parameters if each.startswith("q=")), "1")
    try:
        return float(text)
    except ValueError:
        return 0.0


def share_page(shared: Shared) -> Response:
    """What is shared, with a link to it."""
    facts = "\n".join(f"<dt>{escape(name)}</dt><dd>{said}</dd>" for name, said in _facts(shared))
    return _page(_title(shared), f'<dl>\n{facts}\n</dl>\n<p><a href="?download=1">Download the file</a></p>')


def refusal_page(error: OfftakeError) -> Response:
    """Why there is nothing, for people."""
    current_trail().detail = error.code
    response = _page(error.detail, f"<p>{escape(error.hint)}</p>", error.status)
    if "retry_after_s" in error.extra:
        response.headers["Retry-After"] = str(error.extra["retry_after_s"])
    return response


def _page(title: str, content: str, status: int = 200) -> Response:
    text = PAGE.format(title=escape(title), style=STYLE, content=content)
    # A name may hold half a surrogate pair, which UTF-8 cannot carry.
    return Response(text.encode("utf-8", "replace"), status, HEADERS, "text/html")


def _title(shared: Shared) -> str:
    if shared.definition is not None:
        return shared.definition.draft.name
    assert shared.artifact is not None
    return shared.artifact.filename


def _facts(shared: Shared) -> Iterator[tuple[str, str]]:
    """What there is to know of it, the second of each pair in HTML."""
    share, job, artifact = shared.share, shared.job, shared.artifact
    if job is not None and artifact is not None:
        yield "Format", escape(job.request.format)
        yield "Rows", f"{job.rows:,}"
        yield "Size", _size(artifact.bytes)
        yield "Made", _time(job.finished_at or job.created_at)
    elif shared.definition is not None:
        yield "Format", escape(shared.definition.request.format)
        yield "Made", "anew with every download"
    if share.expires_at is not None:
        yield "Can be had until", _time(share.expires_at)
    if share.max_downloads is not None:
        yield "Downloads left", str(share.max_downloads - share.uses)


def _size(size: int) -> str:
    if size < 1000:
        return f"{size} bytes"
    for power, unit in enumerate(("kB", "MB", "GB"), 1):
        if size < 1000 ** (power + 1) or unit == "GB":
            break
    return f"{size / 1000**power:.1f} {unit}"


def _time(instant: datetime) -> str:
    utc = instant.astimezone(UTC)
    return f'<time datetime="{utc:%Y-%m-%dT%H:%M:%SZ}">{utc:%d %B %Y, %H:%M} UTC</time>'
