"""Row 24: a migration that is killed half-way leaves the old database or the new one.

Every released schema is migrated again and again, and killed at a random moment or, where strace
is there, at its k-th call; what is left must be one of the two, row for row, and never between.
"""

import multiprocessing
import random
import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from schema import migrate
from tests.acceptance.faults import Fault

OLD_DATABASES = sorted((Path(__file__).parents[1] / "schema" / "databases").glob("schema_*.sql"))
NOW = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
CALLS = ("pwrite64", "fdatasync", "unlink", "ftruncate", "rename", "fsync")
Content = dict[str, list[tuple[object, ...]]]


def migration_killed_at_random(folder: Path, *, kills: int, seed: int = 0) -> str:
    """Row 24: so many kills for each released schema, at moments spread over the migration."""
    rng = random.Random(seed)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.acceptance.migration", "alembic.command"])
    found = {"old": 0, "new": 0}
    for dump in OLD_DATABASES:
        case = _Case(folder / dump.stem, dump)
        longest = max(_seconds_to_migrate(context, case.fresh()) for _ in range(2))
        for _ in range(kills):
            path = case.fresh()
            process = context.Process(target=upgrade, args=(path,))
            process.start()
            process.join(rng.uniform(0.0, longest))
            process.kill()
            process.join()
            found[case.assert_old_or_new(path)] += 1
    return _sentence(found)


def migration_killed_at_calls(folder: Path, *, most: int = 400, growth: float = 1.3) -> str:
    """Row 24: `upgrade-db` killed at its k-th write, sync, rename, ... of each released schema."""
    found = {"old": 0, "new": 0}
    for dump in OLD_DATABASES:
        case = _Case(folder / dump.stem, dump)
        for call in CALLS:
            k = 1
            while k <= most:
                path = case.fresh()
                if _upgrade_under(Fault(call, "SIGKILL", k), path) == 0:
                    break
                found[case.assert_old_or_new(path)] += 1
                k = max(k + 1, int(k * growth))
    return _sentence(found)


def upgrade(path: Path) -> None:
    """In a process of its own."""
    migrate.upgrade(path, NOW)


class _Case:
    """One released schema: its content before and after a migration that nobody disturbed."""

    def __init__(self, folder: Path, dump: Path) -> None:
        folder.mkdir(parents=True)
        self._folder = folder
        self._dump = dump
        self._old = _content(self.fresh())
        undisturbed = self.fresh()
        upgrade(undisturbed)
        self._new = _content(undisturbed)
        assert self._old != self._new

    def fresh(self) -> Path:
        """The old database, alone in its folder."""
        place = self._folder / "state"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        path = place / "fringewatch.sqlite"
        with closing(sqlite3.connect(path)) as database:
            database.executescript(self._dump.read_text())
        return path

    def assert_old_or_new(self, path: Path) -> str:
        """Which of the two a killed migration left; the backups, and the next try, are whole."""
        left = _content(path)
        assert left in (self._old, self._new), "something between the old schema and the new one"
        for backup in path.parent.glob("fringewatch*.backup"):
            assert _content(backup) == self._old, "a backup that does not restore"
        is_new = left == self._new
        if not is_new:
            upgrade(path)
            assert _content(path) == self._new
            shutil.copy(next(path.parent.glob("fringewatch*.backup")), path)  # and back
            assert _content(path) == self._old
        return "new" if is_new else "old"


def _content(path: Path) -> Content:
    """Every row of every table, the shape of each, and the number of the schema."""
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        tables = database.execute(
            "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name"
        ).fetchall()
        content: Content = {"": [*tables, *database.execute("PRAGMA user_version")]}
        names = [name for name, sql in tables if sql.lstrip().upper().startswith("CREATE TABLE")]
        for name in names:
            content[name] = sorted(database.execute(f'SELECT * FROM "{name}"'), key=repr)
    return content


def _seconds_to_migrate(context: multiprocessing.context.ForkServerContext, path: Path) -> float:
    process = context.Process(target=upgrade, args=(path,))
    began = time.monotonic()
    process.start()
    process.join()
    assert process.exitcode == 0
    return time.monotonic() - began


def _upgrade_under(fault: Fault, path: Path) -> int:
    strace = ["strace", "-f", "-qq", "-e", "signal=none", "-o", "/dev/null", *fault.options]
    command = [sys.executable, "-m", "daemon", "upgrade-db", "--state", str(path.parent)]
    return subprocess.run([*strace, *command], capture_output=True, check=False).returncode


def _sentence(found: dict[str, int]) -> str:
    kills = sum(found.values())
    return (
        f"{kills} kills over {len(OLD_DATABASES)} released schemas: {found['old']} left the old "
        f"database, {found['new']} the new one, 0 something between; every backup restores"
    )
