"""The server: all routes in one application, and running it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Callable, Sequence

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from ntp.errors import EnvError, NtpError
from ntp.serve.copilot import Copilot
from ntp.serve.http.bodies import answer_error
from ntp.serve.http.clients import Clients
from ntp.serve.http.documents import Documents
from ntp.serve.http.guards import Guards, RefusedError
from ntp.serve.http.openai import OpenAI
from ntp.serve.http.options import HttpOptions, require_token
from ntp.serve.http.work import Work

_log = logging.getLogger(__name__)


def make_app(
    copilot: Copilot, options: HttpOptions, token: str | None = None, routes: Sequence[BaseRoute] = ()
) -> ASGIApp:
    """The application with every route behind the guards.

    Args:
        copilot: What it serves. Its documents are closed when the application ends.
        options: Its limits.
        token: What clients must send; None where only this machine reaches the server.
        routes: Further routes, such as those of a page.

    Raises:
        ConfigError: The server would be open to other machines.
    """
    require_token(options, token)
    work = Work(options.max_running)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        work.close()
        await asyncio.to_thread(copilot.sessions.close_all)

    app = Starlette(
        routes=[
            *routes,
            *Clients(copilot, work).routes,
            *OpenAI(copilot, work).routes,
            *Documents(copilot, work).routes,
        ],
        exception_handlers={NtpError: answer_error, RefusedError: answer_error, Exception: _answer_bug},
        lifespan=lifespan,
    )
    return Guards(app, options, token)


async def _answer_bug(request: Request, error: Exception) -> Response:
    _log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return await answer_error(request, RefusedError(500, "the server failed: its log says why"))


def serve(app: ASGIApp, options: HttpOptions, on_ready: Callable[[str], None]) -> None:
    """Serve until interrupted.

    Args:
        app: The application.
        options: Where it listens.
        on_ready: Called with the address once it listens.

    Raises:
        EnvError: The address cannot be used.
    """
    try:
        family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
        listening = socket.create_server((options.host, options.port), family=family, backlog=128)
    except OSError as error:
        raise EnvError(
            f"no listening on {options.host}:{options.port}: {error.strerror}: choose another serve.http.port"
        ) from None
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        limit_concurrency=options.max_connections,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=5,
        server_header=False,
    )
    host, port = listening.getsockname()[:2]
    on_ready(f"http://{f'[{host}]' if ':' in host else host}:{port}")
    with contextlib.suppress(KeyboardInterrupt):  # which is how a server ends
        uvicorn.Server(config).run(sockets=[listening])
