"""On what kind of file system a folder lies, from a table as the kernel writes it."""

from pathlib import Path

import pytest

from daemon.mounts import file_system_type, is_network


def line(mount_point: str, kind: str) -> str:
    """One mount, with optional fields as in proc(5)."""
    return f"36 35 98:0 / {mount_point} rw,noatime shared:1 master:2 - {kind} source rw\n"


TABLE = line("/", "ext4") + line("/data", "xfs") + line("/data/share", "cifs")


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/", "ext4"),
        ("/home/x", "ext4"),
        ("/data", "xfs"),
        ("/data/shared", "xfs"),
        ("/data/share", "cifs"),
        ("/data/share/2026/Au", "cifs"),
    ],
)
def test_the_longest_mount_point_wins(folder, kind):
    assert file_system_type(Path(folder), TABLE) == kind


def test_a_mount_point_counts_by_its_length_and_not_by_its_place_in_the_table():
    table = line("/data/share", "cifs") + line("/data", "xfs") + line("/", "ext4")
    assert file_system_type(Path("/data/share/a"), table) == "cifs"


def test_a_later_mount_hides_an_earlier_one_at_the_same_place():
    table = TABLE + line("/mnt/scope", "autofs") + line("/mnt/scope", "nfs4")
    assert file_system_type(Path("/mnt/scope/a"), table) == "nfs4"


@pytest.mark.parametrize(
    ("written", "folder"),
    [
        (r"/mnt/my\040share", "/mnt/my share"),
        (r"/mnt/a\011b", "/mnt/a\tb"),
        (r"/mnt/back\134slash", "/mnt/back\\slash"),
        ("/mnt/données", "/mnt/données"),
        ("/mnt/数据", "/mnt/数据"),
        ("/mnt/\udcff", "/mnt/\udcff"),
    ],
)
def test_a_mount_point_of_any_name_is_understood(written, folder):
    table = line("/", "ext4") + line(written, "nfs")
    assert file_system_type(Path(folder) / "a", table) == "nfs"


def test_an_empty_table_knows_nothing():
    assert file_system_type(Path("/data"), "") == "unknown"


def test_the_kernels_own_table_is_read(tmp_path):
    assert file_system_type(tmp_path) != "unknown"


@pytest.mark.parametrize("kind", ["cifs", "smb3", "nfs", "nfs4", "9p", "fuse.sshfs", "lustre"])
def test_servers_send_no_events(kind):
    assert is_network(kind)


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "tmpfs", "overlay", "vfat"])
def test_local_disks_do(kind):
    assert not is_network(kind)
