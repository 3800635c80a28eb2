"""What was said to be analysed is there after the power has failed; full size in `make soak`."""

from pathlib import Path

import pytest

from tests.acceptance.faults import is_traceable
from tests.acceptance.power_loss import power_lost


@pytest.mark.skipif(not is_traceable(), reason="needs strace, and leave to trace")
def test_nothing_that_was_said_to_be_there_is_lost_with_the_power(tmp_path: Path):
    power_lost(tmp_path, losses=60, restarts=1, files=3)
