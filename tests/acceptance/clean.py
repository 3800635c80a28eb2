"""What "clean" means after anything that may happen to a daemon (RELIABILITY, section 3).

Every result is there once; every row has one mask file that reads back, with its hashes; nothing
is left over; the database is sound; every file has a verdict.
"""

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from schema import masks

TERMINAL = {"done", "refused", "quarantined", "superseded"}
_RESULTS = """
SELECT a.natural_key, i.pixel_sha256, f.file_sha256, a.mask_path
FROM analysis a JOIN image i ON i.id = a.image_id JOIN source_file f ON f.id = i.source_file_id
"""


def assert_clean(state: Path) -> int:
    """The number of results, if the state folder is clean; its daemon has ended.

    Raises:
        AssertionError: it is not; the message says what was found.
    """
    with closing(sqlite3.connect(state / "fringewatch.sqlite")) as database:
        _assert_sound(database)
        results = database.execute(_RESULTS).fetchall()
        verdicts = {str(row[0]) for row in database.execute("SELECT state FROM source_file")}
    assert verdicts <= TERMINAL, f"files without a verdict: {verdicts - TERMINAL}"
    _assert_no_file_without_row(state, {state / row[3] for row in results})
    for natural_key, pixels, file, mask_path in results:
        _assert_reads_back(state / mask_path, natural_key, pixels, file)
    return len(results)


def assert_no_row_without_file(state: Path) -> int:
    """The number of results, if each has its whole file: what holds at every single moment."""
    with _copied(state) as path, closing(sqlite3.connect(path)) as database:
        if not database.execute("PRAGMA user_version").fetchone()[0]:
            return 0  # killed before its first tables
        results = database.execute(_RESULTS).fetchall()
    for natural_key, pixels, file, mask_path in results:
        _assert_reads_back(state / mask_path, natural_key, pixels, file)
    return len(results)


def assert_all_done(state: Path, folder: Path) -> int:
    """The number of files, if every micrograph of a watched folder is done, each by one result.

    For folders whose micrographs are all whole and all different.
    """
    results = assert_clean(state)
    with closing(sqlite3.connect(state / "fringewatch.sqlite")) as database:
        files = database.execute("SELECT path, revision, state FROM source_file").fetchall()
        (pixels,) = database.execute("SELECT count(DISTINCT pixel_sha256) FROM image").fetchone()
    not_done = [row for row in files if row[2] != "done"]
    assert not not_done, f"not done: {not_done}"
    there = {os.fsencode(path) for path in folder.iterdir()}
    assert {row[0] for row in files} == there
    assert len(files) == len(there) == results == pixels, (len(files), len(there), results, pixels)
    return results


@contextmanager
def _copied(state: Path) -> Iterator[Path]:
    """The database with its logs, so that looking at it mends nothing for the next owner."""
    with tempfile.TemporaryDirectory() as place:
        for end in ("", "-wal", "-journal"):
            with suppress(FileNotFoundError):
                shutil.copy(state / f"fringewatch.sqlite{end}", place)
        yield Path(place) / "fringewatch.sqlite"


def _assert_sound(database: sqlite3.Connection) -> None:
    assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert database.execute("PRAGMA foreign_key_check").fetchall() == []
    twice = database.execute(
        "SELECT natural_key FROM analysis GROUP BY natural_key HAVING count(*) > 1"
    ).fetchall()
    assert twice == []


def _assert_no_file_without_row(state: Path, named: set[Path]) -> None:
    files = {path for path in (state / "masks").rglob("*") if path.is_file()}
    assert files == named, f"one without the other: {files ^ named}"
    left_over = [path for path in state.rglob(".unfinished-*") if path.is_file()]
    left_over += list((state / "spool").iterdir())
    assert left_over == []


def _assert_reads_back(path: Path, natural_key: str, pixels: str, file: str) -> None:
    """Every part of the file, each with its checksum."""
    masks.read_labels(path)
    masks.read_probability(path)
    record, origin = masks.read_record(path), masks.read_origin(path)
    found = (record.analysis.natural_key, record.image.pixel_sha256, origin.file_sha256)
    assert found == (natural_key, pixels, file), path.name
