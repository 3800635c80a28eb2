"""Make micrographs from any camera look alike to the network.

`default`: X-ray spikes out, resampled to the model's pixel size, background flattened, divided by
the field's robust deviation. `published`: the paper's 3x3 median, divided by the maximum.
"""

import math
from dataclasses import dataclass
from typing import Literal, cast, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

PreprocessRecipe = Literal["default", "published"]
Image = NDArray[np.float32]

SPIKE_DEVIATIONS = 8.0  # of the local mean |difference from the median|; 6.4 sigma of white noise
SPIKE_WINDOW_PX = 15
FLATTEN_SIGMA_PX = 200  # 8 nm at 0.04 nm/px: a particle stays dark, a ramp goes
SLOPE_FROM_PX = 4 * FLATTEN_SIGMA_PX  # a smaller field may slope because of one particle
FLATTEN_REDUCTION = 8
DEVIATION_SAMPLES = 250_000
GAUSSIAN_MAD = 1.4826  # sigma / median absolute deviation of a normal distribution
CLIP_DEVIATIONS = 12.0


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A micrograph without spikes, and what the network sees of it.

    `native`: (H, W) float32, in the camera's own counts, at its own pixels.
    `network_input`: (h, w) float32, unit robust deviation around zero (published: at most 1).
    `network_pixel_size_nm`: None where the micrograph states no pixel size.
    """

    native: Image
    network_input: Image
    network_pixel_size_nm: float | None


def prepare(
    image: NDArray[np.generic],
    pixel_size_nm: float | None,
    model_pixel_size_nm: float | None,
    recipe: PreprocessRecipe,
) -> Prepared:
    """The micrograph as the network wants it; native pixels where either pixel size is None.

    Args:
        image: (H, W), any integer or float type, finite.
        pixel_size_nm: side of its square pixel, in nm.
        model_pixel_size_nm: side of the pixel the network was trained at, in nm.
        recipe: "default" or "published".

    Raises:
        ValueError: a pixel size is not positive and finite, or the recipe is unknown.
    """
    if recipe not in get_args(PreprocessRecipe):
        raise ValueError(f"no preprocessing is called {recipe!r}")
    native = median_filtered(image) if recipe == "published" else despike(image)
    resampled = native
    network_pixel_size_nm = pixel_size_nm
    if pixel_size_nm is not None and model_pixel_size_nm is not None:
        resampled = resample(native, pixel_size_nm, model_pixel_size_nm)
        network_pixel_size_nm = model_pixel_size_nm
    scaled = divided_by_maximum if recipe == "published" else normalised
    return Prepared(
        native=native,
        network_input=scaled(resampled),
        network_pixel_size_nm=network_pixel_size_nm,
    )


def median_filtered(image: NDArray[np.generic]) -> Image:
    """Every pixel replaced by the median of its 3x3 neighbourhood. (H, W) float32."""
    return cast(Image, cv2.medianBlur(np.ascontiguousarray(image, dtype=np.float32), 3))


def despike(image: NDArray[np.generic]) -> Image:
    """Only outliers replaced by the median of their 3x3 neighbourhood. (H, W) float32.

    An outlier differs from that median by more than `SPIKE_DEVIATIONS` times the mean such
    difference around it, so a strong lattice raises its own limit and keeps its contrast.
    """
    pixels = np.array(image, dtype=np.float32, order="C")
    median = cv2.medianBlur(pixels, 3)
    difference = cast(Image, cv2.absdiff(pixels, median))
    window = (SPIKE_WINDOW_PX, SPIKE_WINDOW_PX)
    limit = cast(Image, cv2.blur(difference, window))
    limit *= SPIKE_DEVIATIONS
    floor = SPIKE_DEVIATIONS * float(np.mean(_sampled(difference)))
    np.maximum(limit, floor / 2, out=limit)  # a flat patch beside noise is no reason to cut
    cv2.copyTo(median, cv2.compare(difference, limit, cv2.CMP_GT), pixels)
    return pixels


def resampled_shape(
    shape_px: tuple[int, int], pixel_size_nm: float, model_pixel_size_nm: float
) -> tuple[int, int]:
    """Rows and columns of the same field at the model's pixel size, at least one each.

    Raises:
        ValueError: a pixel size is not positive and finite.
    """
    for size_nm in (pixel_size_nm, model_pixel_size_nm):
        if not 0 < size_nm < math.inf:
            raise ValueError(f"pixel size {size_nm!r} nm")
    factor = pixel_size_nm / model_pixel_size_nm
    return max(1, round(shape_px[0] * factor)), max(1, round(shape_px[1] * factor))


def resample(image: Image, pixel_size_nm: float, model_pixel_size_nm: float) -> Image:
    """The field at the model's pixel size: by area going down, cubic going up. (h, w) float32."""
    rows, columns = resampled_shape(
        (image.shape[0], image.shape[1]), pixel_size_nm, model_pixel_size_nm
    )
    if (rows, columns) == image.shape:
        return image
    smaller = rows < image.shape[0]
    method = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
    return cast(Image, cv2.resize(image, (columns, rows), interpolation=method))


def normalised(image: Image) -> Image:
    """Flat background at zero, robust deviation one, clipped. (h, w) float32."""
    flat = image - _background(image)
    flat -= np.median(_sampled(flat))
    deviation = GAUSSIAN_MAD * float(np.median(np.abs(_sampled(flat))))
    if deviation > 0:
        flat /= deviation
    return np.clip(flat, -CLIP_DEVIATIONS, CLIP_DEVIATIONS, out=flat)


def divided_by_maximum(image: Image) -> Image:
    """At most one, as the published network wants it. (h, w) float32."""
    maximum = float(image.max())
    return image / maximum if maximum > 0 else image.copy()


def _background(image: Image) -> Image:
    """What varies over more than `FLATTEN_SIGMA_PX`, found on a reduced image. (h, w) float32.

    A slope goes first in large fields: reflected at the edges, it would leave a fold there.
    """
    rows, columns = image.shape
    small = (max(1, columns // FLATTEN_REDUCTION), max(1, rows // FLATTEN_REDUCTION))
    reduced = cast(Image, cv2.resize(image, small, interpolation=cv2.INTER_AREA))
    plane = _plane(reduced) if min(image.shape) >= SLOPE_FROM_PX else np.float32(image.mean())
    sigma = FLATTEN_SIGMA_PX / FLATTEN_REDUCTION
    smooth = plane + cv2.GaussianBlur(reduced - plane, (0, 0), sigma, borderType=cv2.BORDER_REFLECT)
    return cast(Image, cv2.resize(smooth, (columns, rows), interpolation=cv2.INTER_LINEAR))


def _plane(image: Image) -> Image:
    """The plane of least squares through the image. (h, w) float32."""
    rows, columns = image.shape
    y = np.arange(rows, dtype=np.float32) - (rows - 1) / 2
    x = np.arange(columns, dtype=np.float32) - (columns - 1) / 2
    down = float(image.mean(axis=1) @ y) / max(float(y @ y), 1.0)
    across = float(image.mean(axis=0) @ x) / max(float(x @ x), 1.0)
    return np.asarray(image.mean() + down * y[:, None] + across * x[None, :], np.float32)


def _sampled(image: Image) -> Image:
    """About `DEVIATION_SAMPLES` pixels on a regular grid, for statistics of the whole."""
    step = max(1, round(math.sqrt(image.size / DEVIATION_SAMPLES)))
    return image[::step, ::step]
