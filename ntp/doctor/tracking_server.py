"""Checks an MLflow server without importing MLflow, which takes seconds."""

from __future__ import annotations

import base64
import json
import os
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from ntp.doctor.probe import ANSWER_TIMEOUT_S, Finding
from ntp.tracking.store import is_refused_host, with_hosts

_SERVER = "mlflow server --host 0.0.0.0 --port 5000 --backend-store-uri sqlite:////a/place/of/yours/mlflow.db"
# /health is no test: it answers every client, under every host name.
_ASKED = "/api/2.0/mlflow/experiments/search?max_results=1"
_CREDENTIALS = "export MLFLOW_TRACKING_USERNAME=... MLFLOW_TRACKING_PASSWORD=..."


def server_finding(uri: str) -> Finding:
    """How the server at a tracking URI answers the kind of request that runs make."""
    start = f"{_SERVER} {with_hosts(uri)}"
    try:
        with urlopen(_request(uri), timeout=ANSWER_TIMEOUT_S) as answer:
            json.load(answer)
    except HTTPError as error:
        said = " ".join(error.read(1000).decode(errors="replace").split())
        if is_refused_host(said):
            detail = f"the server at {uri} refuses this host name: start it with {with_hosts(uri)}"
            return Finding("tracking", "", start, detail)
        fix = _CREDENTIALS if error.code in (401, 403) else start
        return Finding("tracking", "", fix, f"{uri} answers {error.code}: {said[:200]}")
    except ValueError:
        return Finding("tracking", "", start, f"{uri} answers, and is no MLflow server")
    except Exception as error:  # of the network or of the URI
        return Finding("tracking", "", start, f"{uri} does not answer: {' '.join(str(error).split())}")
    return Finding("tracking", uri, detail="the server answers")


def _request(uri: str) -> Request:
    request = Request(uri.rstrip("/") + _ASKED)
    user, password = (os.environ.get(f"MLFLOW_TRACKING_{name}") for name in ("USERNAME", "PASSWORD"))
    if user and password:
        known = base64.b64encode(f"{user}:{password}".encode()).decode()
        request.add_header("Authorization", f"Basic {known}")
    elif token := os.environ.get("MLFLOW_TRACKING_TOKEN"):
        request.add_header("Authorization", f"Bearer {token}")
    return request
