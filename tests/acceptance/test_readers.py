"""Members of the group read the results while the daemon runs, after a stop, and after a kill."""

import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from schema import engine
from tests.acceptance.conftest import Bench
from tests.acceptance.small import write_disc

MEMBER, GROUP, STRANGER = 64_012, 64_013, 64_014
QUESTION = "SELECT count(*) FROM current_particle"

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")


@pytest.fixture
def shared(quick: Bench) -> Iterator[Bench]:
    """A state folder whose group may read; pytest's own folders are closed to everybody else."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        place.chmod(0o755)
        quick.state = place / "state"
        quick.state.mkdir(0o750)
        os.chown(quick.state, 0, GROUP)
        quick.state.chmod(0o2750)  # new files have the group of the folder, as under the unit
        quick.configure()
        yield quick
        for process in quick.processes:
            process.kill()
            process.wait()


def as_user(user: int, work: Callable[[], object]) -> bool:
    """Whether it can be done by somebody else, in a process of his own."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            os.setgroups([GROUP] if user == MEMBER else [])
            os.setgid(user)
            os.setuid(user)
            work()
            status = 0
        finally:
            os._exit(status)
    return os.waitpid(pid, 0)[1] == 0


def can_read(bench: Bench, user: int) -> dict[str, bool]:
    """By a plain program such as a notebook or Datasette, by ours, and the masks."""
    database = bench.state / "fringewatch.sqlite"

    def plainly() -> None:
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
            assert connection.execute(QUESTION).fetchone()[0] >= 1

    def by_us() -> None:
        with engine.reader(database).connect() as connection:
            assert connection.exec_driver_sql(QUESTION).scalar_one() >= 1

    def the_masks() -> None:
        (found,) = (bench.state / "masks").rglob("*.h5")
        found.read_bytes()

    works = {"plainly": plainly, "by us": by_us, "the masks": the_masks}
    return {name: as_user(user, work) for name, work in works.items()}


@pytest.mark.parametrize("how", ["running", "stopped", "killed"])
def test_the_group_reads_and_nobody_else_does(shared: Bench, how: str):
    write_disc(shared.folder / "a.tif", 1)
    process = shared.start("--plain")
    shared.until(lambda: shared.states() == {"a.tif": "done"})
    if how == "stopped":
        shared.stop(process)
    if how == "killed":
        process.kill()
        process.wait()
    assert set(can_read(shared, MEMBER).values()) == {True}, can_read(shared, MEMBER)
    assert set(can_read(shared, STRANGER).values()) == {False}
