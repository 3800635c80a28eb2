"""Only a file that is whole, regular and as it was found reaches the spool."""

import errno
import hashlib
import os
import resource
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from daemon import spool
from daemon.config import WatchConfig
from daemon.errors import DaemonCode
from daemon.roots import Root
from daemon.spool import CannotSpool, ChangedWhileCopied, DoesNotFit, spool_arrival
from daemon.walk import walk
from schema.records import ArrivalRecord

LIMIT = 10 * 2**20


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "spool" / "1"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def arrival_in(folder: Path) -> ArrivalRecord:
    (arrival,) = walk(Root.of(WatchConfig(folder=folder))).arrivals
    return arrival


def named(path: Path) -> ArrivalRecord:
    """An arrival of something the walk would not report."""
    status = path.lstat()
    return ArrivalRecord(
        path=os.fsencode(path),
        root=os.fsencode(path.parent),
        size_bytes=status.st_size,
        mtime_ns=status.st_mtime_ns,
        inode=status.st_ino,
    )


@pytest.mark.parametrize("size", [0, 1, spool.CHUNK_BYTES, spool.CHUNK_BYTES + 1])
def test_the_copy_is_the_file_and_its_hash_is_the_files(folder, target, size):
    content = os.urandom(size)
    (folder / "a.dm4").write_bytes(content)
    spooled = spool_arrival(arrival_in(folder), target, LIMIT)
    assert spooled.primary == target / "a.dm4"
    assert spooled.primary.read_bytes() == content
    assert spooled.file_sha256 == spooled.content_sha256 == sha256(content)


@pytest.mark.parametrize("name", [b"\xff\xfe.dm4", b"two\nlines.dm4", b"x" * 251 + b".dm4"])
def test_the_copy_keeps_the_name(folder, target, name):
    (folder / os.fsdecode(name)).write_bytes(b"x")
    spooled = spool_arrival(arrival_in(folder), target, LIMIT)
    assert os.listdir(os.fsencode(target)) == [name]
    assert spooled.primary.exists()


def test_companions_come_under_their_own_names_and_count_in_the_content(folder, target):
    (folder / "x_1.ser").write_bytes(b"pixels")
    (folder / "x.emi").write_bytes(b"settings")
    spooled = spool_arrival(arrival_in(folder), target, LIMIT)
    assert sorted(path.name for path in target.iterdir()) == ["x.emi", "x_1.ser"]
    assert spooled.file_sha256 == sha256(b"pixels")
    both = sha256(b"pixels") + sha256(b"settings")
    assert spooled.content_sha256 == sha256(both.encode())


def test_a_name_does_not_count_in_the_content(folder, target):
    hashes = set()
    for name in ("a.dm4", "b.dm4"):
        (folder / name).write_bytes(b"same")
        hashes.add(spool_arrival(arrival_in(folder), target, LIMIT).content_sha256)
        (folder / name).unlink()
    assert len(hashes) == 1


def test_what_an_interrupted_copy_left_is_gone(folder, target):
    target.mkdir(parents=True)
    (target / "old.dm4").write_bytes(b"old")
    (folder / "a.dm4").write_bytes(b"new")
    spool_arrival(arrival_in(folder), target, LIMIT)
    assert [path.name for path in target.iterdir()] == ["a.dm4"]


def test_the_raw_file_and_its_folder_are_left_as_they_were(folder, target):
    path = folder / "a.dm4"
    path.write_bytes(b"x" * 1000)
    path.chmod(0o440)
    folder.chmod(0o550)
    before = (path.stat(), folder.stat())
    spool_arrival(arrival_in(folder), target, LIMIT)
    after = (path.stat(), folder.stat())
    for earlier, later in zip(before, after, strict=True):
        assert (earlier.st_mtime_ns, earlier.st_ctime_ns) == (later.st_mtime_ns, later.st_ctime_ns)
    assert path.read_bytes() == b"x" * 1000
    folder.chmod(0o750)


