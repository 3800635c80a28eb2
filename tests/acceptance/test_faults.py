"""Whatever call to the kernel fails, or is the last one: no row stands there without its file.

Four faults, one upon the other; every call of every kind in `make soak`.
"""

from pathlib import Path

import pytest

from tests.acceptance.faults import Fault, faults_on_faults, is_traceable

FAULTS = (
    Fault("pwrite64", "SIGKILL", 100),  # the database is being made
    Fault("rename", "EIO", 1),  # of a mask file
    Fault("fdatasync", "SIGKILL", 6),  # of a commit
    Fault("pwrite64", "ENOSPC", 12),  # into the write-ahead log
)


@pytest.mark.skipif(not is_traceable(), reason="needs strace, and leave to trace")
def test_faults_upon_faults_leave_everything_clean(tmp_path: Path):
    faults_on_faults(tmp_path, FAULTS)
