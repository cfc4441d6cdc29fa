"""GitHub's REST interface: limits are waited for, and what has not changed is not sent again."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import requests
from github import Auth, Github, GithubException, GithubRetry

from ntp.data.crawl.journal import Journal
from ntp.errors import ConfigError, DataError

TOKEN = "GITHUB_TOKEN"
_TIMEOUT_S = 60
_NUM_RETRIES, _NUM_CONNECTS = 12, 2
_EMPTY, _UNCHANGED = 409, 304
_GONE = (404, 410, 451)
_BAD_TOKEN = (401,)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer.

    Attributes:
        status: HTTP status: 200, 409 for an empty repository, 404 and the like for one that is gone.
        value: The decoded body of a 200; None otherwise.
    """

    status: int
    value: Any


class GitHub:
    """Asks GitHub, once for every question.

    Primary limits (403 with the time of the reset), secondary ones (`Retry-After`) and errors of the server
    are waited for and tried again by PyGithub.

    Args:
        journal: Keeps the answers.
        earlier: Answers of an earlier crawl, used again if GitHub says that they still hold (`304`).
        base_url: Address of the interface.
        wait_s: Seconds after a secondary limit that does not say how long to wait.
        pause_s: Seconds between two requests.
    """

    def __init__(
        self,
        journal: Journal,
        earlier: Mapping[str, Any],
        base_url: str,
        wait_s: float,
        pause_s: float,
    ) -> None:
        logging.getLogger("github").setLevel(logging.ERROR)
        token = os.environ.get(TOKEN)
        self._journal, self._earlier = journal, earlier
        self.num_asked = self.num_unchanged = 0
        self._requester = Github(
            auth=Auth.Token(token) if token else None,
            base_url=base_url,
            timeout=_TIMEOUT_S,
            per_page=100,
            seconds_between_requests=pause_s,
            retry=GithubRetry(
                total=_NUM_RETRIES,
                connect=_NUM_CONNECTS,
                secondary_rate_wait=wait_s,
                backoff_factor=min(1.0, wait_s),
                backoff_max=60,
            ),
        ).requester

    def get(self, path: str, parameters: Mapping[str, str | int] | None = None) -> Answer:
        """The answer to a question, from the journal if it was asked before.

        Raises:
            ConfigError: The token is not accepted.
            DataError: GitHub cannot be reached or refuses, also after waiting.
        """
        key = path + "".join(f"&{name}={value}" for name, value in (parameters or {}).items())
        if key not in self._journal:
            self._journal.put(key, self._ask(key, path, dict(parameters or {})))
        kept = self._journal[key]
        return Answer(kept["status"], kept["value"])

    def _ask(self, key: str, path: str, parameters: dict[str, str | int]) -> dict[str, Any]:
        known = self._earlier.get(key)
        headers = {"If-None-Match": known["etag"]} if known and known.get("etag") else {}
        try:
            status, found, body = self._requester.requestJson("GET", path, parameters, headers)
        except (GithubException, requests.RequestException) as error:
            reason = " ".join(str(error).split())[:200]
            raise DataError(
                f"GitHub cannot be asked for {path}: {reason}; resume=true goes on from here"
            ) from None
        self.num_asked += 1
        if status == _UNCHANGED and known is not None:
            self.num_unchanged += 1
            return known
        if status in _BAD_TOKEN:
            raise ConfigError(f"GitHub does not accept the token in {TOKEN}")
        if status in (_EMPTY, *_GONE):
            return {"status": status, "etag": "", "value": None}
        if status != 200:
            raise DataError(
                f"GitHub answers {path} with {status}: {_message(body)}; resume=true goes on from here"
            )
        return {"status": status, "etag": found.get("etag", ""), "value": _kept(path, json.loads(body))}


def _message(body: str) -> str:
    try:
        return str(json.loads(body).get("message", ""))[:200]
    except (ValueError, AttributeError):
        return " ".join(body.split())[:200]


def _kept(path: str, value: Any) -> Any:
    """The parts of an answer that are used: whole ones fill disks."""
    if path.startswith("/search/"):
        return {"total": value["total_count"], "items": [_repository(item) for item in value["items"]]}
    if "/git/trees/" in path:
        return {
            "truncated": value.get("truncated", False),
            "files": [
                [entry["path"], entry["sha"], entry.get("size", 0)]
                for entry in value["tree"]
                if entry["type"] == "blob" and entry["path"].endswith((".v", ".lean"))
            ],
        }
    return [{"sha": commit["sha"], "tree": commit["commit"]["tree"]["sha"]} for commit in value]


def _repository(item: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": item["full_name"],
        "url": item["clone_url"],
        "branch": item["default_branch"],
        "created": item["created_at"],
        "size": item["size"],
        "fork": item["fork"],
        "language": item["language"] or "",
        "licence": (item["license"] or {}).get("spdx_id") or "",
    }
