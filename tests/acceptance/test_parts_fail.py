"""Every part of the daemon may fail; ten times each in `make soak`."""

from pathlib import Path

from tests.acceptance.deaths import parts_fail


def test_whatever_part_fails_is_there_again_and_no_file_is_lost(tmp_path: Path):
    # Twice the time of the table: two cores are shared with the other tests.
    parts_fail(tmp_path, times=1, restart_seconds=10.0)
