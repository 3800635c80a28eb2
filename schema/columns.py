"""Column types that refuse what would be stored ambiguously.

Times are ISO 8601 text of fixed width, so that text order is time order and SQLite's own date
functions read them. Paths are bytes: a file name need not be valid in any encoding.
"""

from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

from sqlalchemy import Dialect, LargeBinary, Row, Text
from sqlalchemy.types import TypeDecorator

AnyRow: TypeAlias = Row[*tuple[Any, ...]]
"""A row whose columns are read by name."""


class UtcTime(TypeDecorator[datetime]):
    """An aware datetime in UTC, stored as `2026-03-01T09:30:00.000000Z`."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:
        """Text of fixed width.

        Raises:
            ValueError: the time is naive or in another zone.
        """
        if value is None:
            return None
        return utc_text(value)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        """The aware datetime that was stored."""
        return None if value is None else datetime.fromisoformat(value)


class LocalTime(TypeDecorator[datetime]):
    """A naive datetime, the clock of the microscope, stored without a zone."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:
        """Text of fixed width.

        Raises:
            ValueError: the time carries a zone.
        """
        if value is None:
            return None
        if value.tzinfo is not None:
            raise ValueError(f"{value!r} carries a zone; a local time has none")
        return value.isoformat(timespec="microseconds")

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        """The naive datetime that was stored."""
        return None if value is None else datetime.fromisoformat(value)


class PathBytes(TypeDecorator[bytes]):
    """A path as the file system spells it; text is refused."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: bytes | None, dialect: Dialect) -> bytes | None:
        """The bytes unchanged.

        Raises:
            TypeError: the value is not bytes.
        """
        if value is not None and not isinstance(value, bytes):
            raise TypeError(f"a path is stored as bytes, not as {type(value).__name__}")
        return value


def utc_text(value: datetime) -> str:
    """ISO 8601 text of an aware UTC time, with microseconds and `Z`.

    Raises:
        ValueError: the time is naive or in another zone.
    """
    if value.utcoffset() != timedelta(0):
        raise ValueError(f"{value!r} is not an aware time in UTC")
    return value.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
