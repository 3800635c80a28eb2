"""Other programs may hold the database for a while; full size in `make soak`."""

from pathlib import Path

from tests.acceptance.held_database import database_held


def test_a_database_that_others_hold_costs_time_and_no_file(tmp_path: Path):
    # The lock is held for longer than SQLite waits, so that the daemon has to wait by itself.
    database_held(tmp_path, locked_seconds=13.0, pinned_seconds=2.0, files_per_s=1.0)
