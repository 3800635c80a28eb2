"""`fringewatch doctor`: what is well with an installation and its state folder, and what is not.

Changes nothing, and may run beside the daemon.
"""

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from daemon import shelf
from daemon.bounded import RESOLVE_SECONDS, within
from daemon.clock import Clock
from daemon.config import Config, WatchConfig
from daemon.errors import DaemonError
from daemon.findings import Finding, Health
from daemon.lock import is_owned
from daemon.mounts import file_system_type, is_network
from daemon.names import printable
from daemon.owning import LARGEST_LOG_BYTES
from daemon.reading import open_for_reading
from daemon.roots import Root, RootVanished, look, opened
from daemon.space import free_share
from daemon.telling import command_fault
from daemon.walk import folder_count, walk
from daemon.watcher import WATCH_SHARE, watch_limit
from schema import checkup, watched
from schema.guard import Guard
from schema.records import WatchedFolderRecord
from schema.state import StateFolder

SAFE_SQLITE = (3, 51, 3)
MOST_NAMED = 5
CLOCK_TOLERANCE_SECONDS = 60.0
DEVICE_SECONDS = 60.0


def examine(config: Config, clock: Clock, *, thorough: bool) -> tuple[Finding, ...]:
    """Everything that is looked at, in order.

    Args:
        config: names the state folder, the model and the watched folders.
        clock: to compare the clocks of those who write with.
        thorough: read every mask file, too: minutes for thousands.
    """
    looks: Sequence[Callable[[], Iterator[Finding]]] = (
        _program,
        lambda: _state(config, thorough),
        lambda: _models(config),
        lambda: _watched(config, clock),
        lambda: _told(config),
        lambda: _machine(config),
    )
    return tuple(finding for look in looks for finding in look())


def _program() -> Iterator[Finding]:
    version = sqlite3.sqlite_version
    words = version
    if sqlite3.sqlite_version_info < SAFE_SQLITE:
        words += ", which can damage a log that two connections write; only one does here"
    yield _well("SQLite", words)


def _state(config: Config, thorough: bool) -> Iterator[Finding]:
    folder = config.state.folder
    if not folder.is_dir():
        yield _note("state folder", f"{printable(folder)} is not there yet")
        return
    kind = file_system_type(folder)
    words = f"{printable(folder)}, on {kind}"
    yield (
        _bad("state folder", f"{words}: not a local disk")
        if is_network(kind)
        else _well("state folder", words)
    )
    free = free_share(folder)
    least = config.limits.min_free_fraction
    yield _verdict(free >= least, "free space", f"{free:.1%}, asked {least:.0%}")
    try:
        running = is_owned(folder)
        state, engine = open_for_reading(folder)
        with engine.begin() as connection:
            yield _well("daemon", "running" if running else "not running")
            yield from _database(connection, state)
            yield from _strays(connection, state, running)
    except (DaemonError, SQLAlchemyError) as error:
        yield _bad("database", str(error))
        return
    if thorough:
        damaged = tuple(checkup.damaged_masks(state))
        yield _verdict(not damaged, "mask files", _some(damaged) or "all read back")


def _database(connection: Connection, state: StateFolder) -> Iterator[Finding]:
    damage = checkup.damage(connection)
    yield _verdict(not damage, "database", _some(damage) or "sound")
    size = Guard(state.database).log_bytes
    words = f"{size / 2**20:.0f} MiB"
    if size > LARGEST_LOG_BYTES:
        words += ": a program that reads does not let go of old rows"
    yield _verdict(size <= LARGEST_LOG_BYTES, "write-ahead log", words)


def _strays(connection: Connection, state: StateFolder, running: bool) -> Iterator[Finding]:
    found = checkup.strays(connection, state)
    if found.without_masks:
        yield _bad("results without masks", _some(found.without_masks))
    else:
        yield _well("results", "each has its masks")
    if found.without_rows and not running:  # else one may be about to be written
        words = f"{_some(found.without_rows)}: taken up when their micrographs are seen again"
        yield _note("masks without results", words)
    if found.unfinished and not running:
        yield _note("unfinished files", f"{_some(found.unfinished)}: removed at the next start")


def _models(config: Config) -> Iterator[Finding]:
    folder = config.state.folder
    names = {config.analysis.bundle, *shelf.names(folder)}
    for name in sorted(names):
        try:
            manifest = shelf.intact(folder, name)
        except DaemonError as error:
            used = name == config.analysis.bundle
            yield _bad(f"model {name}", str(error)) if used else _note(f"model {name}", str(error))
        else:
            yield _well(f"model {name}", f"{manifest.name} {manifest.version}, as it was made")


