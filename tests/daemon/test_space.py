"""A full disk is told from a file that cannot be read."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.space import fault, free_bytes, free_share


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 6 MB of its own."""
    folder = tmp_path / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("a file system can be mounted by root only")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_disk_with_room_has_no_fault(tmp_path):
    assert fault(tmp_path) is None
    assert list(tmp_path.iterdir()) == []
    assert 0 < free_share(tmp_path) < 1


def test_a_full_disk_says_so_and_is_sound_once_there_is_room(small_disk):
    assert free_share(small_disk) == 1
    (small_disk / "fills").write_bytes(bytes(5_500_000))
    assert free_share(small_disk) < 0.2
    assert fault(small_disk) == "No space left on device"
    assert [path.name for path in small_disk.iterdir()] == ["fills"]
    (small_disk / "fills").unlink()
    assert fault(small_disk) is None


def test_the_free_bytes_are_those_a_file_can_take(small_disk):
    free = free_bytes(small_disk)
    assert 5_500_000 < free <= 6 * 2**20
    (small_disk / "fills").write_bytes(bytes(free))
    assert free_bytes(small_disk) == 0


def test_a_file_system_that_counts_nothing_says_nothing():
    assert free_bytes(Path("/proc")) is None


def test_a_disk_that_became_read_only_is_a_fault(small_disk):
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    assert fault(small_disk) == "Read-only file system"


def test_a_folder_that_is_gone_is_a_fault(tmp_path):
    assert fault(tmp_path / "nowhere") == "No such file or directory"
