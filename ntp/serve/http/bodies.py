"""Bodies of requests, read by the types that they must have, and errors as answers."""

from __future__ import annotations

from typing import TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse

from ntp.envs.live import NoProofError, ReplayError
from ntp.errors import EnvError, NtpError
from ntp.serve.buffer import ChangedError
from ntp.serve.http.guards import RefusedError
from ntp.serve.sessions import TooManySessionsError, UnknownSessionError

B = TypeVar("B", bound=msgspec.Struct)

_STATUS: tuple[tuple[type[NtpError], int], ...] = (
    (UnknownSessionError, 404),
    (TooManySessionsError, 429),
    (ChangedError, 409),
    (NoProofError, 422),
    (ReplayError, 422),
    (EnvError, 502),
)


async def read_body(request: Request, kind: type[B]) -> B:
    """The body of a request.

    Raises:
        RefusedError: It is no JSON, or not of that kind.
    """
    try:
        return msgspec.json.decode(await request.body(), type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RefusedError(400, f"the body is not what this route takes: {error}") from None


def refusal(error: Exception) -> RefusedError:
    """The status and the reason for an error of this package."""
    if isinstance(error, RefusedError):
        return error
    status = next((status for kind, status in _STATUS if isinstance(error, kind)), 400)
    return RefusedError(status, str(error))


async def answer_error(_: Request, error: Exception) -> JSONResponse:
    """The answer to a request that failed."""
    refused = refusal(error)
    return JSONResponse({"error": refused.reason}, refused.status)


async def answer_openai_error(_: Request, error: Exception) -> JSONResponse:
    """As `answer_error`, in the shape that clients of OpenAI's protocol read."""
    refused = refusal(error)
    kind = "invalid_request_error" if refused.status < 500 else "server_error"
    message = {"message": refused.reason, "type": kind, "param": None, "code": None}
    return JSONResponse({"error": message}, refused.status)
