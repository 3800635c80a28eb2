"""`fringewatch overlays`: the pictures of a selection, beside a daemon or without one."""

import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import typer
from sqlalchemy import Connection

from daemon import logs
from daemon.config import Config, LimitsConfig
from daemon.easel import CannotDraw, Easel, FolderFailed
from daemon.errors import DaemonError, Exit, Misused
from daemon.jsons import print_json
from daemon.lines import counted
from daemon.names import printable
from daemon.options import named
from daemon.progress import Show, shown
from daemon.reading import open_for_reading
from daemon.selection import Selection
from daemon.targets import check_apart
from schema import pictures, standing
from schema.pictures import Drawable
from schema.scope import EVERYTHING
from schema.standing import LedgerEntry
from schema.state import StateFolder

STAGE = "overlays"


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """One file, and those of its results that are to be drawn."""

    file: LedgerEntry
    results: tuple[Drawable, ...]

    @property
    def name(self) -> str:
        """Of the raw file, for people."""
        return printable(os.path.basename(self.file.path))


def overlays(
    config: Config, folder: Path, selection: Selection, files: Sequence[Path], as_json: bool
) -> int:
    """Draw what is missing and print how it went; 1 where a micrograph has no picture.

    Raises:
        Misused: a folder that is watched is to take the pictures, or a file was never seen.
        DaemonError: there is no state, or the folder cannot be written.
    """
    logs.set_up(style="text")
    state, engine = open_for_reading(config.state.folder)
    with engine.begin() as connection:
        check_apart(connection, config, folder)
        ids = None if not files else [_file_id(connection, path) for path in files]
        found = pictures.drawable(connection, selection.scope(connection), source_file_ids=ids)
        entries = {each: standing.entry(connection, each) for each in _file_ids(found)}
    drawn, without = draw_missing(state, folder, config.limits, found, entries)
    there = len({result.mask_path for result in found}) - drawn - len(without)
    if as_json:
        rows = [{"micrograph": name, "reason": reason} for name, reason in without]
        print_json({"drawn": drawn, "there": there, "without": rows})
    else:
        for name, reason in without:
            typer.echo(f"no overlay of {name}: {printable(reason)}", err=True)
        typer.echo(f"{counted(drawn, 'overlay')} drawn in {folder}; {there} were there already")
    return Exit.FAILED if without else Exit.DONE


def draw_all(state: StateFolder, config: Config, folder: Path) -> int:
    """Draw the results of a whole state folder; how many of them have a picture then.

    Raises:
        DaemonError: the folder cannot be written.
    """
    _, engine = open_for_reading(state.path)
    with engine.begin() as connection:
        found = pictures.drawable(connection, EVERYTHING)
        entries = {each: standing.entry(connection, each) for each in _file_ids(found)}
    _, without = draw_missing(state, folder, config.limits, found, entries)
    return len({result.mask_path for result in found}) - len(without)


def draw_missing(
    state: StateFolder,
    folder: Path,
    limits: LimitsConfig,
    found: Sequence[Drawable],
    entries: Mapping[int, LedgerEntry],
) -> tuple[int, tuple[tuple[str, str], ...]]:
    """How many pictures were drawn, and of which files some are missing, and why.

    Args:
        state: whose results they are.
        folder: made where it is missing; takes the pictures, and copies of raw files meanwhile.
        limits: what a file may cost.
        found: the results wanted; of copies the first that can be read is drawn.
        entries: their files.

    Raises:
        DaemonError: the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (
            tempfile.TemporaryDirectory(prefix=".drawing-", dir=folder) as scratch,
            shown() as show,
        ):
            easel = Easel(state, folder, Path(scratch), limits)
            try:
                return _draw(easel, _sheets(found, entries), show)
            finally:
                easel.rest()
    except (FolderFailed, OSError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DaemonError(f"cannot write into {folder}: {reason}") from error


def _draw(
    easel: Easel, sheets: Sequence[Sheet], show: Show
) -> tuple[int, tuple[tuple[str, str], ...]]:
    drawn = 0
    without: dict[Path, tuple[str, str]] = {}
    for number, sheet in enumerate(sheets):
        show(STAGE, number, len(sheets), "")
        missing = easel.missing(sheet.results)
        open_ = {easel.picture_of(result) for result in missing}
        try:
            for one in easel.draw(sheet.file.arrival, missing) if missing else ():
                open_.discard(one.picture)
                if one.reason is None:
                    drawn += 1
                    without.pop(one.picture, None)
                else:
                    without[one.picture] = sheet.name, one.reason
        except CannotDraw as error:
            without |= {picture: (sheet.name, str(error)) for picture in open_}
    if sheets:
        show(STAGE, len(sheets), len(sheets), "")
    return drawn, tuple(without.values())


def _sheets(found: Sequence[Drawable], entries: Mapping[int, LedgerEntry]) -> list[Sheet]:
    by_file: dict[int, list[Drawable]] = {}
    for result in found:
        by_file.setdefault(result.source_file_id, []).append(result)
    return [Sheet(file=entries[each], results=tuple(own)) for each, own in by_file.items()]


def _file_ids(found: Sequence[Drawable]) -> tuple[int, ...]:
    return tuple(dict.fromkeys(result.source_file_id for result in found))


def _file_id(connection: Connection, path: Path) -> int:
    entry = standing.entry_at(connection, os.fsencode(named(path)))
    if entry is None:
        raise Misused(f"{path} was never seen with this state folder")
    return entry.source_file_id
