"""What the reporting commands print: tables for people, JSON for programs, the same numbers."""

import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.table import Table
from rich.text import Text

from daemon import config as configuration
from daemon.clock import SYSTEM_CLOCK
from daemon.config import Config
from daemon.findings import Finding, Health
from daemon.jsons import print_json
from daemon.lock import is_owned
from daemon.names import printable
from daemon.notices import posted
from daemon.population_table import console, print_correlations, print_population
from daemon.reading import BOOTSTRAP_SEED, bundle_line, open_for_reading
from daemon.selection import Selection
from daemon.telling import command_fault
from schema import gathering, queries, sessions, standing
from schema.outlook import per_minute
from schema.queries import MicrographRow
from schema.records import SessionRecord
from schema.statement import statement

if TYPE_CHECKING:  # it reads mask files, which takes HDF5
    from schema.rebuild import Rebuilt

PROBLEMS = 20


def status(config: Config, as_json: bool) -> None:
    """Print where the files stand."""
    state, engine = open_for_reading(config.state.folder)
    with engine.begin() as connection:
        counts = standing.counts(connection)
        troubled = queries.problems(connection, PROBLEMS)
        opened = sessions.open_session(connection)
    running = is_owned(state.path)
    warnings = posted(state) if running else ()
    if as_json:
        print_json(
            {
                "state_folder": str(state.path),
                "running": running,
                "session": opened[1].name if opened else None,
                "ledger": asdict(counts),
                "warnings": warnings,
                "problems": [_problem(file) for file in troubled],
            }
        )
        return
    out = console()
    out.print(f"state folder  {printable(state.path)}", soft_wrap=True)
    out.print(f"daemon        {'running' if running else 'not running'}")
    out.print(f"session       {printable(opened[1].name) if opened else '—'}")
    parts = " + ".join(
        f"{value} {name}" for name, value in asdict(counts).items() if name != "seen"
    )
    out.print(f"files         {counts.seen} seen = {parts}")
    for warning in warnings:
        out.print(f"warning       {printable(warning)}", soft_wrap=True)
    if troubled:
        table = Table("file", "state", "code", "reason", box=None, pad_edge=False)
        for file in troubled:
            name = printable(os.path.basename(file.path))
            table.add_row(name, file.state, file.error_code or "", printable(file.reason or ""))
        out.print(table)


def summary(
    config: Config, selection: Selection, as_json: bool, correlations: bool = False
) -> None:
    """Print the population of a selection and, where asked for, what goes with what in it."""
    _, engine = open_for_reading(config.state.folder)
    with engine.begin() as connection:
        gathered = gathering.gathered(connection, selection.scope(connection), selection.rules)
        found = gathering.correlations(connection, gathered) if correlations else None
    population = gathered.population(np.random.default_rng(BOOTSTRAP_SEED), tested=as_json)
    rate = per_minute(gathered.choice, SYSTEM_CLOCK.utc())
    line = bundle_line(gathered.bundle) if gathered.bundle else None
    if as_json:
        print_json(
            statement(population, rate)
            | {
                "selection": selection.plain(),
                "bundle": line.name if line else None,
                "classifier_balanced_accuracy": line.balanced_accuracy if line else None,
            }
            | ({"correlations": asdict(found)} if found else {})
        )
        return
    print_population(population, line.classifier_note if line else None, rate)
    if found:
        print_correlations(found)


def list_sessions(config: Config, as_json: bool) -> None:
    """Print every session."""
    _, engine = open_for_reading(config.state.folder)
    with engine.begin() as connection:
        found = sessions.all_sessions(connection)
    if as_json:
        print_json([_plain_session(session) for session in found])
        return
    columns = ("session", "sample", "material", "run", "operator", "started", "ended")
    table = Table(*columns, box=None)
    for session in found:
        texts = (session.name, session.sample, session.material, session.run, session.operator)
        moments = (session.started_at_utc, session.ended_at_utc)
        table.add_row(
            *(printable(text or "—") for text in texts),
            *(f"{moment:%Y-%m-%d %H:%M} UTC" if moment else "open" for moment in moments),
        )
    console().print(table)


