"""No child outlives its parent, however the parent ended."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.processes import children_of
from tests.daemon.moments import wait_until

SIMULATES = """
import sys
from pathlib import Path
from analysis.simulation.dataset import simulate
if __name__ == "__main__":
    simulate(Path(sys.argv[1]), fields=1000, seed=0, processes=2)
"""


def runs(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_a_simulation_that_is_ended_leaves_nobody_behind(tmp_path: Path, end: signal.Signals):
    (tmp_path / "simulates.py").write_text(SIMULATES)
    environment = os.environ | {"PYTHONPATH": os.fspath(Path.cwd())}
    command = [sys.executable, tmp_path / "simulates.py", tmp_path / "fields"]
    parent = subprocess.Popen(command, env=environment)
    try:
        wait_until(lambda: any((tmp_path / "fields").glob("field_*")), 120)
        children = set(children_of(parent.pid))
        assert len(children) >= 2
        parent.send_signal(end)
        parent.wait()
        wait_until(lambda: not any(map(runs, children)), 60)
    finally:
        parent.kill()
        parent.wait()
