"""One recorded image and what its file states about it.

Born in `readers`, consumed by `pipeline`; only small values travel further.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray


class CalibrationSource(StrEnum):
    """Where a pixel size came from."""

    FILE = "file"
    SIDECAR = "sidecar"
    CONFIG = "config"
    UNKNOWN = "unknown"


class ImagingMode(StrEnum):
    """How the image was formed; unknown is stored as unknown, never assumed."""

    TEM = "TEM"
    STEM = "STEM"
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """Side of a square pixel in nm, and who said so; None where nobody did."""

    pixel_size_nm: float | None
    source: CalibrationSource


@dataclass(frozen=True, kw_only=True)
class Acquisition:
    """What the file states about the exposure; None where it states nothing.

    `acquired_at_utc` is aware and None where the file gives no zone; `acquired_local` is the
    clock of the microscope, naive; `tz_source` names the field the zone came from.
    """

    imaging_mode: ImagingMode = ImagingMode.UNKNOWN
    acquired_at_utc: datetime | None = None
    acquired_local: datetime | None = None
    tz_source: str | None = None
    high_tension_kv: float | None = None
    magnification: float | None = None
    exposure_s: float | None = None
    dose_e_per_a2: float | None = None
    defocus_nm: float | None = None
    instrument: str | None = None
    detector: str | None = None


@dataclass(frozen=True, kw_only=True)
class Source:
    """Which image of which file this is.

    `frame_index` is None for a single image; `frame_count` is 1 then. `is_sum` marks the sum
    of a series, where the file states it.
    """

    file_name: str
    signal_index: int = 0
    signal_title: str = ""
    frame_index: int | None = None
    frame_count: int = 1
    is_sum: bool = False


@dataclass(frozen=True, kw_only=True)
class Micrograph:
    """One image, row 0 at the top as displayed.

    `image`: (H, W), the dtype of the file (integer or float32), finite.
    `pixel_sha256`: hash of dtype, shape and bytes of `image`; the identity of the picture.
    `suspect`: why the pixels may be incomplete (a zero tail), or None.
    """

    image: NDArray[np.generic]
    source: Source
    calibration: Calibration
    acquisition: Acquisition
    pixel_sha256: str
    suspect: str | None = None
