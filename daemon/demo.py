"""`fringewatch demo`: a simulated microscope writes, the real daemon watches, figures follow.

Nothing is staged: the microscope is a process of its own that only writes files, the daemon is
`fringewatch watch` with its live view, and what is printed at the end comes from the database.
"""

import importlib.util
import multiprocessing
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import typer
from sqlalchemy.exc import SQLAlchemyError

from daemon import config as configuration
from daemon import reporting
from daemon.drawing import draw_all
from daemon.errors import DaemonError, Exit, Misused
from daemon.microscope import CORRUPT_NAME, microscope_process
from daemon.reading import open_for_reading
from daemon.selection import Selection
from schema import standing
from schema.records import LedgerCounts

MARKER = ".fringewatch-demo"
DEADLINE_SECONDS = 600.0  # two minutes are usual; a busy computer may take its time
STOP_SECONDS = 45.0

_MADE = ("microscope", "microscope.log", "state", "overlays", "demo.toml", MARKER)
_SIMULATOR = ("abtem", "ase")
_CONFIG = """\
# The configuration of the demonstration: `fringewatch watch --config {name}`.
[state]
folder = "state"

[[watch]]
folder = "microscope"

[overlays]
folder = "overlays"

[log]
format = "text"
"""


@dataclass(frozen=True, kw_only=True)
class Stage:
    """The folders of one demonstration."""

    folder: Path

    @property
    def microscope(self) -> Path:
        """Where the simulated microscope writes."""
        return self.folder / "microscope"

    @property
    def state(self) -> Path:
        """Where the daemon keeps its results."""
        return self.folder / "state"

    @property
    def overlays(self) -> Path:
        """Where the pictures go."""
        return self.folder / "overlays"

    @property
    def microscope_said(self) -> Path:
        """What the microscope printed: for whoever has to find out why it failed."""
        return self.folder / "microscope.log"

    @property
    def config(self) -> Path:
        """The configuration of the daemon."""
        return self.folder / "demo.toml"


def run_demo(folder: Path, micrographs: int) -> int:
    """Run the demonstration in a folder of its own; its exit code.

    Raises:
        Misused: the folder holds something the demonstration did not make.
        DaemonError: the simulator is not installed, or the microscope or the daemon failed.
    """
    missing = [name for name in _SIMULATOR if importlib.util.find_spec(name) is None]
    if missing:
        raise DaemonError(
            f"the simulated microscope needs {' and '.join(missing)}: "
            "install them with `pip install 'fringewatch[simulate]'`"
        )
    stage = prepared(folder)
    typer.echo(
        f"A simulated microscope will write {micrographs} micrographs, one file cut short and "
        f"completed later,\nand one corrupt file into {stage.microscope}; the daemon watches. "
        "About two minutes; Ctrl-C ends it."
    )
    started = time.monotonic()
    try:
        _play(stage, micrographs)
    except KeyboardInterrupt:
        typer.echo("The demonstration was interrupted; what was done is kept.", err=True)
        return Exit.FAILED
    _tell(stage, time.monotonic() - started)
    return Exit.DONE


def prepared(folder: Path) -> Stage:
    """The stage, empty: what an earlier demonstration made there is deleted, and nothing else.

    Raises:
        Misused: there is something in the folder that no demonstration made.
    """
    stage = Stage(folder=folder.absolute())
    try:
        stage.folder.mkdir(parents=True, exist_ok=True)
        found = {path.name for path in stage.folder.iterdir()}
        if found and MARKER not in found:
            raise Misused(
                f"{folder} is not empty and was not made by a demonstration; "
                "choose another with --folder"
            )
        for name in _MADE:
            _delete(stage.folder / name)
        (stage.folder / MARKER).write_text("The demonstration may delete what it made here.\n")
        stage.microscope.mkdir()
        stage.config.write_text(_CONFIG.format(name=stage.config.name), encoding="utf-8")
    except OSError as error:
        raise Misused(f"cannot use {folder}: {error.strerror}") from error
    return stage


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _play(stage: Stage, micrographs: int) -> None:
    """Let the microscope write and the daemon watch until all is worked off."""
    microscope = multiprocessing.get_context("spawn").Process(
        target=microscope_process,
        args=(stage.microscope, micrographs, stage.microscope_said),
        name="microscope",
    )
    daemon = subprocess.Popen(_watch_command(stage))
    try:
        microscope.start()
        _wait(
            lambda: _is_over(stage, micrographs, microscope.exitcode, daemon.poll()),
            DEADLINE_SECONDS,
        )
    finally:
        _stop_daemon(daemon)
        if microscope.is_alive():
            microscope.terminate()
        microscope.join()


def _watch_command(stage: Stage) -> list[str]:
    fringewatch = [sys.executable, "-c", "from daemon.cli import main; main()"]
    about = ["--session", "demonstration", "--sample", "simulated", "--instrument", "simulated TEM"]
    return [*fringewatch, "watch", "--config", str(stage.config), *about]


def _wait(is_over: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not is_over():
        if time.monotonic() > deadline:
            raise DaemonError(f"the demonstration was not over after {seconds:.0f} s")
        time.sleep(0.5)


def _is_over(
    stage: Stage, micrographs: int, microscope_exit: int | None, daemon_exit: int | None
) -> bool:
    """Whether every micrograph is done and the corrupt file has shown itself.

    Raises:
        DaemonError: the microscope or the daemon has failed.
    """
    if daemon_exit is not None:
        raise DaemonError(f"the daemon has ended by itself (exit code {daemon_exit})")
    if microscope_exit:
        raise DaemonError(f"the simulated microscope has failed: see {stage.microscope_said}")
    return microscope_exit == 0 and is_worked_off(_counts(stage), micrographs)


def is_worked_off(counts: LedgerCounts, micrographs: int) -> bool:
    """Whether the ledger holds all there will be: good ones done, the corrupt one set aside."""
    at_rest = counts.pending == 0 and counts.seen - counts.superseded == micrographs + 1
    return at_rest and counts.done == micrographs


def _counts(stage: Stage) -> LedgerCounts:
    """What the ledger says; nothing yet where the daemon has not made it."""
    try:
        _, engine = open_for_reading(stage.state)
        with engine.begin() as connection:
            return standing.counts(connection)
    except (DaemonError, SQLAlchemyError):
        return LedgerCounts()


def _stop_daemon(daemon: subprocess.Popen[bytes]) -> None:
    daemon.send_signal(signal.SIGTERM)
    try:
        daemon.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        daemon.kill()
        daemon.wait()


def _tell(stage: Stage, seconds: float) -> None:
    """Print the population, what became of the corrupt file, and where everything lies."""
    config = configuration.load(stage.config)
    state, engine = open_for_reading(stage.state)
    with engine.begin() as connection:
        counts = standing.counts(connection)
    pictures = draw_all(state, config, stage.overlays)  # those that the daemon had no time for
    typer.echo(f"\nAll worked off in {seconds:.0f} s. The population, as `fringewatch summary`:\n")
    reporting.summary(config, Selection(), as_json=False)
    typer.echo(f"""
{CORRUPT_NAME} cannot be read ({"set aside" if counts.quarantined else "waiting for its next try"});
nothing else was held up by it: `fringewatch status --state {stage.state}`.

database  {state.database}
masks     {state.masks}
overlays  {stage.overlays} ({pictures} pictures)""")
