"""What the clock says decides neither results nor how long they take; more jumps in `make soak`."""

from pathlib import Path

from tests.acceptance.row_clock import clock_jumps


def test_a_clock_that_jumps_changes_no_result_and_no_wait(tmp_path: Path):
    clock_jumps(tmp_path, jumps=3)
