"""Nothing outside the watched folder is read, and nothing that is no file holds the daemon up."""

import os
import socket
import stat
from pathlib import Path

from daemon.errors import Exit
from tests.acceptance.conftest import Bench
from tests.acceptance.small import write_disc
from tests.acceptance.swapping import swap_race

SWAPS = 1000
PATIENCE_SECONDS = 180.0


def test_a_file_or_folder_swapped_for_a_link_is_never_followed(tmp_path: Path):
    assert swap_race(tmp_path, swaps=SWAPS)


def lay_traps(folder: Path, outside: Path) -> list[Path]:
    """Links in the root, out of it and in a circle; a pipe, a socket, and a device as root."""
    links = {
        "inside.tif": folder / "good.tif",
        "outside.tif": outside / "other.tif",
        "below": outside,
        "circle": folder,
        "circle.tif": folder / "circle.tif",
        "dangling.tif": folder / "nowhere.tif",
        "memory.tif": Path("/proc/self/mem"),
    }
    for name, target in links.items():
        (folder / name).symlink_to(target)
    os.mkfifo(folder / "pipe.tif")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(os.fspath(folder / "socket.tif"))
    if os.geteuid() == 0:
        os.mknod(folder / "zeros.tif", stat.S_IFCHR | 0o666, os.makedev(1, 5))
    return [path for path in folder.iterdir() if path.is_symlink() or not path.is_file()]


def test_links_pipes_sockets_and_devices_are_left_alone(quick: Bench, tmp_path: Path):
    """Below the root; the way to the root leads through a link, as an operator may have it."""
    outside = tmp_path / "outside"
    outside.mkdir()
    write_disc(outside / "other.tif", 2)
    write_disc(quick.folder / "good.tif", 1)
    traps = lay_traps(quick.folder, outside)
    (tmp_path / "link").symlink_to(tmp_path)
    quick.folder = tmp_path / "link" / quick.folder.name
    quick.configure()
    process = quick.start("--plain", OMP_NUM_THREADS="1")
    quick.until(lambda: quick.states() == {"good.tif": "done"}, seconds=PATIENCE_SECONDS)
    os.link(outside / "other.tif", quick.folder / "late.tif")  # a file like any other
    quick.until(lambda: quick.states().get("late.tif") == "done", seconds=PATIENCE_SECONDS)
    result = quick.run("analyse", *traps, timeout=PATIENCE_SECONDS)
    assert result.returncode != Exit.DONE
    assert "is not a regular file" in result.stderr
    quick.stop(process)
    assert process.returncode == 0
    assert quick.query("SELECT count(*) FROM source_file") == [(2,)]
    quick.assert_clean()
