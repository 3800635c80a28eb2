"""Row 17: what may not be read waits until it may; where nothing may be written, nothing is tried.

Root reads everything, so the daemon is started without the two capabilities that let it.
"""

import os
import shutil
import subprocess

import pytest

from tests.acceptance.conftest import Bench
from tests.acceptance.small import write_disc

NOBODYS_POWER = ("setpriv", "--bounding-set", "-dac_override,-dac_read_search", "--")
READ_ONLY = (
    'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && '
    '! touch "$0/here" 2>/dev/null && exec "$@"'
)


def can(command: tuple[str, ...]) -> bool:
    """Whether this machine lets a process be started so."""
    if shutil.which(command[0]) is None:
        return False
    return subprocess.run([*command, "true"], capture_output=True, check=False).returncode == 0


def test_a_file_and_a_folder_that_nobody_may_read_wait_until_somebody_may(quick: Bench):
    if os.geteuid() == 0 and not can(NOBODYS_POWER):
        pytest.skip("root reads everything here, and there is no setpriv to change that")
    quick.configure(retry="[1.0, 600.0, 600.0, 600.0]")  # longer than this test waits
    closed_file = write_disc(quick.folder / "closed.tif", 1)
    closed_folder = quick.folder / "closed"
    closed_folder.mkdir()
    write_disc(closed_folder / "inside.tif", 2)
    write_disc(quick.folder / "open.tif", 3)
    closed_file.chmod(0)
    closed_folder.chmod(0)
    quick.wrapper = NOBODYS_POWER if os.geteuid() == 0 else ()
    process = quick.start("--plain")
    waits = "SELECT attempts >= 2, error_code FROM source_file WHERE state = 'retry'"
    quick.until(lambda: quick.query(waits) == [(1, "io_error")])
    quick.until(lambda: quick.states().get("open.tif") == "done")
    assert quick.states() == {"open.tif": "done", "closed.tif": "retry"}
    closed_file.chmod(0o400)
    closed_folder.chmod(0o500)
    quick.until(lambda: list(quick.states().values()) == ["done"] * 3)
    said = quick.stop(process)
    assert "closed.tif" in said
    assert f"cannot list {closed_folder}" in said
    quick.assert_clean()


def test_a_folder_that_is_mounted_read_only_is_watched_like_any_other(quick: Bench):
    in_own_mounts = ("unshare", "--user", "--map-root-user", "--mount")
    if not can(in_own_mounts):
        pytest.skip("no mounts here")
    quick.wrapper = (*in_own_mounts, "sh", "-c", READ_ONLY, os.fspath(quick.folder))
    write_disc(quick.folder / "before.tif", 1)
    process = quick.start("--plain")
    quick.until(lambda: quick.states() == {"before.tif": "done"})
    write_disc(quick.folder / "after.tif", 2)  # by the camera, whose mount it is not
    quick.until(lambda: quick.states() == {"before.tif": "done", "after.tif": "done"})
    quick.stop(process)
    assert process.returncode == 0
    assert sorted(os.listdir(quick.folder)) == ["after.tif", "before.tif"]
    quick.assert_clean()
