"""Tells what a store will never take from what it cannot take now."""

from __future__ import annotations

import errno
import re
import shutil

# Answers to a request that may go well later: the server was too slow, or was asked too much at once.
_LATER = (408, 429)
# Of files: on this machine, so the store is not away. The other signs of a file's trouble are classes.
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO, errno.ENAMETOOLONG)
_OF_FILES = (
    FileNotFoundError,  # an artifact that was deleted while it waited
    FileExistsError,
    PermissionError,
    IsADirectoryError,
    NotADirectoryError,
    shutil.Error,
)


def is_refusal(error: Exception) -> bool:
    """Whether another try cannot mend it: the store said no, or a file cannot be read or written.

    Everything else is taken for the store's or the network's fault.

    Args:
        error: Raised by MLflow, by requests or by the file system.
    """
    if (status := _http_status(error)) is not None:
        return 400 <= status < 500 and status not in _LATER
    return isinstance(error, _OF_FILES) or getattr(error, "errno", None) in _NO_ROOM


def _http_status(error: Exception) -> int | None:
    """What a server has answered, in its own number or in MLflow's word for it."""
    from mlflow.exceptions import MlflowException
    from requests import HTTPError

    if isinstance(error, HTTPError):
        return None if error.response is None else error.response.status_code
    if not isinstance(error, MlflowException):
        return None
    # MLflow has no word for some numbers, such as a proxy's 413, and calls those the server's own failure.
    said = re.search(r"failed with error code (\d{3})", str(error))
    return int(said[1]) if said else error.get_http_status_code()
