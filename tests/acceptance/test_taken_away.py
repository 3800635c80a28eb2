"""The database is taken away while the daemon runs: it ends, and says so, within seconds."""

import os
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.acceptance.conftest import Bench
from tests.acceptance.small import write_disc

NOTICED_SECONDS = 5.0
TURN_SECONDS = 3.0  # a turn of the loop and the end of the processes, on a busy machine


def replace(database: Path) -> None:
    """By a copy, as a restored backup would."""
    shutil.copy(database, database.with_name("copy"))
    database.with_name("copy").replace(database)


HARM: dict[str, Callable[[Path], object]] = {
    "unlinked": Path.unlink,
    "replaced": replace,
    "truncated": lambda database: os.truncate(database, 0),
    "made read-only": lambda database: database.chmod(0o440),
    "folder moved": lambda database: database.parent.rename(database.parent.with_name("away")),
}


@pytest.mark.parametrize("harm", HARM)
def test_a_daemon_whose_database_is_taken_away_ends(quick: Bench, harm: str):
    write_disc(quick.folder / "a.tif", 1)
    process = quick.start("--plain")
    quick.until(lambda: quick.states() == {"a.tif": "done"})
    began = time.monotonic()
    HARM[harm](quick.state / "fringewatch.sqlite")
    assert process.wait(timeout=30) == 1
    assert time.monotonic() - began < NOTICED_SECONDS + TURN_SECONDS
    said = quick.log.read_text()
    assert re.search(r"fringewatch: .*(gone|another file|cut short|read-only)", said), said
    assert "Traceback" not in said


def test_masks_without_their_database_are_never_started_over(quick: Bench):
    write_disc(quick.folder / "a.tif", 1)
    assert quick.run("watch", "--once", "--plain").returncode == 0
    for content in (None, b""):
        (quick.state / "fringewatch.sqlite").unlink(missing_ok=True)
        if content is not None:
            (quick.state / "fringewatch.sqlite").write_bytes(content)
        again = quick.run("watch", "--once", "--plain")
        assert again.returncode == 78
        assert "rebuild" in again.stderr
