"""Finished files and jobs behind a small application of their own."""

import hashlib
import io
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from offtake.api.routes import NATIVE
from offtake.model.job import Artifact
from offtake.service.runtime import Runtime
from offtake.web.artifacts import send_artifact
from offtake.web.gate import guard
from offtake.web.logs import open_log
from offtake.web.problems import install_problems
from offtake.web.site import Site as WebSite
from sites import FakeSource, Site, few, make_runtime, serve_app

TYPE = "text/csv; charset=utf-8"


@dataclass(frozen=True)
class Served:
    """A served file: where, and what runs behind it."""

    site: Site
    web: WebSite
    artifact: Artifact
    path: Path  # of its bytes

    @property
    def url(self) -> str:
        """Where it is fetched."""
        return f"{self.site.url}/file"

    @property
    def etag(self) -> str:
        """Its entity tag."""
        return f'"{self.artifact.sha256}"'


def store_file(runtime: Runtime, chunks: Iterable[bytes], filename: str = "Größe 年.csv") -> Artifact:
    """A finished file of those bytes."""
    digest = hashlib.sha256()

    def hashed() -> Iterator[bytes]:
        for chunk in chunks:
            digest.update(chunk)
            yield chunk

    size = runtime.store.write("job/attempt", hashed(), filename=filename, media_type=TYPE)
    return Artifact("job/attempt", filename, TYPE, size, digest.hexdigest())


@contextmanager
def serve_file(
    home: Path, chunks: Iterable[bytes], change: Callable[[Runtime], Runtime] = lambda same: same
) -> Iterator[Served]:
    """A small application that answers `/file` with one artifact."""
    runtime = change(make_runtime(home, {"fake": FakeSource(few)}))
    artifact = store_file(runtime, chunks)

    async def answer(request: Request) -> Response:
        return await send_artifact(request, artifact)

    with serve_route(runtime, "/file", answer) as (site, web):
        yield Served(site, web, artifact, home / "artifacts" / artifact.name)


@contextmanager
def serve_route(runtime: Runtime, path: str, route: Callable[..., object]) -> Iterator[tuple[Site, WebSite]]:
    """One route behind the gate, with problem documents."""
    log = io.StringIO()
    web = WebSite(runtime, open_log(log), (NATIVE,))
    app = FastAPI()
    app.state.site = web
    install_problems(app, ())
    app.add_api_route(path, route, response_class=Response, response_model=None)
    with serve_app(guard(app, web)) as port:
        try:
            yield Site(f"http://127.0.0.1:{port}", port, log), web
        finally:
            runtime.ending.set()
