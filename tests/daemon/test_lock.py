"""One process owns a state folder; the lock goes with it."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from daemon.errors import Exit, StateFolderError
from daemon.lock import is_owned, owned
from tests.daemon.moments import wait_until

HOLD = """
import sys
from pathlib import Path
from daemon.lock import owned
with owned(Path(sys.argv[1])):
    print("owned", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path: Path):
    """Another process that owns the folder."""
    command = [sys.executable, "-c", HOLD, tmp_path]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "owned\n"
        yield process
        process.kill()


def test_a_second_process_cannot_own(tmp_path, holder):
    assert is_owned(tmp_path)
    with pytest.raises(StateFolderError, match="another fringewatch") as error, owned(tmp_path):
        pass
    assert error.value.exit_code == Exit.NEEDS_A_PERSON


def test_the_lock_goes_with_a_process_that_is_killed(tmp_path, holder):
    holder.kill()
    holder.wait()
    assert not is_owned(tmp_path)
    with owned(tmp_path):
        assert is_owned(tmp_path)
    assert not is_owned(tmp_path)


def test_what_was_never_owned_is_not(tmp_path):
    assert not is_owned(tmp_path)
    assert not is_owned(tmp_path / "nowhere")


def test_the_lock_is_given_back_after_an_exception(tmp_path):
    with pytest.raises(RuntimeError), owned(tmp_path):
        raise RuntimeError
    assert not is_owned(tmp_path)


def test_somebody_who_asks_all_the_time_keeps_nobody_from_owning(tmp_path):
    with owned(tmp_path):
        pass
    ending = threading.Event()

    def ask() -> None:
        while not ending.is_set():
            is_owned(tmp_path)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        for _ in range(200):
            with owned(tmp_path):
                pass
    finally:
        ending.set()
        thread.join()


def test_a_child_does_not_inherit_the_lock(tmp_path):
    with owned(tmp_path):
        sleeper = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        wait_until(lambda: not is_owned(tmp_path))
    finally:
        sleeper.kill()
        sleeper.communicate()


@pytest.mark.parametrize("there", [True, False])
def test_a_folder_that_cannot_be_written_is_said_so(tmp_path, there):
    folder = tmp_path / "file" if there else tmp_path / "nowhere"
    if there:
        folder.write_text("no folder")
    with pytest.raises(StateFolderError, match="cannot own"), owned(folder):
        pass


def test_a_lock_that_may_not_be_read_is_said_so(tmp_path):
    if os.geteuid() == 0:
        (tmp_path / "lock").symlink_to("lock")  # nobody may read a circle, not even root
    else:
        (tmp_path / "lock").touch(0o000)
    with pytest.raises(StateFolderError, match="cannot look into"):
        is_owned(tmp_path)
