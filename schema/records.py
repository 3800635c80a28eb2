"""What goes into the database and comes out of it, as frozen values.

A record holds only small values. `ResultRecord` is everything known about one analysed frame; it
is written to SQLite in one transaction and rides along in the frame's HDF5 file, so that either
can be rebuilt from the other.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

CLASS_NAMES = (
    "stacking_fault",
    "no_stacking_fault",
    "misoriented",
    "agglomeration",
    "background",
)


class FileState(StrEnum):
    """Where a file stands; every file seen is in exactly one of these."""

    SEEN = "seen"
    SETTLING = "settling"
    READY = "ready"
    PROCESSING = "processing"
    DONE = "done"
    RETRY = "retry"
    REFUSED = "refused"
    QUARANTINED = "quarantined"
    SUPERSEDED = "superseded"


PENDING_STATES = (FileState.SEEN, FileState.SETTLING, FileState.READY, FileState.PROCESSING)
UNDECIDED_STATES = (*PENDING_STATES, FileState.RETRY)


@dataclass(frozen=True, kw_only=True)
class Companion:
    """A file that belongs to a primary file: the .emi of a .ser, an .mdoc."""

    path: bytes
    size_bytes: int
    mtime_ns: int


@dataclass(frozen=True, kw_only=True)
class ArrivalRecord:
    """A primary file as the directory walk found it; `ctime_ns` is None where none did."""

    path: bytes
    root: bytes
    size_bytes: int
    mtime_ns: int
    inode: int
    ctime_ns: int | None = None
    companions: tuple[Companion, ...] = ()


@dataclass(frozen=True, kw_only=True)
class WatchedFolderRecord:
    """A watched folder as it was last there: where its name led, and on which mount it lay."""

    configured: bytes
    path: bytes
    mount_point: bytes
    mount_source: bytes


@dataclass(frozen=True, kw_only=True)
class SessionRecord:
    """One sitting at the microscope; `uuid` names its file in STATE/sessions.

    `material`: formula of the particles, as `Au` or `CdSe`. `pixel_size_uncertainty`: half the 95 %
    interval of the pixel size as a share of it, as the operator stated it.
    """

    uuid: str
    name: str
    started_at_utc: datetime
    ended_at_utc: datetime | None = None
    sample: str | None = None
    run: str | None = None
    operator: str | None = None
    instrument: str | None = None
    folder: bytes | None = None
    material: str | None = None
    pixel_size_uncertainty: float | None = None


@dataclass(frozen=True, kw_only=True)
class BundleRecord:
    """The model that made a result; `sha256` is the hash of its manifest."""

    sha256: str
    name: str
    version: str
    manifest_json: str


@dataclass(frozen=True, kw_only=True)
class PipelineRecord:
    """Bundle, settings and analysis version; results with one fingerprint are comparable."""

    fingerprint: str
    bundle_sha256: str
    settings_json: str
    analysis_version: int
    feature_set_version: str


@dataclass(frozen=True, kw_only=True)
class ImageRecord:
    """One frame of one signal of one file, and what the file states about it."""

    pixel_sha256: str
    signal_index: int
    signal_title: str
    frame_index: int | None
    frame_count: int
    is_sum: bool
    field_of_view_key: bytes
    width_px: int
    height_px: int
    pixel_size_nm: float | None
    pixel_size_source: str
    imaging_mode: str
    acquired_at_utc: datetime | None
    acquired_local: datetime | None
    tz_source: str | None
    high_tension_kv: float | None
    magnification: float | None
    exposure_s: float | None
    dose_e_per_a2: float | None
    defocus_nm: float | None
    instrument: str | None
    detector: str | None
    suspect: str | None


@dataclass(frozen=True, kw_only=True)
class ParticleRecord:
    """One region: its geometry in pixels and nm, its features, its class.

    Every nm value is None where the micrograph states no pixel size. `excluded` names the reason
    a region stays outside statistics (`below_size_limit`), None where there is none.
    """

    label: int
    centroid_y_px: float
    centroid_x_px: float
    area_px: int
    area_nm2: float | None
    equivalent_diameter_px: float
    equivalent_diameter_nm: float | None
    feret_max_px: float
    feret_max_nm: float | None
    feret_min_px: float
    feret_min_nm: float | None
    perimeter_px: float
    perimeter_nm: float | None
    aspect_ratio: float
    circularity: float
    solidity: float
    eccentricity: float
    orientation_rad: float
    touches_border: bool
    excluded: str | None
    mean_probability: float
    particle_class: str | None
    class_probabilities: Mapping[str, float] | None
    features: Mapping[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class AnalysisRecord:
    """One result. `natural_key` is unique: pixels, signal, frame, pixel size, pipeline.

    `mask_path` is relative to the state folder, POSIX, ASCII.
    """

    natural_key: str
    pipeline_fingerprint: str
    mask_path: str
    in_domain: bool
    domain_reason: str | None
    segmented: bool
    forced: bool
    scale_assumed: bool
    size_limit_nm: float
    background_deviation: float | None
    analysed_at_utc: datetime
    seconds: float
    device: str
    software_version: str


@dataclass(frozen=True, kw_only=True)
class ResultRecord:
    """Everything known about one analysed frame."""

    image: ImageRecord
    analysis: AnalysisRecord
    pipeline: PipelineRecord
    bundle: BundleRecord
    particles: tuple[ParticleRecord, ...] = ()


@dataclass(frozen=True, kw_only=True)
class OriginRecord:
    """The file a result came from, as its mask file names it for `rebuild`.

    `content_sha256` is the hash over the primary file and its companions. `results`: how many
    the file has, told by the last of them alone.
    """

    path: bytes
    root: bytes
    size_bytes: int
    mtime_ns: int
    file_sha256: str
    content_sha256: str | None = None
    session_uuid: str | None = None
    companions: tuple[Companion, ...] = ()
    results: int | None = None


@dataclass(frozen=True, kw_only=True)
class LedgerCounts:
    """How many files stand where; `seen` is all of them."""

    seen: int = 0
    pending: int = 0
    retry: int = 0
    done: int = 0
    refused: int = 0
    quarantined: int = 0
    superseded: int = 0

    def adds_up(self) -> bool:
        """Whether every file seen is in exactly one state."""
        parts = (self.pending, self.retry, self.done, self.refused)
        return self.seen == sum(parts) + self.quarantined + self.superseded
