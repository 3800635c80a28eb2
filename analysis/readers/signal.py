"""One signal of a file as its header declares it, with a way to its pixels.

Every format family gives `Signal`s; `micrographs` judges them. Nothing is read until a frame is
asked for.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from analysis.errors import ErrorCode, NotAMicrograph
from analysis.micrograph import Acquisition, CalibrationSource
from analysis.readers.units import AxisKind, axis_kind, length_nm


@dataclass(frozen=True, kw_only=True)
class PixelSize:
    """Sides of a pixel in nm, and who states them; None where nobody does."""

    y_nm: float | None = None
    x_nm: float | None = None
    source: CalibrationSource = CalibrationSource.UNKNOWN


UNCALIBRATED = PixelSize()


@dataclass(frozen=True, kw_only=True)
class Signal:
    """What a file declares about one signal.

    `shape_px`: (H, W). `samples`: 1, or 3 and 4 for colour. `read_frame(i)` gives frame i as
    stored, (H, W) or (H, W, samples). `bottom_up`: row 0 is stored last. `obstacle`: why this is
    no image, or None. `suspect`: why pixels may be missing, or None.
    """

    title: str = ""
    shape_px: tuple[int, int]
    frame_count: int = 1
    is_series: bool = False
    samples: int = 1
    dtype: np.dtype[np.generic]
    read_frame: Callable[[int], NDArray[np.generic]]
    pixel_size: PixelSize = UNCALIBRATED
    acquisition: Acquisition = field(default_factory=Acquisition)
    bottom_up: bool = False
    is_sum: bool = False
    obstacle: NotAMicrograph | None = None
    suspect: str | None = None

    @property
    def pixel_bytes(self) -> int:
        """Bytes of one pixel with all its samples."""
        return self.samples * self.dtype.itemsize

    @property
    def decoded_bytes(self) -> int:
        """Bytes of all frames once decoded."""
        height_px, width_px = self.shape_px
        return self.frame_count * height_px * width_px * self.pixel_bytes


def not_an_image(signal_title: str, code: ErrorCode, sentence: str) -> Signal:
    """A signal that is listed only to say why it is no image."""

    def nothing(_: int) -> NDArray[np.generic]:
        raise NotAMicrograph(code, sentence)

    return Signal(
        title=signal_title,
        shape_px=(0, 0),
        frame_count=0,
        dtype=np.dtype(np.uint8),
        read_frame=nothing,
        obstacle=NotAMicrograph(code, sentence),
    )


def obstacle_of_axes(y_unit: str | None, x_unit: str | None) -> NotAMicrograph | None:
    """Why axes in these units span no image of the specimen, or None."""
    kinds = {axis_kind(y_unit), axis_kind(x_unit)}
    if AxisKind.ENERGY in kinds:
        return NotAMicrograph(
            ErrorCode.SPECTRUM, "The file holds a spectrum: one of its axes is an energy."
        )
    if AxisKind.RECIPROCAL in kinds:
        return NotAMicrograph(
            ErrorCode.DIFFRACTION,
            f"The file holds a diffraction pattern or a Fourier transform: its axes are in "
            f"{x_unit or y_unit}, not in a length.",
        )
    return None


def pixel_size_of(
    y: tuple[float, str | None], x: tuple[float, str | None], source: CalibrationSource
) -> PixelSize:
    """Pixel size from a value and a unit for each axis; uncalibrated where either states none."""
    y_nm, x_nm = length_nm(*y), length_nm(*x)
    if y_nm is None or x_nm is None:
        return UNCALIBRATED
    return PixelSize(y_nm=y_nm, x_nm=x_nm, source=source)
