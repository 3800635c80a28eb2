"""What else happens to micrographs than optics and dose: thickness, contamination, printing.

Every function takes counts or intensity, (H, W) float32, and a generator, and gives a new array
of the same shape. None moves a particle, so the truth stays as it is.
"""

from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]

THICKNESS_AMPLITUDE = 0.35  # of the logarithm of intensity
DARK_DISCS = 4
GREY_LEVELS = 255


def smooth_field(shape: tuple[int, int], scale_px: float, rng: np.random.Generator) -> Image:
    """A random field of unit deviation that varies over about `scale_px`. (H, W) float32."""
    rows, columns = (max(2, int(np.ceil(side / scale_px)) + 2) for side in shape)
    coarse = rng.standard_normal((rows, columns)).astype(np.float32)
    return cast(Image, cv2.resize(coarse, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC))


def uneven_thickness(intensity: Image, rng: np.random.Generator) -> Image:
    """Darker and brighter by a smooth field: carbon that is thicker here and thinner there."""
    scale_px = float(rng.uniform(40, 250))
    amplitude = float(rng.uniform(0, THICKNESS_AMPLITUDE))
    field = smooth_field((intensity.shape[0], intensity.shape[1]), scale_px, rng)
    return cast(Image, intensity * np.exp(amplitude * field))


def dark_discs(
    intensity: Image, rng: np.random.Generator, edge_px: tuple[float, float] = (4.0, 20.0)
) -> Image:
    """A few particle-sized blobs without a lattice, dark or bright: contamination, no particle.

    `edge_px`: range of the Gaussian blur of their edges; only a particle is sharp.
    """
    result = intensity.copy()
    rows, columns = intensity.shape
    for _ in range(int(rng.integers(1, DARK_DISCS + 1))):
        axes = rng.uniform(15, 90, size=2)
        centre = (int(rng.integers(0, columns)), int(rng.integers(0, rows)))
        disc = np.zeros(intensity.shape, np.float32)
        size = (int(axes[0]), int(axes[1]))
        cv2.ellipse(disc, centre, size, float(rng.uniform(0, 180)), 0, 360, 1.0, -1)
        soft = cast(Image, cv2.GaussianBlur(disc, (0, 0), float(rng.uniform(*edge_px))))
        result *= 1 + float(rng.uniform(-0.4, 0.2)) * soft
    return result


def uneven_contrast(intensity: Image, rng: np.random.Generator) -> Image:
    """Speckle and lattice stronger here and weaker there, the mean as it was."""
    mean = cv2.GaussianBlur(intensity, (0, 0), 12)
    field = smooth_field((intensity.shape[0], intensity.shape[1]), float(rng.uniform(60, 250)), rng)
    gain = np.exp(float(rng.uniform(0, 0.35)) * field)
    return cast(Image, mean + (intensity - mean) * gain)


def uneven_noise(counts: Image, rng: np.random.Generator) -> Image:
    """White noise whose strength varies smoothly over the field."""
    field = smooth_field((counts.shape[0], counts.shape[1]), float(rng.uniform(40, 200)), rng)
    strength = float(rng.uniform(0, 0.8)) * float(counts.std()) * np.exp(0.6 * field - 0.3)
    noise = rng.standard_normal(counts.shape).astype(np.float32)
    return cast(Image, counts + strength * noise)


def blurred(counts: Image, rng: np.random.Generator) -> Image:
    """Out of focus or drifting a little: Gaussian, up to 1.3 pixels."""
    return cast(Image, cv2.GaussianBlur(counts, (0, 0), float(rng.uniform(0.3, 1.3))))


def flattened(counts: Image, rng: np.random.Generator) -> Image:
    """Brightness that varies over some tens of pixels taken away in part, as software may do."""
    scale_px = float(rng.uniform(15, 100))
    smooth = cv2.GaussianBlur(counts, (0, 0), scale_px)
    share = np.float32(rng.uniform(0.3, 1.0))
    return cast(Image, counts - share * (smooth - np.float32(smooth.mean())))


def annotated(counts: Image, rng: np.random.Generator) -> Image:
    """Drawn over, as figures are: a grid of thin lines, or a bar in a corner."""
    result = counts.copy()
    rows, columns = result.shape
    ink = float(np.percentile(result, rng.choice([0.1, 99.9])))
    width = int(rng.integers(1, 3))
    if rng.random() < 0.5:
        step = int(rng.integers(24, 120))
        for first in range(int(rng.integers(0, step)), max(rows, columns), step):
            result[first : first + width], result[:, first : first + width] = ink, ink
        return result
    length, height = (
        max(2, int(share * columns)) for share in rng.uniform([0.1, 0.01], [0.4, 0.03])
    )
    top, left = (int(rng.integers(0, max(1, side))) for side in (rows - height, columns - length))
    result[top : top + height, left : left + length] = ink
    return result


def rescaled(counts: Image, rng: np.random.Generator) -> Image:
    """Sampled down for a figure and up again."""
    factor = float(rng.uniform(0.45, 0.95))
    rows, columns = counts.shape
    size = (max(8, round(columns * factor)), max(8, round(rows * factor)))
    down = cv2.INTER_AREA if rng.random() < 0.5 else cv2.INTER_LINEAR
    up = cv2.INTER_CUBIC if rng.random() < 0.5 else cv2.INTER_LINEAR
    small = cv2.resize(counts, size, interpolation=down)
    return cast(Image, cv2.resize(small, (columns, rows), interpolation=up))


def printed(counts: Image, rng: np.random.Generator) -> Image:
    """As in a published figure: stretched to 8 bit with clipping, a gamma, often JPEG."""
    low, high = np.percentile(counts, [rng.uniform(0, 2), 100 - rng.uniform(0, 2)])
    grey = np.clip((counts - low) / max(float(high - low), 1e-6), 0, 1)
    grey = grey ** float(np.exp(rng.uniform(-0.5, 0.5)))
    levels = np.round(GREY_LEVELS * grey).astype(np.uint8)
    if rng.random() < 0.6:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(45, 96))]
        written, stream = cv2.imencode(".jpg", levels, quality)
        if written:
            levels = cast(NDArray[np.uint8], cv2.imdecode(stream, cv2.IMREAD_GRAYSCALE))
    return np.asarray(levels, np.float32)
