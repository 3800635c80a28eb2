"""Events of the real kernel become hints; whatever happens to them, the watcher lives on."""

import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from watchdog.events import FileClosedEvent, FileCreatedEvent, FileSystemEvent
from watchdog.observers.inotify_c import InotifyConstants, InotifyEvent, InotifyFD

from daemon.config import WatchConfig
from daemon.mounts import Mount
from daemon.roots import Root
from daemon.watcher import Hint, HintHandler, HintKind, Watcher
from tests.daemon.moments import wait_until

Started = Callable[..., Watcher]


@pytest.fixture
def started(folder: Path) -> Iterator[Started]:
    """Starts watchers over the folder; they are stopped afterwards."""
    made: list[Watcher] = []

    def start(poll: str = "never", **options) -> Watcher:
        root = Root.of(WatchConfig(folder=folder, **options))
        made.append(Watcher([root], poll))  # type: ignore[arg-type]
        made[-1].start()
        return made[-1]

    yield start
    for watcher in made:
        watcher.stop()


class Hears:
    """Collects hints until those wanted have come."""

    def __init__(self, watcher: Watcher) -> None:
        self.watcher = watcher
        self.found: list[Hint] = []

    def until(self, kind: HintKind, path: Path | bytes) -> None:
        wanted = Hint(kind=kind, path=os.fsencode(path))

        def has_come() -> bool:
            self.found.extend(self.watcher.hints())
            return wanted in self.found

        wait_until(has_come)

    def kinds(self, path: Path) -> list[HintKind]:
        return [hint.kind for hint in self.found if hint.path == os.fsencode(path)]


def test_a_file_written_and_closed_is_heard_as_changed_then_closed(started, folder):
    ears = Hears(started())
    (folder / "a.dm4").write_bytes(b"x")
    ears.until(HintKind.CLOSED, folder / "a.dm4")
    assert ears.kinds(folder / "a.dm4")[0] is HintKind.CHANGED
    assert ears.kinds(folder / "a.dm4")[-1] is HintKind.CLOSED


def test_a_file_renamed_into_place_is_closed(started, folder):
    ears = Hears(started())
    (folder / ".a.dm4.part").write_bytes(b"x")
    (folder / ".a.dm4.part").rename(folder / "a.dm4")
    ears.until(HintKind.CLOSED, folder / "a.dm4")


def test_a_name_that_is_no_text_is_heard_as_its_bytes(started, folder):
    ears = Hears(started())
    path = os.fsencode(folder) + b"/\xff\xfe.dm4"
    with open(path, "wb"):
        pass
    ears.until(HintKind.CLOSED, path)


def test_a_new_folder_asks_for_a_walk_and_is_watched_itself(started, folder):
    ears = Hears(started())
    (folder / "day").mkdir()
    ears.until(HintKind.WALK, folder / "day")
    (folder / "day" / "a.dm4").write_bytes(b"x")
    ears.until(HintKind.CLOSED, folder / "day" / "a.dm4")


def test_a_folder_moved_in_asks_for_a_walk_and_is_watched_itself(started, folder, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "a.dm4").write_bytes(b"x")
    ears = Hears(started())
    outside.rename(folder / "day")
    ears.until(HintKind.WALK, folder / "day")
    (folder / "day" / "b.dm4").write_bytes(b"x")
    ears.until(HintKind.CLOSED, folder / "day" / "b.dm4")


def test_what_only_reads_or_touches_a_file_is_not_heard(started, folder):
    (folder / "a.dm4").write_bytes(b"x")
    ears = Hears(started())
    (folder / "a.dm4").read_bytes()
    os.utime(folder / "a.dm4")
    (folder / "b.dm4").write_bytes(b"x")
    ears.until(HintKind.CLOSED, folder / "b.dm4")
    assert ears.kinds(folder / "a.dm4") == []


def test_folders_below_a_flat_root_are_not_heard(started, folder):
    (folder / "day").mkdir()
    ears = Hears(started(recursive=False))
    (folder / "day" / "a.dm4").write_bytes(b"x")
    (folder / "b.dm4").write_bytes(b"x")
    ears.until(HintKind.CLOSED, folder / "b.dm4")
    assert ears.kinds(folder / "day" / "a.dm4") == []


class Unreadable(FileSystemEvent):
    """An event whose path cannot be looked at."""

    event_type = "closed"

    @property
    def src_path(self) -> bytes:
        raise RuntimeError("boom")

    @src_path.setter
    def src_path(self, value: bytes) -> None:
        pass


def test_an_event_that_cannot_be_read_is_logged_and_asks_for_a_walk(caplog):
    hints: queue.Queue[Hint] = queue.Queue()
    handler = HintHandler(hints)
    handler.dispatch(Unreadable(b"/data/a.dm4"))
    assert handler.overflowed
    assert "an event could not be read" in caplog.text
    handler.dispatch(FileClosedEvent(b"/data/b.dm4"))
    assert hints.get_nowait() == Hint(kind=HintKind.CLOSED, path=b"/data/b.dm4")


def test_an_exception_in_the_handler_does_not_end_the_watch(started, folder, monkeypatch):
    watcher = started()
    ears = Hears(watcher)
    lost = []

    def fail(event: FileSystemEvent) -> list[Hint]:
        lost.append(event)
        raise RuntimeError("boom")

    with monkeypatch.context() as patch:
        patch.setattr("daemon.watcher._hints_of", fail)
        (folder / "a.dm4").write_bytes(b"x")
        wait_until(lambda: bool(lost))
    wait_until(watcher.overflowed)
    assert not watcher.revived()
    (folder / "b.dm4").write_bytes(b"x")
    ears.until(HintKind.CLOSED, folder / "b.dm4")


