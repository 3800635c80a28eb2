"""Every row of a database by what it is about, so that two databases can be compared."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

# What a row is about, in place of its numbers; what says when it was written is left out.
QUERIES = {
    "session": "SELECT * FROM session",
    "bundle": "SELECT * FROM bundle",
    "pipeline": "SELECT p.*, b.sha256 AS about FROM pipeline p JOIN bundle b ON b.id = bundle_id",
    "source_file": "SELECT f.*, s.uuid AS about FROM source_file f "
    "LEFT JOIN session s ON s.id = f.session_id",
    "image": "SELECT i.*, f.path AS about, f.revision, v.key FROM image i "
    "JOIN source_file f ON f.id = i.source_file_id JOIN field_of_view v ON v.id = field_of_view_id",
    "analysis": "SELECT a.*, p.fingerprint AS about, i.pixel_sha256 FROM analysis a "
    "JOIN pipeline p ON p.id = pipeline_id JOIN image i ON i.id = image_id",
    "analysis_summary": "SELECT s.*, a.natural_key AS about FROM analysis_summary s "
    "JOIN analysis a ON a.id = analysis_id",
    "particle": "SELECT p.*, a.natural_key AS about FROM particle p "
    "JOIN analysis a ON a.id = analysis_id",
}
NUMBERS = {"id", "image_id", "analysis_id", "pipeline_id", "bundle_id", "session_id"}
NUMBERS |= {"source_file_id", "field_of_view_id", "inode", "pid", "boot_id", "ctime_ns"}
TIMES = {"first_seen_at_utc", "settled_at_utc", "started_at_utc", "finished_at_utc"}
TIMES |= {"activated_at_utc"}


def rows_of(state: Path, table: str, *left_out: str) -> list[tuple[Any, ...]]:
    """The rows of a table, sorted."""
    with closing(sqlite3.connect(f"file:{state / 'fringewatch.sqlite'}?mode=ro", uri=True)) as db:
        db.row_factory = sqlite3.Row
        found = [dict(row) for row in db.execute(QUERIES[table])]
    passed_over = NUMBERS | TIMES | set(left_out)
    kept = [tuple(v for key, v in row.items() if key not in passed_over) for row in found]
    return sorted(kept, key=repr)


def all_rows(state: Path) -> dict[str, list[tuple[Any, ...]]]:
    """The rows of every table."""
    return {table: rows_of(state, table) for table in QUERIES}
