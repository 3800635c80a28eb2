"""The configuration: one TOML file, read once into frozen values.

Unknown keys are errors. Every default stands here with its reason; `service/fringewatch.toml`
repeats them for operators.
"""

import os
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from daemon.bounded import resolved
from daemon.errors import ConfigError

DEFAULT_BUNDLE = "default"
LARGEST_PIXEL_NM = 1000.0
LONGEST_WAIT_SECONDS = 30 * 86400.0
OWN_FOLDERS = ("masks", "sessions", "bundles", "spool", "requests")  # of a state folder

Wait = Annotated[float, Field(gt=0, le=LONGEST_WAIT_SECONDS)]


class Section(BaseModel):
    """A table of the file: frozen, and unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def default_state_folder() -> Path:
    """The user's state directory for fringewatch (XDG base directory specification)."""
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "fringewatch"


class StateConfig(Section):
    """Where results go; local disk only, SQLite does not survive network file systems."""

    folder: Path = Field(default_factory=default_state_folder)


class WatchConfig(Section):
    """One acquisition folder."""

    folder: Path
    recursive: bool = True
    pixel_size_nm: float | None = Field(default=None, gt=0, lt=LARGEST_PIXEL_NM)
    """Used, and recorded as `config`, only where a file states none."""
    ignore: tuple[str, ...] = ()
    """Shell patterns of file names that are never looked at."""
    files_per_hour: int = Field(default=50_000, gt=0)
    """New files beyond it are taken in later: more than a GPU can analyse in that time."""
    bytes_per_hour: int = Field(default=4 * 2**40, gt=0)
    """The same in bytes, more than the fastest cameras write."""


class IntakeConfig(Section):
    """When a file counts as finished, and when it is tried again."""

    quiet_seconds: float = Field(default=2.0, gt=0)
    """Unchanged this long after its writer closed or renamed it."""
    quiet_seconds_without_events: float = Field(default=10.0, gt=0)
    """Unchanged this long over two looks, where no close was heard."""
    walk_seconds: float = Field(default=60.0, gt=0)
    """The walk finds what events missed."""
    poll_walk_seconds: float = Field(default=10.0, gt=0)
    """Where there are no events: network shares."""
    poll: Literal["auto", "always", "never"] = "auto"
    """`auto` polls on cifs, smb, nfs, fuse and 9p, whose servers send no events."""
    retry_seconds: tuple[Wait, ...] = Field(
        default=(10.0, 30.0, 120.0, 600.0, 3600.0), min_length=1
    )
    """Waits before a file is tried again; what is unreadable then is quarantined."""


class AnalysisConfig(Section):
    """Which model, and which of its settings to override."""

    bundle: str = DEFAULT_BUNDLE
    """`default` ships with the program; else the name of an imported one, or a folder, written
    with a `/`."""
    bundle_sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    """Of its manifest, which holds those of its files: no other model is used."""
    device: str = Field(default="auto", pattern=r"^(auto|cpu|gpu(:\d+)?)$")
    preprocess: Literal["default", "published"] | None = None
    threshold: float | None = Field(default=None, gt=0, lt=1)
    min_diameter_nm: float = Field(default=1.0, ge=0)
    """Smaller regions are stored and flagged; below 1 nm no lattice can be told from noise."""
    force_out_of_domain: bool = False
    """Segment micrographs outside the model's domain too; they stay marked."""


class LimitsConfig(Section):
    """What one file may cost. A file beyond a limit is named, never half-read."""

    file_bytes: int = Field(default=4 * 2**30, gt=0)
    decoded_bytes: int = Field(default=2 * 2**30, gt=0)
    side_px: int = Field(default=16384, gt=0)
    frames: int = Field(default=4096, gt=0)
    parser_memory_bytes: int = Field(default=6 * 2**30, gt=0)
    parser_seconds: float = Field(default=60.0, gt=0)
    worker_seconds: float = Field(default=300.0, gt=0)
    worker_memory_fraction: float = Field(default=0.75, gt=0, le=1)
    """Of the machine's memory; what would take more ends the worker and not another program."""
    min_free_fraction: float = Field(default=0.05, ge=0, lt=1)
    """Of the state folder's disk; below it no micrograph is begun."""


class OverlaysConfig(Section):
    """Pictures of the micrographs with their particles outlined, drawn while the daemon works."""

    folder: Path | None = None
    """Takes one PNG for each result; None draws none."""


class AlertsConfig(Section):
    """When people are told, and by which command. A limit that is None is not looked after."""

    command: tuple[str, ...] = ()
    """The program with its whole path, and its arguments; no shell reads them."""
    no_file_seconds: Wait | None = None
    failures_per_hour: int | None = Field(default=None, gt=0)
    free_fraction_below: float | None = Field(default=None, gt=0, lt=1)
    """Of the state folder's disk."""
    fault_fraction_above: float | None = Field(default=None, ge=0, lt=1)
    """Crossed once the lower end of the interval lies above it."""
    fields_without_observable: int | None = Field(default=None, gt=0, le=1000)
    """Fields of view in a row whose particles show no lattice to tell a fault by."""
    every_seconds: Wait = 3600.0
    """Between two alerts of one kind."""

    @property
    def is_asked_for(self) -> bool:
        """Whether any limit is set."""
        limits = self.model_dump(exclude={"command", "every_seconds"})
        return any(limit is not None for limit in limits.values())


