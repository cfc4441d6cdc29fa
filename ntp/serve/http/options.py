"""How the server listens, and what it takes from a client."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from ntp.bounds import NonNegativeInt, PositiveFloat, PositiveInt
from ntp.errors import ConfigError

# A secret is in no config and on no command line.
TOKEN_VARIABLE = "NTP_SERVE_TOKEN"


@dataclass(frozen=True)
class HttpOptions:
    """How the server listens, and what it takes from a client.

    Attributes:
        host: Address to listen on; anything but a loopback address needs a token in NTP_SERVE_TOKEN.
        port: Port to listen on; 0 for any that is free.
        max_request_kb: Largest body of a request in KiB.
        body_timeout_s: Seconds in which the body of a request must have arrived.
        requests_per_s: Requests that one client may send per second, on average.
        burst: Requests that one client may send at once.
        max_running: Requests that provers or the model work for at the same time; others are refused.
        max_connections: Connections that are open at the same time.
    """

    host: str = "127.0.0.1"
    port: NonNegativeInt = 8765
    max_request_kb: PositiveInt = 1024
    body_timeout_s: PositiveFloat = 20.0
    requests_per_s: PositiveFloat = 50.0
    burst: PositiveInt = 100
    max_running: PositiveInt = 16
    max_connections: PositiveInt = 256


def is_loopback(host: str) -> bool:
    """Whether nothing but this machine reaches an address."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def require_token(options: HttpOptions, token: str | None) -> None:
    """Raise `ConfigError` if other machines could reach a server without a token."""
    if not is_loopback(options.host) and not token:
        raise ConfigError(
            f"serve.http.host={options.host} is reached from other machines: put a token into "
            f"{TOKEN_VARIABLE}, which clients then send as `Authorization: Bearer TOKEN`"
        )