def test_a_link_is_never_followed(folder, target):
    (folder / "secret").write_text("secret")
    link = folder / "a.dm4"
    link.symlink_to(folder / "secret")
    with pytest.raises(OSError, match=os.strerror(errno.ELOOP)):
        spool_arrival(named(link), target, LIMIT)
    assert list(target.iterdir()) == []


def test_a_file_swapped_for_a_link_is_not_followed(folder, target):
    path = folder / "a.dm4"
    path.write_text("x")
    arrival = arrival_in(folder)
    path.unlink()
    path.symlink_to("/etc/hostname")
    with pytest.raises(OSError, match=os.strerror(errno.ELOOP)):
        spool_arrival(arrival, target, LIMIT)


@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_what_is_no_regular_file_is_refused_without_waiting(folder, target, kind):
    path = folder / "a.dm4" if kind == "pipe" else Path("/dev/zero")
    if kind == "pipe":
        os.mkfifo(path)
    with pytest.raises(CannotSpool) as refusal:
        spool_arrival(named(path), target, LIMIT)
    assert refusal.value.code is DaemonCode.NOT_A_REGULAR_FILE


def test_a_file_beyond_the_limit_is_refused_before_it_is_read(folder, target):
    path = folder / "a.dm4"
    path.touch()
    os.truncate(path, 2**40)  # takes no room on the disk
    with pytest.raises(CannotSpool, match="1099511627776 bytes, more than the limit") as refusal:
        spool_arrival(arrival_in(folder), target, LIMIT)
    assert refusal.value.code is DaemonCode.FILE_TOO_LARGE
    assert list(target.iterdir()) == []


def test_a_file_that_vanished_is_an_error_of_the_disk(folder, target):
    (folder / "a.dm4").write_bytes(b"x")
    arrival = arrival_in(folder)
    (folder / "a.dm4").unlink()
    with pytest.raises(FileNotFoundError):
        spool_arrival(arrival, target, LIMIT)


@pytest.mark.parametrize("changed", ["x_1.ser", "x.emi"])
def test_a_file_written_to_since_it_settled_is_not_copied(folder, target, changed):
    (folder / "x_1.ser").write_bytes(b"pixels")
    (folder / "x.emi").write_bytes(b"settings")
    arrival = arrival_in(folder)
    with (folder / changed).open("ab") as file:
        file.write(b"more")
    with pytest.raises(ChangedWhileCopied):
        spool_arrival(arrival, target, LIMIT)


def test_a_file_replaced_by_one_of_the_same_size_is_not_copied(folder, target):
    path = folder / "a.dm4"
    path.write_bytes(b"one")
    arrival = arrival_in(folder)
    path.write_bytes(b"two")
    os.utime(path, ns=(arrival.mtime_ns + 1, arrival.mtime_ns + 1))
    with pytest.raises(ChangedWhileCopied):
        spool_arrival(arrival, target, LIMIT)


def in_mid_copy(monkeypatch, path: Path, write) -> threading.Thread:
    """A writer that acts once the first chunk has been copied, before the second is."""
    monkeypatch.setattr(spool, "CHUNK_BYTES", 1000)
    reached, written = threading.Event(), threading.Event()

    def work() -> None:
        reached.wait(30)
        write(path)
        written.set()

    class Digest:
        """SHA-256 that lets the writer have its turn between two chunks."""

        def __init__(self) -> None:
            self._digest = hashlib.sha256()

        def update(self, chunk: bytes) -> None:
            self._digest.update(chunk)
            reached.set()
            written.wait(30)

        def hexdigest(self) -> str:
            return self._digest.hexdigest()

    monkeypatch.setattr(spool, "hashlib", SimpleNamespace(sha256=Digest))
    thread = threading.Thread(target=work)
    thread.start()
    return thread


def append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def append_and_set_the_time_back(path: Path) -> None:
    status = path.stat()
    append(path)
    os.utime(path, ns=(status.st_mtime_ns, status.st_mtime_ns))


def cut(path: Path) -> None:
    os.truncate(path, 1500)


def rewrite_in_place(path: Path) -> None:
    status = path.stat()
    with path.open("r+b") as file:
        file.write(b"HEAD")
    os.utime(path, ns=(status.st_mtime_ns + 1000, status.st_mtime_ns + 1000))


