"""The state folder: where everything lies that fringewatch keeps.

DIR/format              the version of this layout
DIR/fringewatch.sqlite  the database
DIR/masks/              one HDF5 file per analysed image
DIR/sessions/           one JSON file per session
DIR/bundles/            models that were taken in; made by the first of them
DIR/spool/              copies being read
DIR/notices             what a daemon at work warns of
"""

from dataclasses import dataclass
from pathlib import Path

from schema.durable import make_folder, remove_unfinished, replacing
from schema.errors import MasksWithoutDatabase, SchemaTooNew, StateError

STATE_FORMAT = 1


@dataclass(frozen=True)
class StateFolder:
    """The paths inside one state folder."""

    path: Path

    @property
    def format(self) -> Path:
        """The file that holds the version of the layout."""
        return self.path / "format"

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return self.path / "fringewatch.sqlite"

    @property
    def masks(self) -> Path:
        """The folder of the mask files."""
        return self.path / "masks"

    @property
    def sessions(self) -> Path:
        """The folder of the session files."""
        return self.path / "sessions"

    @property
    def bundles(self) -> Path:
        """The folder of the models that were taken in."""
        return self.path / "bundles"

    @property
    def spool(self) -> Path:
        """The folder of the copies being read."""
        return self.path / "spool"

    @property
    def notices(self) -> Path:
        """The file of the warnings of a daemon at work."""
        return self.path / "notices"


def prepare(path: Path) -> StateFolder:
    """The state folder, made with its parents where it is missing, ready to be written.

    Call it as the process that owns the state: files of interrupted writers are removed.

    Raises:
        MasksWithoutDatabase: results are there and their database is gone.
        SchemaTooNew: a later release laid it out.
        StateError: the folder is a file, or its `format` cannot be read.
    """
    _check(StateFolder(path.absolute()))
    return lay_out(path)


def lay_out(path: Path) -> StateFolder:
    """The state folder, whether its database is there or not: `rebuild` makes it.

    Raises:
        SchemaTooNew: a later release laid it out.
        StateError: the folder is a file, or its `format` cannot be read.
    """
    state = StateFolder(path.absolute())
    _check_format(state)
    try:
        for folder in (state.path, state.masks, state.sessions, state.spool):
            make_folder(folder)
        if not state.format.exists():
            with replacing(state.format) as unfinished:
                unfinished.write_text(f"{STATE_FORMAT}\n", encoding="ascii")
    except FileExistsError as error:
        raise StateError(f"{error.filename} is no folder") from error
    remove_unfinished(state.path, below=False)
    remove_unfinished(state.masks)
    remove_unfinished(state.sessions)
    return state


def existing(path: Path) -> StateFolder:
    """The state folder of a daemon that has run, for reading.

    Raises:
        StateError: there is no database in it.
        SchemaTooNew: a later release laid it out.
    """
    state = StateFolder(path.absolute())
    _check(state)
    if not _holds_database(state):
        raise StateError(f"no database in {state.path}: nothing has been watched with this state")
    return state


def _check_format(state: StateFolder) -> None:
    found = _format_of(state)
    if found > STATE_FORMAT:
        raise SchemaTooNew(
            f"{state.path} has format {found}, this release knows {STATE_FORMAT}: "
            "install the release that wrote it, or a later one"
        )


def _check(state: StateFolder) -> None:
    _check_format(state)
    if not _holds_database(state) and _holds_masks(state):
        raise MasksWithoutDatabase(
            f"{state.masks} holds results and {state.database.name} is gone or empty: "
            "run `fringewatch rebuild`"
        )


def _format_of(state: StateFolder) -> int:
    try:
        return int(state.format.read_text(encoding="ascii"))
    except (FileNotFoundError, NotADirectoryError):
        return 0
    except ValueError as error:
        raise StateError(f"{state.format} holds no version") from error


def _holds_database(state: StateFolder) -> bool:
    """An empty file is none: SQLite would begin a new one in it."""
    try:
        return state.database.stat().st_size > 0
    except (FileNotFoundError, NotADirectoryError):
        return False


def _holds_masks(state: StateFolder) -> bool:
    return any(path.suffix == ".h5" for path in state.masks.glob("*/[!.]*"))
