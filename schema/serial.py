"""Records as JSON text and back, exactly.

The text rides along in every mask file and is what `rebuild` reads, so a change of a record is a
change of `RECORD_FORMAT`. Bytes that are no UTF-8 keep their value as lone surrogates, which
JSON escapes. A number that is not finite is refused: it has no JSON and no SQL value.
"""

import dataclasses
import json
import math
import types
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from schema.records import Companion

RECORD_FORMAT = 1

R = TypeVar("R")


def to_json(record: Any) -> str:
    """Compact JSON text of a record, ASCII, in the order of its fields.

    Raises:
        ValueError: a number is not finite.
        TypeError: a value is not of the kind its field names.
    """
    return json.dumps(_plain(record, type(record)), separators=(",", ":"), allow_nan=False)


def from_json(kind: type[R], text: str) -> R:
    """The record of this kind that `to_json` wrote.

    Raises:
        ValueError: the text is not JSON.
        KeyError, TypeError: it describes something else.
    """
    return cast(R, _value(json.loads(text), kind))


def companions_to_json(companions: tuple[Companion, ...]) -> str:
    """JSON text of the companions of a file, sorted by path: equal sets give equal text."""
    if not companions:
        return "[]"
    ordered = sorted(companions, key=lambda companion: companion.path)
    plain = [_plain(companion, Companion) for companion in ordered]
    return json.dumps(plain, separators=(",", ":"))


def companions_from_json(text: str) -> tuple[Companion, ...]:
    """The companions of a file, sorted by path."""
    return tuple(_value(plain, Companion) for plain in json.loads(text))


def finite(value: float) -> float:
    """The number as a float.

    Raises:
        ValueError: it is infinite or not a number.
    """
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{number!r} cannot be stored: unknown is None")
    return number


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


@cache
def _optional(kind: type) -> frozenset[str]:
    """Fields with a default: text of before they were added lacks them."""
    fields = dataclasses.fields(kind)
    return frozenset(f.name for f in fields if f.default is not dataclasses.MISSING)


def _plain(value: Any, kind: Any) -> Any:
    kind = _without_none(kind)
    if value is None:
        return None
    if _is_record(kind):
        return {name: _plain(getattr(value, name), hint) for name, hint in _hints(kind).items()}
    if get_origin(kind) is tuple:
        return [_plain(item, get_args(kind)[0]) for item in value]
    if get_origin(kind) is Mapping:
        return {key: _plain(item, get_args(kind)[1]) for key, item in value.items()}
    if kind is bytes:
        return value.decode("utf-8", "surrogateescape")
    if kind is Path:
        return str(value)
    if kind is datetime:
        return value.isoformat()
    if kind is float:
        return finite(value)
    return _exactly(value, kind)


def _value(plain: Any, kind: Any) -> Any:
    kind = _without_none(kind)
    if plain is None:
        return None
    if _is_record(kind):
        given = {n: h for n, h in _hints(kind).items() if n in plain or n not in _optional(kind)}
        return kind(**{name: _value(plain[name], hint) for name, hint in given.items()})
    if get_origin(kind) is tuple:
        return tuple(_value(item, get_args(kind)[0]) for item in plain)
    if get_origin(kind) is Mapping:
        return {key: _value(item, get_args(kind)[1]) for key, item in plain.items()}
    if kind is bytes:
        return plain.encode("utf-8", "surrogateescape")
    if kind is Path or (isinstance(kind, type) and issubclass(kind, StrEnum)):
        return kind(_exactly(plain, str))
    if kind is datetime:
        return datetime.fromisoformat(plain)
    if kind is float:
        return finite(plain)
    return _exactly(plain, kind)


def _is_record(kind: Any) -> bool:
    return dataclasses.is_dataclass(kind)


def _without_none(kind: Any) -> Any:
    if get_origin(kind) not in (Union, types.UnionType):
        return kind
    return next(part for part in get_args(kind) if part is not type(None))


def _exactly(value: Any, kind: Any) -> Any:
    if not isinstance(value, kind):
        raise TypeError(f"{value!r} is not of kind {kind.__name__}")
    return value
