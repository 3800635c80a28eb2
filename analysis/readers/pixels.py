"""What the pixels of a frame say by themselves: colour, blankness, identity."""

import hashlib
import math

import numpy as np
from numpy.typing import NDArray

from analysis.errors import ErrorCode, NotAMicrograph

RGB_SAMPLES = 3
# The last rows looked at for a tail that was never written.
TAIL_FRACTION = 0.01


def grey(frame: NDArray[np.generic]) -> NDArray[np.generic]:
    """(H, W) of (H, W, samples) whose colours are all equal.

    Raises:
        NotAMicrograph: the colours differ.
    """
    first = frame[..., 0]
    colours = range(1, RGB_SAMPLES) if frame.shape[-1] >= RGB_SAMPLES else ()
    if any(not np.array_equal(first, frame[..., i]) for i in colours):
        raise NotAMicrograph(
            ErrorCode.COLOUR, "The image is in colour; a micrograph has one value a pixel."
        )
    return first


def portable(frame: NDArray[np.generic]) -> NDArray[np.generic]:
    """The same values as little-endian integers or float32."""
    if frame.dtype.kind == "b":
        return frame.astype(np.uint8)
    if frame.dtype.kind == "f":
        with np.errstate(over="ignore"):
            return frame.astype("<f4", copy=False)
    return frame.astype(frame.dtype.newbyteorder("<"), copy=False)


def is_constant(frame: NDArray[np.generic]) -> bool:
    """Whether every pixel has the value of the first."""
    return bool((frame == frame.flat[0]).all())


def blank_rows_at_end(stored: NDArray[np.generic]) -> str | None:
    """Why the end of a frame may be missing: its last stored rows all hold one value."""
    row_count = max(1, math.ceil(TAIL_FRACTION * stored.shape[0]))
    if not is_constant(stored[-row_count:]):
        return None
    return f"the last {row_count} rows stored all hold the value {stored[-1, -1]}"


def pixel_sha256(image: NDArray[np.generic]) -> str:
    """Hash of dtype, shape and pixels: the identity of the picture, whatever file holds it."""
    contiguous = np.ascontiguousarray(image)
    digest = hashlib.sha256(f"{contiguous.dtype.str} {contiguous.shape} ".encode())
    digest.update(contiguous.data)
    return digest.hexdigest()
