"""What every request must pass: token, host, size and rate."""

from __future__ import annotations

import asyncio
import hmac
import time
from collections import OrderedDict
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ntp.serve.http.options import HttpOptions, is_loopback

# Clients whose rate is remembered. The one that was quiet for longest is forgotten.
_MAX_CLIENTS = 4096
# Pages without data, which a browser asks for before anybody could give it a token.
_PUBLIC = ("/", "/static/")


class RefusedError(Exception):
    """A request that is not answered.

    Attributes:
        status: HTTP status.
        reason: One line for the client.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


class Guards:
    """An ASGI application that refuses requests before another one sees them.

    Args:
        app: The application behind it.
        options: The limits.
        token: What clients must send; None or empty where only this machine reaches the server.
    """

    def __init__(self, app: ASGIApp, options: HttpOptions, token: str | None) -> None:
        self._app, self._options, self._token = app, options, token or None
        self._rates = _Rates(options.requests_per_s, options.burst)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on with its whole body."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        headers = Headers(scope=scope)
        try:
            self._check(scope, headers)
            body = await self._body(headers, receive)
        except RefusedError as refused:
            answer = JSONResponse({"error": refused.reason}, refused.status, {"connection": "close"})
            return await answer(scope, receive, send)
        return await self._app(scope, _Replayed(body, receive), send)

    def _check(self, scope: Scope, headers: Headers) -> None:
        client = scope.get("client")
        if not self._rates.allow(client[0] if client else ""):
            raise RefusedError(429, "too many requests: wait a moment")
        # A page of the web may send requests to this machine, also under a name of its own.
        host = headers.get("host", "")
        if self._token is None and not is_loopback(urlsplit(f"//{host}").hostname or ""):
            raise RefusedError(403, "the server answers to localhost only")
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != host:
            raise RefusedError(403, "requests from pages of other sites are refused")
        path, method = scope["path"], scope["method"]
        is_public = method in ("GET", "HEAD") and (path == _PUBLIC[0] or path.startswith(_PUBLIC[1]))
        if self._token is not None and not is_public:
            given = headers.get("authorization", "").removeprefix("Bearer ").strip()
            if not hmac.compare_digest(given.encode(), self._token.encode()):
                raise RefusedError(401, "a wrong token or none: send `Authorization: Bearer TOKEN`")

    async def _body(self, headers: Headers, receive: Receive) -> bytes:
        limit = self._options.max_request_kb * 1024
        length = headers.get("content-length", "0")
        too_large = RefusedError(413, f"a request may have {self._options.max_request_kb} KiB")
        if not length.isdecimal():
            raise RefusedError(400, "content-length is no number")
        if int(length) > limit:
            raise too_large
        parts: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(self._options.body_timeout_s):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise RefusedError(400, "the client went away")
                    parts.append(message.get("body", b""))
                    size += len(parts[-1])
                    if size > limit:
                        raise too_large
                    if not message.get("more_body", False):
                        return b"".join(parts)
        except TimeoutError:
            raise RefusedError(408, "the body of the request did not arrive") from None


class _Replayed:
    """Gives an application a body that has been read, then what follows it."""

    def __init__(self, body: bytes, receive: Receive) -> None:
        self._body: bytes | None = body
        self._receive = receive

    async def __call__(self) -> Message:
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        return await self._receive()


class _Rates:
    """A token bucket for each client."""

    def __init__(self, per_s: float, burst: int) -> None:
        self._per_s, self._burst = per_s, burst
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def allow(self, client: str) -> bool:
        """Count a request and return whether it is within the rate."""
        now = time.monotonic()
        left, before = self._buckets.pop(client, (float(self._burst), now))
        left = min(self._burst, left + (now - before) * self._per_s)
        allowed = left >= 1
        self._buckets[client] = (left - allowed, now)
        if len(self._buckets) > _MAX_CLIENTS:
            self._buckets.popitem(last=False)
        return allowed
