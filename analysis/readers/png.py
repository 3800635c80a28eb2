"""The signal of a PNG file: one image, never calibrated.

Its `pHYs` chunk is a printer's resolution.
"""

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import PngImagePlugin

from analysis.errors import ErrorCode, UnreadableYet
from analysis.readers.limits import ReadLimits
from analysis.readers.signal import Signal

SIGNATURE = b"\x89PNG\r\n\x1a\n"
IHDR_END = 26
SAMPLES_OF_COLOUR_TYPE = {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}
COLOUR_TYPES = (2, 6)
DEEP_BITS = 16
LAST_CHUNK = b"IEND"


def read_signals(path: Path, companions: tuple[Path, ...], limits: ReadLimits) -> Iterator[Signal]:
    """The one image of the file.

    Raises:
        UnreadableYet: the file is no PNG.
    """
    del companions, limits
    with path.open("rb") as file:
        start = file.read(IHDR_END)
    if len(start) < IHDR_END or not start.startswith(SIGNATURE):
        raise UnreadableYet(ErrorCode.UNREADABLE, "The file is no PNG image.")
    width_px, height_px, bits, colour_type = struct.unpack(">IIBB", start[16:])
    yield Signal(
        shape_px=(height_px, width_px),
        samples=SAMPLES_OF_COLOUR_TYPE[colour_type],
        dtype=np.dtype(np.uint16 if bits == DEEP_BITS else np.uint8),
        read_frame=lambda _: _read(path, bits, colour_type),
    )


def _read(path: Path, bits: int, colour_type: int) -> NDArray[np.generic]:
    _check_sums(path)
    # The class itself and not Image.open, whose own cap on pixels is lower than ours.
    with path.open("rb") as file, PngImagePlugin.PngImageFile(file) as image:
        pixels = np.array(image.convert("RGB") if image.mode == "P" else image)
    if bits == DEEP_BITS and colour_type in COLOUR_TYPES:
        # Pillow halves the depth of these; OpenCV does not, and forgives what Pillow just checked.
        return np.asarray(cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED))
    return pixels.astype(np.uint16) if pixels.dtype == np.int32 else pixels


def _check_sums(path: Path) -> None:
    """Compare each chunk with its checksum: neither library looks at those of the pixels.

    Raises:
        UnreadableYet: a chunk is not what was written, or the file ends early.
    """
    with path.open("rb") as file:
        file.seek(len(SIGNATURE))
        kind = b""
        while kind != LAST_CHUNK:
            length, kind = struct.unpack(">I4s", file.read(8))
            body = file.read(length)
            if struct.pack(">I", zlib.crc32(kind + body)) != file.read(4):
                raise UnreadableYet(
                    ErrorCode.UNREADABLE, "A part of the PNG file does not match its checksum."
                )