def _watched(config: Config, clock: Clock) -> Iterator[Finding]:
    folders = 0
    known = _remembered(config)
    for watch in config.watch:
        about = f"folder {printable(watch.folder)}"
        try:
            root = _found(watch, known.get(watch.folder))
            arrivals = walk(root).arrivals
        except RootVanished as error:
            yield _bad(about, printable(str(error)))
            continue
        except OSError as error:
            yield _bad(about, str(error.strerror or error))
            continue
        kind = root.mount.file_system
        how = f"on {kind}, " + ("walked only" if is_network(kind) else "heard and walked")
        yield _well(about, how)
        folders += 0 if is_network(kind) else folder_count(root)
        newest = max((arrival.mtime_ns for arrival in arrivals), default=0) / 1e9
        ahead = newest - clock.utc().timestamp()
        if ahead > CLOCK_TOLERANCE_SECONDS:
            words = f"the clock of who writes there is {ahead:.0f} s ahead; nothing depends on it"
            yield _note(about, words)
    if folders:
        limit = watch_limit()
        words = f"{folders} of {limit:.0f} folders that the system can hear of"
        yield _verdict(folders <= WATCH_SHARE * limit, "inotify", words, Health.NOTE)


def _remembered(config: Config) -> dict[Path, WatchedFolderRecord]:
    """Where the daemon saw the folders last; of a database that is not well, `_state` says so."""
    try:
        _, engine = open_for_reading(config.state.folder)
        with engine.begin() as connection:
            found = {
                watch.folder: watched.remembered(connection, os.fsencode(watch.folder))
                for watch in config.watch
            }
    except (DaemonError, SQLAlchemyError):
        return {}
    return {folder: record for folder, record in found.items() if record is not None}


def _found(watch: WatchConfig, known: WatchedFolderRecord | None) -> Root:
    """A watched folder that is there.

    Raises:
        RootVanished: it is not, or the disk or share it lay on is not mounted.
        OSError: it cannot be listed, or does not answer.
    """
    root = opened(watch, known)
    root.mount = within(RESOLVE_SECONDS, lambda: look(root)).mount
    return root


def _told(config: Config) -> Iterator[Finding]:
    """Where pictures go, and through what people are told, where either is asked for."""
    folder = config.overlays.folder
    if folder is not None:
        try:
            takes = within(RESOLVE_SECONDS, lambda: _takes_files(folder))
        except OSError as error:
            yield _bad("overlays", f"{printable(folder)}: {error.strerror or error}")
        else:
            words = "takes pictures" if takes else "is no folder that could be written"
            yield _verdict(takes, "overlays", f"{printable(folder)} {words}")
    if config.alerts.is_asked_for:
        reason = command_fault(config.alerts.command)
        yield _verdict(reason is None, "alerts", reason or printable(config.alerts.command[0]))


def _takes_files(folder: Path) -> bool:
    """Whether who asks may write there."""
    return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)


def _machine(config: Config) -> Iterator[Finding]:
    yield _clock()
    if not sorted(Path("/dev").glob("nvidia[0-9]*")):
        wanted = config.analysis.device.startswith("gpu")
        words = "none: analysed on the processor"
        yield _bad("GPU", "none, and the configuration insists") if wanted else _well("GPU", words)
        return
    found = subprocess.run(
        [sys.executable, "-c", "import keras; print(*keras.distribution.list_devices('gpu'))"],
        capture_output=True,
        text=True,
        timeout=DEVICE_SECONDS,
        check=False,
    ).stdout.strip()
    yield _verdict(bool(found), "GPU", found or "there is one, and TensorFlow cannot use it")


def _clock() -> Finding:
    program = shutil.which("timedatectl")
    if program is None:
        return _note("clock", "whether it is kept right cannot be told without timedatectl")
    command = [program, "show", "--property=NTPSynchronized", "--value"]
    said = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    if said == "yes":
        return _well("clock", "kept right by a time server")
    return _note("clock", "not known to be kept right; times of acquisition come from the files")


def _some(sentences: Sequence[str]) -> str:
    """The first few, and how many more."""
    named = "; ".join(printable(each) for each in sentences[:MOST_NAMED])
    more = len(sentences) - MOST_NAMED
    return f"{named}; and {more} more" if more > 0 else named


def _verdict(is_well: bool, about: str, words: str, otherwise: Health = Health.BAD) -> Finding:
    return Finding(about=about, health=Health.WELL if is_well else otherwise, words=words)


def _well(about: str, words: str) -> Finding:
    return Finding(about=about, health=Health.WELL, words=words)


def _note(about: str, words: str) -> Finding:
    return Finding(about=about, health=Health.NOTE, words=words)


def _bad(about: str, words: str) -> Finding:
    return Finding(about=about, health=Health.BAD, words=words)