def test_a_full_queue_asks_for_a_walk_once():
    hints: queue.Queue[Hint] = queue.Queue(maxsize=1)
    handler = HintHandler(hints)
    for name in (b"/data/a.dm4", b"/data/b.dm4"):
        handler.dispatch(FileCreatedEvent(name))
    assert handler.overflowed
    assert hints.qsize() == 1


def test_lost_hints_are_told_once(started, folder, monkeypatch):
    monkeypatch.setattr("daemon.watcher.HINT_QUEUE_LENGTH", 1)
    watcher = started()
    for number in range(10):
        (folder / f"{number}.dm4").write_bytes(b"x")
    wait_until(watcher.overflowed)
    watcher.stop()
    watcher.overflowed()
    assert not watcher.overflowed()


@pytest.mark.parametrize("victim", ["observer", "emitter"])
def test_a_dead_observer_is_started_again(started, folder, victim):
    watcher = started()
    assert not watcher.revived()
    observer = watcher._observer
    (emitter,) = observer.emitters
    dying = observer if victim == "observer" else emitter
    dying.stop()
    dying.join()
    assert watcher.revived()
    assert not watcher.revived()
    ears = Hears(watcher)
    (folder / "a.dm4").write_bytes(b"x")
    ears.until(HintKind.CLOSED, folder / "a.dm4")


def test_a_dead_reader_of_the_kernels_events_is_started_again(started, folder, monkeypatch):
    """Observer and emitters look alive then, and hear nothing."""
    watcher = started()
    (reader,) = (t for t in threading.enumerate() if isinstance(t, InotifyFD))
    assert not watcher.revived()
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    monkeypatch.setattr(reader, "handle_event", lambda _: 1 / 0)
    (folder / "a.dm4").touch()
    reader.join(10)
    assert watcher.revived()
    ears = Hears(watcher)
    (folder / "b.dm4").touch()
    ears.until(HintKind.CLOSED, folder / "b.dm4")


def test_events_that_the_kernel_lost_ask_for_a_walk_and_are_told_once(started, folder, caplog):
    watcher = started()
    (reader,) = (t for t in threading.enumerate() if isinstance(t, InotifyFD))
    reader.handle_event(InotifyEvent(-1, InotifyConstants.IN_Q_OVERFLOW, 0, b""))
    assert watcher.overflowed()
    assert not watcher.overflowed()
    assert [record.name for record in caplog.records] == ["daemon.watcher"]


def test_a_root_that_went_is_polled_and_one_that_came_back_is_heard(started, folder):
    watcher = started()
    root = watcher._roots[0]
    folder.rmdir()
    wait_until(watcher.revived)
    assert watcher.mode(root) == "polling"
    folder.mkdir()
    watcher.renew()
    assert watcher.mode(root) == "events"
    ears = Hears(watcher)
    (folder / "a.dm4").write_bytes(b"x")
    ears.until(HintKind.CLOSED, folder / "a.dm4")


def test_where_everything_is_polled_there_is_no_observer(started, folder):
    watcher = started(poll="always")
    assert watcher.polls
    assert watcher.mode(watcher._roots[0]) == "polling"
    assert watcher._observer is None
    assert not watcher.revived()
    (folder / "a.dm4").write_bytes(b"x")
    assert watcher.hints() == []


@pytest.mark.parametrize(("kind", "mode"), [("cifs", "polling"), ("ext4", "events")])
def test_auto_decides_by_the_file_system(started, monkeypatch, kind, mode):
    mount = Mount(point=Path("/"), file_system=kind, source="somewhere")
    monkeypatch.setattr("daemon.watcher.mount_of", lambda folder: mount)
    watcher = started(poll="auto")
    assert watcher.mode(watcher._roots[0]) == mode
    assert watcher.polls == (mode == "polling")


def test_where_the_system_has_no_watch_left_the_folder_is_polled(started, folder, monkeypatch):
    def refuse() -> None:
        raise OSError(24, "inotify instance limit reached")

    monkeypatch.setattr("daemon.watcher.Observer", refuse)
    watcher = started()
    assert watcher.polls
    assert not watcher.revived()


FEW_WATCHES = """
import sys
from pathlib import Path
from daemon.config import WatchConfig
from daemon.roots import Root
from daemon.walk import walk
from daemon.watcher import HintKind, Watcher
from tests.daemon.moments import wait_until

Path("/proc/sys/user/max_inotify_watches").write_text("20")
root = Root.of(WatchConfig(folder=Path(sys.argv[1])))
watcher = Watcher([root], "never")
watcher.start()
hints = []
def heard(name):
    hints.extend(watcher.hints())
    return any(hint.kind is HintKind.WALK and hint.path.endswith(name) for hint in hints)
if not watcher.polls:
    for number in range(40):
        folder = root.config.folder / f"d{number:02d}"
        folder.mkdir()
        (folder / "a.dm4").touch()
    wait_until(lambda: heard(b"d00"))
print(watcher.polls, watcher.revived(), len(walk(root).arrivals))
watcher.stop()
"""


@pytest.mark.parametrize(("folders", "polls"), [(40, True), (0, False)])
def test_beyond_the_systems_watches_the_walk_still_finds_every_file(folder, folders, polls):
    for number in range(folders):
        (folder / f"d{number:02d}").mkdir()
        (folder / f"d{number:02d}" / "a.dm4").touch()
    command = ["unshare", "--user", "--map-root-user", sys.executable, "-c", FEW_WATCHES, folder]
    try:
        run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    except FileNotFoundError:
        pytest.skip("there is no unshare")
    if "unshare" in run.stderr or "Permission denied" in run.stderr:
        pytest.skip(f"no namespaces here: {run.stderr.strip()}")
    assert run.returncode == 0, run.stderr
    assert run.stdout.split() == [str(polls), "False", "40"]
