"""How much a file may declare before anything is allocated for it.

A 0.5 MB file can declare 8.8 TB and a 316 KB TIFF expand to 288 MB, so the sizes of the header are
checked first.
"""

from dataclasses import dataclass

from analysis.errors import ErrorCode, UnreadableYet

# Below this an extreme compression ratio costs nothing: a blank 4096 x 4096 image of two bytes.
HARMLESS_BYTES = 32 * 2**20


@dataclass(frozen=True, kw_only=True)
class ReadLimits:
    """Largest picture accepted: bytes once decoded, sides, frames, decoded over stored bytes."""

    decoded_bytes: int = 2 * 2**30
    side_px: int = 16_384
    frames: int = 4_096
    ratio: int = 200


def check_declared_size(
    limits: ReadLimits, *, shape_px: tuple[int, int], frame_count: int, pixel_bytes: int
) -> None:
    """Refuse one signal by what its header declares.

    Args:
        limits: what is accepted.
        shape_px: (H, W).
        frame_count: frames of a series, 1 for a single image.
        pixel_bytes: bytes of one pixel with all its samples.

    Raises:
        UnreadableYet: a side, the number of frames or the bytes exceed the limits.
    """
    height_px, width_px = shape_px
    decoded_bytes = frame_count * height_px * width_px * pixel_bytes
    if max(shape_px) > limits.side_px:
        raise UnreadableYet(
            ErrorCode.TOO_LARGE,
            f"The image declares {width_px} x {height_px} pixels; "
            f"at most {limits.side_px} a side are read.",
        )
    if frame_count > limits.frames:
        raise UnreadableYet(
            ErrorCode.TOO_LARGE,
            f"The series declares {frame_count} frames; at most {limits.frames} are read.",
        )
    _check_bytes(limits, decoded_bytes)


def _check_bytes(limits: ReadLimits, decoded_bytes: int) -> None:
    if decoded_bytes > limits.decoded_bytes:
        raise UnreadableYet(
            ErrorCode.TOO_LARGE,
            f"The file declares {decoded_bytes / 1e9:.1f} GB of pixels; "
            f"at most {limits.decoded_bytes / 1e9:.1f} GB are read.",
        )


def check_whole_file(limits: ReadLimits, *, decoded_bytes: int, stored_bytes: int) -> None:
    """Refuse a file by the pixels of all its signals.

    Raises:
        UnreadableYet: the pixels exceed the limit, or are more than `limits.ratio` times the bytes
            of the file, as no micrograph's are.
    """
    _check_bytes(limits, decoded_bytes)
    if decoded_bytes > max(HARMLESS_BYTES, limits.ratio * stored_bytes):
        raise UnreadableYet(
            ErrorCode.TOO_LARGE,
            f"The file would expand {decoded_bytes / max(stored_bytes, 1):.0f} times when read; "
            f"at most {limits.ratio} times are accepted.",
        )
