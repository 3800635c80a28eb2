"""The parser reaches its spool folder and its libraries, and nothing else of the machine."""

import ctypes
import errno
import json
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from daemon import confinement
from daemon.children import Child
from daemon.confinement import Confinement, landlock_version, to_folder
from tests.daemon.confined_children import try_everything

LONG = 60.0
ALLOWED = {"read the spool", "write the spool", "delete in the spool", "load a library"}

needs_landlock = pytest.mark.skipif(
    landlock_version() < 6, reason="this kernel knows no Landlock that holds all of it"
)


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    spool = tmp_path / "state" / "spool"
    spool.mkdir(parents=True)
    (spool.parent / "fringewatch.sqlite").write_bytes(b"rows")
    for name in ("a.tif", "b.tif"):
        (spool / name).write_bytes(b"pixels")
    (spool / "out").symlink_to(spool.parent / "fringewatch.sqlite")
    return spool


def tried(spool: Path, confined: Confinement | None) -> dict[str, str]:
    """What came of each deed of a child."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        arguments = (spool, server.getsockname()[1])
        child = Child("parser", try_everything, arguments, confinement=confined)
        child.start()
        found: dict[str, str] = child.receive(LONG)
        child.stop()
    return found


@needs_landlock
def test_a_confined_child_reaches_its_spool_and_nothing_else(spool: Path) -> None:
    confined = to_folder(spool)
    readable = (*confined.readable, Path(__file__).parents[1])  # where the child's own code lies
    found = tried(spool, replace(confined, readable=readable))
    assert {name for name, came in found.items() if came == "done"} == ALLOWED
    assert {found[name] for name in found.keys() - ALLOWED} == {"EACCES", "EPERM"}
    assert (spool.parent / "fringewatch.sqlite").read_bytes() == b"rows"


def test_without_landlock_a_child_works_all_the_same(
    spool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert {name for name, came in tried(spool, None).items() if came == "done"} >= ALLOWED

    def unknown_call(*_: object) -> int:
        ctypes.set_errno(errno.ENOSYS)
        return -1

    class Libc:
        syscall = staticmethod(unknown_call)

    monkeypatch.setattr(confinement.ctypes, "CDLL", lambda *_, **__: Libc)
    assert landlock_version() == 0
    to_folder(spool).enter()
    assert Path("/etc/passwd").read_bytes()


WRITER = """
import json, os, sys
from pathlib import Path
from daemon.confinement import write_only_below
ours, raw = map(Path, sys.argv[1:])
done = write_only_below([ours, ours / "is not there"])
deeds = {
    "read": lambda: (raw / "a.dm4").read_bytes(),
    "write": lambda: (raw / "a.dm4").open("r+b"),
    "cut": lambda: os.truncate(raw / "a.dm4", 0),
    "make": lambda: (raw / "new").touch(),
    "make a folder": lambda: (raw / "new").mkdir(),
    "remove": lambda: (raw / "a.dm4").unlink(),
    "rename": lambda: (raw / "a.dm4").rename(raw / "b.dm4"),
    "move away": lambda: (raw / "a.dm4").rename(ours / "a.dm4"),
    "write ours": lambda: (ours / "rows").write_text("x"),
    "make ours": lambda: (ours / "below").mkdir(),
    "move ours": lambda: (ours / "rows").rename(ours / "below" / "rows"),
}
found = []
for name, deed in deeds.items():
    try:
        deed()
        found.append(name)
    except OSError:
        pass
print(json.dumps([done, found]))
"""


@needs_landlock
def test_who_gave_up_writing_elsewhere_can_change_no_raw_file(tmp_path: Path) -> None:
    ours, raw = tmp_path / "state", tmp_path / "acquisition"
    for folder in (ours, raw):
        folder.mkdir()
    (raw / "a.dm4").write_bytes(b"pixels")
    command = [sys.executable, "-c", WRITER, str(ours), str(raw)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(run.stdout) == [True, ["read", "write ours", "make ours", "move ours"]]
    assert (raw / "a.dm4").read_bytes() == b"pixels"


def test_a_kernel_without_it_is_no_reason_to_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confinement, "landlock_version", lambda: 1)
    assert not confinement.write_only_below([])
