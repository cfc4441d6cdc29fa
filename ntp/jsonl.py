"""JSON Lines files of frozen dataclasses: strict on reading, atomic on writing.

Each line is one record: an object of the dataclass's fields plus `schema_version`. Nested dataclasses are
objects, tuples are arrays, None is null. Blank lines at the end and a byte-order mark are ignored. An invalid
line is an error that names the file and the line.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import os
import tempfile
import types
import typing
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from ntp.errors import DataError

SCHEMA_VERSION = 2
VERSION_KEY = "schema_version"

R = TypeVar("R")


def read_jsonl(path: Path, record_type: type[R]) -> Iterator[R]:
    """Stream the records of a file.

    Raises:
        DataError: The file is missing, or a line is not a record of this type and schema version.
    """
    from_json = _decoder(record_type)
    with _opened(path) as lines:
        blank = 0
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                blank = blank or number
                continue
            if blank:
                raise DataError(f"{path}:{blank}: not valid JSON (a blank line); the file is corrupt")
            try:
                value = json.loads(line.decode("utf-8-sig"))
                _check_version(value)
                yield from_json(value)
            except ValueError as error:
                raise DataError(f"{path}:{number}: {_reason(error)}") from None


def write_jsonl(path: Path, records: Iterable[Any]) -> int:
    """Write records, replacing the file only when all of them are on disk.

    Returns:
        The number of records written.

    Raises:
        DataError: The directory cannot be written.
    """
    num_records = 0
    with atomic_write(path) as stream:
        for record in records:
            stream.write(dump_record(record) + "\n")
            num_records += 1
    return num_records


def dump_record(record: Any) -> str:
    """One record as one line of JSON, without the line end."""
    fields = {VERSION_KEY: SCHEMA_VERSION, **_encode(record)}
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":"))


def load_record(path: Path, record_type: type[R]) -> R:
    """Read a file that contains one record: a JSON object, on any number of lines.

    Raises:
        DataError: The file is missing, or is not a record of this type and schema version.
    """
    with _opened(path) as stream:
        try:
            value = json.loads(stream.read().decode("utf-8-sig"))
            _check_version(value)
            return _decoder(record_type)(value)
        except ValueError as error:
            raise DataError(f"{path}: {_reason(error)}") from None


@contextlib.contextmanager
def atomic_write(path: Path) -> Iterator[typing.TextIO]:
    """A text stream that becomes the file at `path` on success and is deleted on an exception.

    Raises:
        DataError: The directory cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        raise DataError(f"{path.parent}: cannot be written ({error.strerror}); choose another one") from None
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[typing.BinaryIO]:
    try:
        stream = path.open("rb")
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
    with stream:
        yield stream


def _reason(error: ValueError) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"not valid JSON ({error}); the file is corrupt, make it again"
    if isinstance(error, UnicodeDecodeError):
        return "not UTF-8; the file is corrupt, make it again"
    return str(error)


def _check_version(value: Any) -> None:
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")
    version = value.pop(VERSION_KEY, None)
    if version != SCHEMA_VERSION:
        raise ValueError(f"schema version {version}, expected {SCHEMA_VERSION}; make the file again")


def _encode(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return {f.name: _encode(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, tuple):
        return [_encode(item) for item in value]
    return value


@functools.cache
def _decoder(kind: Any) -> Callable[[Any], Any]:
    """A function from parsed JSON to a value of type `kind`; raises ValueError on anything else."""
    if dataclasses.is_dataclass(kind):
        return _dataclass_decoder(typing.cast(type, kind))
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is tuple:
        return _tuple_decoder(_decoder(arguments[0]))
    if origin in (typing.Union, types.UnionType):
        (inner,) = (argument for argument in arguments if argument is not type(None))
        some = _decoder(inner)
        return lambda value: None if value is None else some(value)
    return _scalar_decoder(kind)


def _dataclass_decoder(kind: type) -> Callable[[Any], Any]:
    hints = typing.get_type_hints(kind)
    decoders = [(f.name, _decoder(hints[f.name])) for f in dataclasses.fields(kind)]
    names = {name for name, _ in decoders}

    def decode(value: Any) -> Any:
        if not isinstance(value, dict):
            raise ValueError(f"expected an object ({kind.__name__}), found {type(value).__name__}")
        if value.keys() != names:
            for name in sorted(names - value.keys()):
                raise ValueError(f"{kind.__name__} lacks the key {name!r}")
            raise ValueError(f"{kind.__name__} has the unknown key {min(value.keys() - names)!r}")
        return kind(*[from_json(value[name]) for name, from_json in decoders])

    return decode


def _tuple_decoder(item: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def decode(value: Any) -> Any:
        if not isinstance(value, list):
            raise ValueError(f"expected an array, found {type(value).__name__}")
        return tuple([item(element) for element in value])

    return decode


def _scalar_decoder(kind: type) -> Callable[[Any], Any]:
    def decode(value: Any) -> Any:
        if type(value) is not kind:
            raise ValueError(f"expected {kind.__name__}, found {type(value).__name__}")
        return value

    return decode
