"""A killed migration leaves the old database or the new one; at every call in `make soak`."""

from pathlib import Path

from tests.acceptance.migration import migration_killed_at_random


def test_a_killed_migration_leaves_the_old_database_or_the_new_one(tmp_path: Path):
    migration_killed_at_random(tmp_path, kills=10)
