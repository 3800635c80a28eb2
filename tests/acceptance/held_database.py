"""Row 18: another program holds the database: locked for writing, or read and never let go."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from tests.acceptance.clean import assert_all_done
from tests.acceptance.conftest import Bench, bench_in
from tests.acceptance.killing import BARE
from tests.acceptance.small import write_disc

ALARM = "write-ahead log"


def database_held(
    folder: Path,
    *,
    locked_seconds: float,
    pinned_seconds: float,
    alarm_bytes: int | None = None,
    files_per_s: float = 0.5,
) -> str:
    """Row 18: files arrive while a writer, and then a reader, of another program sits there.

    Args:
        folder: to work in.
        locked_seconds: how long a write lock is held.
        pinned_seconds: how long a reading transaction stays open.
        alarm_bytes: the daemon's limit for its log, which would take days of discs as it is; more
            than the 4 MB that a log has without a reader. None where no alarm can be waited for.
        files_per_s: micrographs that arrive meanwhile.
    """
    with bench_in(folder, BARE) as bench:
        limit = {} if alarm_bytes is None else {"FRINGEWATCH_TEST_LOG_BYTES": str(alarm_bytes)}
        process = bench.start("--plain", **limit)
        write_disc(bench.folder / "first.tif", 0)
        bench.until(lambda: bench.states() == {"first.tif": "done"})
        with _locked(bench):
            _arrive(bench, locked_seconds, files_per_s)
        _caught_up(bench)
        assert ALARM not in bench.log.read_text()
        with _pinned(bench):
            _arrive(bench, pinned_seconds, files_per_s)
            _caught_up(bench)
            log_bytes = (bench.state / "fringewatch.sqlite-wal").stat().st_size
            if alarm_bytes is not None:
                bench.until(lambda: ALARM in bench.log.read_text())
        assert process.poll() is None, f"it ended with {process.returncode}"
        (blamed,) = bench.query("SELECT max(attempts), max(child_deaths) FROM source_file")
        assert blamed == (0, 0), "a file was blamed for what another program did"
        bench.stop(process)
        assert process.returncode == 0
        results = assert_all_done(bench.state, bench.folder)
    return (
        f"{results} files, none blamed or lost; locked {locked_seconds:.0f} s, pinned "
        f"{pinned_seconds:.0f} s with a log of {log_bytes / 1e6:.1f} MB"
        + ("" if alarm_bytes is None else f", alarm above {alarm_bytes / 1e6:.0f} MB raised")
    )


@contextmanager
def _locked(bench: Bench) -> Iterator[None]:
    with closing(_connected(bench)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


@contextmanager
def _pinned(bench: Bench) -> Iterator[None]:
    with closing(_connected(bench)) as other:
        other.execute("BEGIN")
        (before,) = other.execute("SELECT count(*) FROM analysis").fetchone()
        yield
        assert other.execute("SELECT count(*) FROM analysis").fetchone() == (before,)


def _connected(bench: Bench) -> sqlite3.Connection:
    path = bench.state / "fringewatch.sqlite"
    return sqlite3.connect(path, isolation_level=None, timeout=30)


def _arrive(bench: Bench, seconds: float, files_per_s: float) -> None:
    """New micrographs at a steady pace, for so long and at least one."""
    until = time.monotonic() + seconds
    while True:
        number = len(list(bench.folder.iterdir()))
        write_disc(bench.folder / f"{number:05d}.tif", number)
        if time.monotonic() > until:
            return
        time.sleep(1 / files_per_s)


def _caught_up(bench: Bench) -> None:
    there = len(list(bench.folder.iterdir()))
    bench.until(lambda: list(bench.states().values()) == ["done"] * there)
