"""Whether database and mask files are sound and belong together."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, select

from schema import masks
from schema.errors import MaskFileError
from schema.state import StateFolder
from schema.tables import Analysis

_MOST_NAMED = 20


@dataclass(frozen=True, kw_only=True)
class Strays:
    """What stands alone. Paths are relative to the state folder.

    `without_masks`: mask files that rows name and that are gone. `without_rows`: mask files that no
    row names. `unfinished`: left behind by an interrupted writer.
    """

    without_masks: tuple[str, ...]
    without_rows: tuple[str, ...]
    unfinished: tuple[str, ...]


def damage(connection: Connection) -> tuple[str, ...]:
    """What SQLite finds wrong with the database, at most 20 sentences; empty where it is sound."""
    found = connection.exec_driver_sql(f"PRAGMA quick_check({_MOST_NAMED})").scalars()
    sentences = [str(line) for line in found if line != "ok"]
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
    if broken:
        sentences.append(f"{len(broken)} rows refer to rows that do not exist")
    return tuple(sentences)


def strays(connection: Connection, state: StateFolder) -> Strays:
    """Compare the rows with the files, by their names."""
    named = set(connection.execute(select(Analysis.mask_path)).scalars())
    there = {str(path.relative_to(state.path)) for path in _files(state)}
    unfinished = {path for path in there if Path(path).name.startswith(".")}
    return Strays(
        without_masks=tuple(sorted(named - there)),
        without_rows=tuple(sorted(there - named - unfinished)),
        unfinished=tuple(sorted(unfinished)),
    )


def damaged_masks(state: StateFolder) -> Iterator[str]:
    """Sentences about mask files that do not read back; every part of every file is read."""
    for path in sorted(_files(state)):
        try:
            masks.read_labels(path)
            masks.read_probability(path)
            masks.read_record(path)
            masks.read_origin(path)
        except MaskFileError as error:
            yield str(error)


def _files(state: StateFolder) -> Iterator[Path]:
    return (path for path in state.masks.glob("*/*") if path.is_file())
