"""What the daemon knows at one moment, as plain values for a person to look at.

The supervisor makes a `Snapshot`; `live` draws it, `status` prints it. Nothing here touches a
clock, a file or the database, so the same snapshot always gives the same picture.
"""

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal

from schema.outlook import Outlook
from schema.population import Population
from schema.records import FileState, LedgerCounts

WatchMode = Literal["events", "polling"]


@dataclass(frozen=True, kw_only=True)
class WatchedFolder:
    """A folder under watch; `mode` is how new files are noticed between two walks."""

    path: Path
    mode: WatchMode


@dataclass(frozen=True, kw_only=True)
class SessionLine:
    """The sitting under way, as its operator named it."""

    name: str
    sample: str | None = None
    run: str | None = None
    operator: str | None = None
    instrument: str | None = None


@dataclass(frozen=True, kw_only=True)
class BundleLine:
    """The model at work; `classifier_note` states how well its classes agree with the truth.

    `balanced_accuracy` in [0, 1] is the forest's, None where the manifest states none.
    """

    name: str
    version: str
    balanced_accuracy: float | None = None
    classifier_note: str | None = None


@dataclass(frozen=True, kw_only=True)
class CurrentFile:
    """The file in hand and the step it is at: copying, parsing, segmenting, writing."""

    name: str
    stage: str
    seconds: float | None = None


@dataclass(frozen=True, kw_only=True)
class MicrographLine:
    """One file that has come to rest, for the list of recent ones.

    `particles` counts every region found, None where nothing was segmented; `note` is the reason
    of a refusal, a retry or an image outside the model's domain, None where all is well.
    """

    name: str
    state: FileState
    particles: int | None = None
    median_nm: float | None = None
    note: str | None = None
    seconds: float | None = None


@dataclass(frozen=True, kw_only=True)
class Moment:
    """What only the running daemon knows; the rest of a snapshot is in the database."""

    current: CurrentFile | None
    device: str | None
    folders: tuple[WatchedFolder, ...]
    warnings: tuple[str, ...]
    finished: bool = False


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """Everything the live view shows.

    `now` and `started_at` are aware UTC; `started_at` is None where no daemon is at work here.
    `recent` has the newest first; `rate_per_minute` and `seconds_since_last` are None until there
    is something to reckon them from. `population` is None until a first result, or where
    statistics could not be read.
    """

    now: datetime
    started_at: datetime | None
    software_version: str
    state_folder: Path
    folders: tuple[WatchedFolder, ...] = ()
    session: SessionLine | None = None
    bundle: BundleLine | None = None
    device: str | None = None
    ledger: LedgerCounts = field(default_factory=LedgerCounts)
    current: CurrentFile | None = None
    queue_length: int = 0
    rate_per_minute: float | None = None
    seconds_since_last: float | None = None
    recent: tuple[MicrographLine, ...] = ()
    outlook: Outlook | None = None
    outlook_age_seconds: float | None = None
    warnings: tuple[str, ...] = ()
    finished: bool = False

    @property
    def population(self) -> Population | None:
        """The figures there are."""
        return None if self.outlook is None else self.outlook.population

    @property
    def uptime_seconds(self) -> float | None:
        """Seconds since the daemon started, None where none is at work here."""
        return None if self.started_at is None else (self.now - self.started_at).total_seconds()
