"""The page at `/`: a few files of the package, read once, with nothing taken from elsewhere."""

from __future__ import annotations

from importlib.resources import files

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript"}
_HEADERS = {
    # Whatever a text shown on the page contains, the browser runs and loads only what is served here.
    "Content-Security-Policy": "default-src 'self'; img-src data:; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
_INDEX = "index.html"


def page_routes() -> list[Route]:
    """One route a file, and `/` for the page itself. No part of a request is ever used as a path."""
    found = {}
    for file in (files("ntp.serve") / "page").iterdir():
        kind = file.name.rpartition(".")[2]
        if kind in _TYPES:
            found[file.name] = _route(f"/static/{file.name}", file.read_bytes(), _TYPES[kind])
    index = (files("ntp.serve") / "page" / _INDEX).read_bytes()
    return [_route("/", index, _TYPES["html"]), *found.values()]


def _route(path: str, content: bytes, media_type: str) -> Route:
    def answer(_: Request) -> Response:
        return Response(content, media_type=media_type, headers=_HEADERS)

    return Route(path, answer, methods=["GET"])