class LogConfig(Section):
    """How the daemon talks: text for people, JSON lines for the journal."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "text", "json"] = "auto"
    """`auto` writes JSON where the output goes to a journal."""
    file: Path | None = None
    """Every line as JSON, kept below 50 MB; the live view shows warnings only."""


class Config(Section):
    """Everything an operator can decide."""

    state: StateConfig = Field(default_factory=StateConfig)
    watch: tuple[WatchConfig, ...] = ()
    intake: IntakeConfig = Field(default_factory=IntakeConfig)
    analysis: AnalysisConfig = Field(default_factory=AnalysisConfig)
    limits: LimitsConfig = Field(default_factory=LimitsConfig)
    overlays: OverlaysConfig = Field(default_factory=OverlaysConfig)
    alerts: AlertsConfig = Field(default_factory=AlertsConfig)
    log: LogConfig = Field(default_factory=LogConfig)


def is_bundle_name(text: str) -> bool:
    """Whether a model is named, and not the folder it lies in."""
    return "/" not in text and not text.startswith("~")


def under_service_manager() -> bool:
    """Whether the output goes to a journal (systemd.exec(5), JOURNAL_STREAM)."""
    return "JOURNAL_STREAM" in os.environ


def load(path: Path) -> Config:
    """The configuration in a TOML file, relative folders taken from the file's own folder.

    Raises:
        ConfigError: the file cannot be read, is not TOML, or has a wrong or unknown key.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read the configuration {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from error
    try:
        config = Config.model_validate(document)
    except ValidationError as error:
        raise ConfigError(f"{path}: {_first_fault(error)}") from error
    return checked(_anchored(config, path.resolve().parent))


def checked(config: Config) -> Config:
    """The same configuration, if its folders can live together and its alerts can be told.

    Raises:
        ConfigError: the state folder lies inside a watched folder or the other way round (results
            would be watched), the log or the overlays would be written into a watched folder, a
            folder is watched twice, or an alert has no command that can be run.
    """
    state = _resolved(config.state.folder)
    written = None if config.log.file is None else _resolved(config.log.file)
    roots = [_resolved(watch.folder) for watch in config.watch]
    for index, root in enumerate(roots):
        if state.is_relative_to(root):
            raise ConfigError(f"the state folder {state} lies inside the watched folder {root}")
        if root.is_relative_to(state):
            raise ConfigError(f"the watched folder {root} lies inside the state folder {state}")
        if written is not None and written.is_relative_to(root):
            raise ConfigError(f"the log {written} lies inside the watched folder {root}")
        for other in roots[:index]:
            if root.is_relative_to(other) or other.is_relative_to(root):
                raise ConfigError(f"the watched folders {other} and {root} overlap")
    if config.overlays.folder is not None:
        _check_overlays(_resolved(config.overlays.folder), state, roots)
    _check_alerts(config.alerts)
    return config


def _check_overlays(folder: Path, state: Path, roots: Sequence[Path]) -> None:
    """Pictures would be watched; and whoever writes above a raw file may change it."""
    for root in roots:
        if folder.is_relative_to(root):
            raise ConfigError(f"the overlays {folder} lie inside the watched folder {root}")
        if root.is_relative_to(folder):
            raise ConfigError(f"the watched folder {root} lies inside the overlays {folder}")
    if state.is_relative_to(folder):
        raise ConfigError(f"the state folder {state} lies inside the overlays {folder}")
    if folder.is_relative_to(state) and folder.relative_to(state).parts[0] in OWN_FOLDERS:
        raise ConfigError(f"the overlays {folder} lie where the state folder has its own files")


def _check_alerts(alerts: AlertsConfig) -> None:
    if bool(alerts.command) != alerts.is_asked_for:
        missing = "limit" if alerts.command else "command"
        raise ConfigError(f"[alerts] has no {missing}: nobody would be told of anything")
    if alerts.command and not os.path.isabs(alerts.command[0]):
        raise ConfigError(
            f"alerts.command: {alerts.command[0]!r} is not the whole path of a program"
        )
    if any("\0" in word for word in alerts.command):
        raise ConfigError("alerts.command: a word of it has a NUL")


def _anchored(config: Config, base: Path) -> Config:
    state = config.state.model_copy(update={"folder": _absolute(config.state.folder, base)})
    watch = tuple(
        item.model_copy(update={"folder": _absolute(item.folder, base)}) for item in config.watch
    )
    analysis = config.analysis
    if not is_bundle_name(analysis.bundle):
        folder = str(_absolute(Path(analysis.bundle), base))
        analysis = analysis.model_copy(update={"bundle": folder})
    log = config.log
    if log.file is not None:
        log = log.model_copy(update={"file": _absolute(log.file, base)})
    overlays = config.overlays
    if overlays.folder is not None:
        overlays = overlays.model_copy(update={"folder": _absolute(overlays.folder, base)})
    changes = {"state": state, "watch": watch, "analysis": analysis, "overlays": overlays}
    changes |= {"log": log}
    return config.model_copy(update=changes)


def _absolute(folder: Path, base: Path) -> Path:
    try:
        return base / folder.expanduser()
    except RuntimeError as error:
        raise ConfigError(f"the folder {folder} names a user who is not known here") from error


def _resolved(folder: Path) -> Path:
    try:
        return resolved(folder)
    except (OSError, RuntimeError, ValueError) as error:  # links in a circle, a NUL in the name
        raise ConfigError(f"the folder {str(folder)!r} cannot be: {error}") from error


def _first_fault(error: ValidationError) -> str:
    fault = error.errors()[0]
    key = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "extra_forbidden":
        return f"unknown key {key!r}"
    return f"{key}: {fault['msg']}"
