"""All repositories in a language, by date of creation, since GitHub shows 1,000 results of a search."""

from __future__ import annotations

import datetime
import logging
from collections.abc import Iterator, Mapping
from typing import Any

from ntp.data.crawl.github import GitHub

MOST_RESULTS = 1000
_PER_PAGE = 100
_ONE_DAY = datetime.timedelta(days=1)

_log = logging.getLogger(__name__)


def search(
    github: GitHub, language: str, first: datetime.date, last: datetime.date
) -> Iterator[Mapping[str, Any]]:
    """The repositories in a language that were created between two days, these included.

    A range with more than 1,000 results is cut in half, down to a day.

    Args:
        github: Answers.
        language: As GitHub calls it.
        first: First day.
        last: Last day.
    """
    total, items = _page(github, language, first, last, 1)
    if total > MOST_RESULTS and first < last:
        middle = first + (last - first) // 2
        yield from search(github, language, first, middle)
        yield from search(github, language, middle + _ONE_DAY, last)
        return
    if total > MOST_RESULTS:
        _log.warning("%s of %s: %d repositories, of which GitHub shows 1,000", language, first, total)
    yield from items
    for page in range(2, -(-min(total, MOST_RESULTS) // _PER_PAGE) + 1):
        yield from _page(github, language, first, last, page)[1]


def _page(
    github: GitHub, language: str, first: datetime.date, last: datetime.date, page: int
) -> tuple[int, list[Mapping[str, Any]]]:
    query = f'language:"{language}" created:{first.isoformat()}..{last.isoformat()}'
    # Sorted by what does not change, so that pages do not overlap.
    parameters = {"q": query, "sort": "created", "order": "asc", "per_page": _PER_PAGE, "page": page}
    answer = github.get("/search/repositories", parameters)
    if answer.value is None:
        return 0, []
    return answer.value["total"], answer.value["items"]