@pytest.mark.parametrize("write", [append, append_and_set_the_time_back, cut, rewrite_in_place])
def test_a_file_that_changes_during_the_copy_is_not_taken(folder, target, monkeypatch, write):
    path = folder / "a.dm4"
    path.write_bytes(b"x" * 3000)
    arrival = arrival_in(folder)
    writer = in_mid_copy(monkeypatch, path, write)
    with pytest.raises(ChangedWhileCopied):
        spool_arrival(arrival, target, LIMIT)
    writer.join()


def test_a_file_that_never_stops_growing_does_not_fill_the_disk(folder, target, monkeypatch):
    path = folder / "a.dm4"
    path.write_bytes(b"x" * 1000)
    arrival = arrival_in(folder)

    def grow(path: Path) -> None:
        os.truncate(path, 50_000_000)

    writer = in_mid_copy(monkeypatch, path, grow)
    with pytest.raises(ChangedWhileCopied):
        spool_arrival(arrival, target, LIMIT)
    writer.join()
    assert (target / "a.dm4").stat().st_size <= 3000


def test_a_full_disk_is_an_error_of_the_disk_and_no_change_of_the_file(folder, target):
    (folder / "a.dm4").write_bytes(b"x" * 3_000_000)
    arrival = arrival_in(folder)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))
    try:
        with pytest.raises(OSError, match=os.strerror(errno.EFBIG)):
            spool_arrival(arrival, target, LIMIT)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_file_larger_than_what_is_free_is_not_begun(folder, target, monkeypatch):
    (folder / "a.dm4").write_bytes(b"x" * 1001)
    monkeypatch.setattr("daemon.space.free_bytes", lambda _: 1000)
    with pytest.raises(DoesNotFit, match=r"needs 1001 bytes .*, and 1000 bytes are free\."):
        spool_arrival(arrival_in(folder), target, LIMIT)
    assert list(target.iterdir()) == []


@pytest.mark.parametrize("free", [1000, None])
def test_a_file_is_copied_where_it_fits_or_where_nobody_knows(folder, target, monkeypatch, free):
    (folder / "a.dm4").write_bytes(b"x" * 1000)
    monkeypatch.setattr("daemon.space.free_bytes", lambda _: free)
    assert spool_arrival(arrival_in(folder), target, LIMIT).primary.stat().st_size == 1000


def test_a_file_beyond_the_limit_is_refused_whatever_is_free(folder, target, monkeypatch):
    (folder / "a.dm4").write_bytes(b"x" * 1001)
    monkeypatch.setattr("daemon.space.free_bytes", lambda _: 0)
    with pytest.raises(CannotSpool):
        spool_arrival(arrival_in(folder), target, 1000)


def test_a_disk_that_runs_full_in_mid_copy_says_what_the_file_needs(folder, target, monkeypatch):
    """As a quota does: more is free than may be taken."""
    (folder / "a.dm4").write_bytes(b"x" * 1000)
    arrival = arrival_in(folder)
    full = os.open("/dev/full", os.O_WRONLY)
    monkeypatch.setattr(Path, "open", lambda *_: os.fdopen(full, "wb"))
    with pytest.raises(DoesNotFit, match=r"needs 1000 bytes .*: No space left on device"):
        spool_arrival(arrival, target, LIMIT)


@pytest.mark.parametrize(
    ("written", "full", "is_hole"),
    [(100, 100_000, True), (0, 5, True), (100, 100, False), (0, 0, False)],
)
def test_an_end_that_was_never_written_is_noticed(folder, tmp_path, written, full, is_hole):
    path = folder / "a.dm4"
    path.write_bytes(b"x" * written)
    os.truncate(path, full)
    (arrival,) = walk(Root.of(WatchConfig(folder=folder))).arrivals
    spooled = spool_arrival(arrival, tmp_path / "spool", 10**6)
    assert spooled.ends_in_a_hole == is_hole
    assert spooled.primary.stat().st_size == full
