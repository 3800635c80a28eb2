"""Rows as a Parquet file, each column with its type, its unit and what it means."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from daemon.cells import plain
from schema.dictionary import Entry, Kind

ROWS_TOGETHER = 10_000  # a row group; so many are in memory, of particles 30 MB

_TYPES: Mapping[Kind, pa.DataType] = {
    Kind.INTEGER: pa.int64(),
    Kind.REAL: pa.float64(),
    Kind.FLAG: pa.bool_(),
    Kind.TEXT: pa.string(),
    Kind.PATH: pa.string(),
    Kind.UTC: pa.timestamp("us", tz="UTC"),
    Kind.LOCAL: pa.timestamp("us"),
}
_VALUES: Mapping[Kind, Callable[[Any], Any]] = {
    Kind.FLAG: bool,
    Kind.TEXT: plain,
    Kind.PATH: plain,
    Kind.UTC: datetime.fromisoformat,
    Kind.LOCAL: datetime.fromisoformat,
}


def write(
    target: Path,
    columns: Mapping[str, Entry],
    rows: Iterable[Sequence[Any]],
    about: Mapping[str, str],
) -> int:
    """Write rows, a row group at a time; how many there were.

    Args:
        target: made anew.
        columns: what each is, in the order of the values of a row.
        rows: values as they stand in the database.
        about: what the file says of itself, beside the version of the program.

    Raises:
        OSError: the file cannot be written.
    """
    schema = pa.schema(
        [_field(name, entry) for name, entry in columns.items()],
        metadata={**about, "fringewatch": version("fringewatch")},
    )
    written = 0
    with (
        target.open("wb") as stream,
        pq.ParquetWriter(stream, schema, compression="zstd") as writer,
    ):
        for together in _batches(rows):
            writer.write_batch(_batch(schema, columns, together))
            written += len(together)
    return written


def _field(name: str, entry: Entry) -> pa.Field:
    about = {"unit": entry.unit, "definition": entry.definition, "source": entry.source}
    return pa.field(name, _TYPES[entry.kind], metadata=about)


def _batches(rows: Iterable[Sequence[Any]]) -> Iterator[list[Sequence[Any]]]:
    remaining = iter(rows)
    while together := list(islice(remaining, ROWS_TOGETHER)):
        yield together


def _batch(
    schema: pa.Schema, columns: Mapping[str, Entry], rows: Sequence[Sequence[Any]]
) -> pa.RecordBatch:
    arrays = []
    for values, entry in zip(zip(*rows, strict=True), columns.values(), strict=True):
        made = _VALUES.get(entry.kind)
        known = values if made is None else [None if v is None else made(v) for v in values]
        arrays.append(pa.array(known, _TYPES[entry.kind]))
    return pa.RecordBatch.from_arrays(arrays, schema=schema)
