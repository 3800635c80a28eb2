"""Row 16: a share whose server hangs, goes away, and dies.

In place of CIFS, which needs a kernel module, a mirror of a folder through FUSE (`bindfs`): as
there, no event tells of another machine's files, calls into a stopped server never return, and
those into a dead one fail.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from tests.acceptance.clean import assert_all_done
from tests.acceptance.conftest import Bench, bench_in
from tests.acceptance.small import write_disc

EXTRA = "poll_walk_seconds = 2.0"
LATE_SECONDS = 30.0
ABSENT_SECONDS = 20.0  # ten walks: time enough to believe an empty folder
RESULTS = "SELECT path, revision, present, state FROM source_file"


def share_comes_and_goes(folder: Path, *, files: int, hanging_seconds: float) -> str:
    """Row 16: every file once, however the share fails, and soon after it is back.

    Args:
        folder: to work in.
        files: in all; a quarter before each of three failures, a quarter after the last.
        hanging_seconds: how long the server hangs.
    """
    assert shutil.which("bindfs"), "bindfs is not installed"
    with bench_in(folder / "live") as bench:
        bench.configure(intake=EXTRA)
        camera = _Camera(folder / "server", bench, files // 4)
        with contextlib.ExitStack() as stack:
            server = stack.enter_context(_mounted(camera.folder, bench.folder))
            process = bench.start("--plain")
            camera.write()
            camera.until_done(seconds=300.0)
            assert "is polled" in bench.log.read_text()
            server.send_signal(signal.SIGSTOP)
            camera.write()
            time.sleep(hanging_seconds)
            camera.assert_nothing_happened(process)
            server.send_signal(signal.SIGCONT)
            late = [camera.until_done()]
        camera.write()
        time.sleep(ABSENT_SECONDS)
        camera.assert_nothing_happened(process)
        with _mounted(camera.folder, bench.folder) as server:
            late.append(camera.until_done())
            server.kill()
            server.wait()
            camera.write()
            time.sleep(ABSENT_SECONDS)
            camera.assert_nothing_happened(process)
        with _mounted(camera.folder, bench.folder):
            late.append(camera.until_done())
            bench.stop(process)
            assert process.returncode == 0
            results = assert_all_done(bench.state, bench.folder)
        analysed = bench.log.read_text().count(" analysed ")
    assert analysed == results == 4 * (files // 4), f"{analysed} inferences of {results} files"
    words = ", ".join(f"{seconds:.0f}" for seconds in late)
    return (
        f"{results} files, each analysed once; server stopped {hanging_seconds:.0f} s, unmounted, "
        f"killed: all done {words} s after it was back, no row gone (FUSE in place of CIFS)"
    )


class _Camera:
    """Writes on the server's own disk, whatever becomes of the share."""

    def __init__(self, folder: Path, bench: Bench, at_once: int) -> None:
        self.folder = folder
        self._bench = bench
        self._at_once = at_once
        self._written = 0
        self._before: list[tuple[object, ...]] = []
        folder.mkdir()

    def write(self) -> None:
        """So many more files; what the daemon knew before is remembered."""
        self._before = sorted(self._bench.query(RESULTS))
        for _ in range(self._at_once):
            write_disc(self.folder / f"{self._written:04d}.tif", self._written)
            self._written += 1

    def until_done(self, seconds: float = LATE_SECONDS) -> float:
        """How long it took until every file was done."""
        began = time.monotonic()
        self._bench.until(
            lambda: list(self._bench.states().values()) == ["done"] * self._written, seconds
        )
        return time.monotonic() - began

    def assert_nothing_happened(self, process: "subprocess.Popen[str]") -> None:
        """The daemon lives, and has taken back nothing that it knew."""
        assert process.poll() is None, f"it ended with {process.returncode}"
        assert sorted(self._bench.query(RESULTS)) == self._before


@contextlib.contextmanager
def _mounted(server: Path, share: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """The mirror, in the foreground of a process of its own; detached at the end in any case."""
    process = subprocess.Popen(["bindfs", "-f", server, share])
    try:
        deadline = time.monotonic() + 10
        while not os.path.ismount(share):
            assert time.monotonic() < deadline, "bindfs did not mount"
            time.sleep(0.05)
        yield process
    finally:
        subprocess.run(["umount", "--lazy", share], check=False)
        process.send_signal(signal.SIGCONT)
        process.terminate()
        process.wait(timeout=30)