def check_config(file: Path, as_json: bool) -> None:
    """Print what a configuration means, defaults included.

    Raises:
        ConfigError: it is wrong.
    """
    config = configuration.load(file)
    if as_json:
        print_json(config.model_dump(mode="json"))
        return
    out = console()
    out.print(f"{printable(file)} is right", soft_wrap=True)
    out.print(f"  results go to {printable(config.state.folder)}", soft_wrap=True)
    for watch in config.watch:
        note = "" if watch.folder.is_dir() else " (not there now)"
        out.print(f"  watches {printable(watch.folder)}{note}", soft_wrap=True)
    out.print(f"  analyses with the bundle {printable(config.analysis.bundle)}")
    if config.overlays.folder is not None:
        out.print(f"  draws overlays into {printable(config.overlays.folder)}", soft_wrap=True)
    if config.alerts.is_asked_for:
        command = printable(" ".join(config.alerts.command))
        out.print(f"  tells of limits that are crossed through {command}", soft_wrap=True)
        if reason := command_fault(config.alerts.command):
            out.print(f"  warning: {reason}", soft_wrap=True)


def print_micrographs(found: Sequence[MicrographRow]) -> None:
    """Print one line per micrograph."""
    table = Table("micrograph", "state", "regions", "nm/px", "note", box=None, pad_edge=False)
    for row in found:
        name = printable(os.path.basename(row.path))
        frame = "" if row.frame_index is None else f" [{row.frame_index}]"
        regions = "—" if not row.segmented else str(row.particle_count)
        size = "—" if row.pixel_size_nm is None else f"{row.pixel_size_nm:.5g}"
        note = row.error_message or row.domain_reason or row.suspect or ""
        table.add_row(name + frame, row.state, regions, size, printable(note))
    console().print(table)


def print_findings(found: Sequence[Finding], as_json: bool) -> None:
    """Print what the doctor found: the sign says how bad it is, also without colour."""
    if as_json:
        print_json({"findings": [asdict(finding) for finding in found]})
        return
    signs = {Health.WELL: ("✓", "green"), Health.NOTE: ("·", "yellow"), Health.BAD: ("✗", "red")}
    table = Table("", "looked at", "found", box=None, pad_edge=False)
    for finding in found:
        table.add_row(Text(*signs[finding.health]), finding.about, finding.words)
    console().print(table)


def print_rebuilt(made: "Rebuilt", aside: Path | None, as_json: bool) -> None:
    """Print what a rebuild restored, and which mask files it could not read."""
    if as_json:
        print_json(
            {
                "results": made.results,
                "files": made.files,
                "sessions": made.sessions,
                "old_database": None if aside is None else str(aside),
                "left_out": [
                    {"mask_file": str(path), "reason": reason} for path, reason in made.left_out
                ],
            }
        )
        return
    out = console()
    out.print(
        f"restored {made.results} results of {made.files} files, and {made.sessions} sessions"
    )
    if aside is not None:
        out.print(f"the old database is {printable(aside)} now", soft_wrap=True)
    for path, reason in made.left_out:
        out.print(f"left out {printable(path)}: {printable(reason)}", soft_wrap=True)


def _problem(file: queries.RestingFile) -> dict[str, Any]:
    return {
        "path": printable(file.path),
        "state": file.state,
        "code": file.error_code,
        "reason": file.reason,
    }


def _plain_session(session: SessionRecord) -> dict[str, Any]:
    ended = session.ended_at_utc
    return asdict(session) | {
        "started_at_utc": session.started_at_utc.isoformat(),
        "ended_at_utc": ended.isoformat() if ended else None,
        "folder": None if session.folder is None else printable(session.folder),
    }
