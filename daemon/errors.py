"""What keeps the daemon, or a command, from going on."""

from enum import IntEnum, StrEnum


class Exit(IntEnum):
    """Exit codes of every command."""

    DONE = 0
    FAILED = 1
    MISUSED = 2
    NEEDS_A_PERSON = 78


class DaemonCode(StrEnum):
    """Stable names of failures that are not the file's content; stored beside `ErrorCode`."""

    IO_ERROR = "io_error"
    NOT_A_REGULAR_FILE = "not_a_regular_file"
    FILE_TOO_LARGE = "file_too_large"
    DOES_NOT_FIT = "does_not_fit"
    STILL_WRITTEN = "still_written"
    SUSPECT = "suspect"
    NO_ROOM = "no_room"
    PARSER_DIED = "parser_died"
    WORKER_DIED = "worker_died"
    DEADLINE = "deadline"
    INTERNAL_ERROR = "internal_error"


class DaemonError(Exception):
    """The command cannot do what was asked; the message is one sentence for a person."""

    exit_code = Exit.FAILED


class ConfigError(DaemonError):
    """The configuration is wrong: a person must mend it."""

    exit_code = Exit.NEEDS_A_PERSON


class StateFolderError(DaemonError):
    """The state folder is in use, newer than this program, or needs `rebuild`."""

    exit_code = Exit.NEEDS_A_PERSON


class StateFolderLost(DaemonError):
    """The database or the lock was taken away while they were in use: begin anew, or `rebuild`."""


class Misused(DaemonError):
    """The command line asks for something that makes no sense."""

    exit_code = Exit.MISUSED
