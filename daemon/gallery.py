"""A micrograph as it was analysed: its pixels, and what was found in it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from analysis.micrograph import Micrograph
from schema import masks
from schema.errors import MaskFileError

OTHER_IMAGE = "the raw file no longer holds this image"


class NoPicture(Exception):
    """The masks of a micrograph are gone, or its raw file is no longer what was analysed."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Pictured:
    """A micrograph as it was analysed.

    `image` (H, W) real; `labels` (H, W) integer, 0 is background; `classes` of the labels.
    """

    image: NDArray[Any]
    labels: NDArray[Any]
    classes: Mapping[int, str | None]
    pixel_size_nm: float | None


def outlined(micrograph: Micrograph, mask: Path) -> Pictured:
    """A micrograph just read, and what its mask file says was found in it.

    Raises:
        NoPicture: nothing was segmented, the masks are gone, or are those of another image.
    """
    try:
        record = masks.read_record(mask)
        labels = masks.read_labels(mask)
    except MaskFileError as error:
        raise NoPicture(str(error)) from error
    if labels is None or micrograph.pixel_sha256 != record.image.pixel_sha256:
        raise NoPicture(OTHER_IMAGE)
    return Pictured(
        image=micrograph.image,
        labels=labels,
        classes={particle.label: particle.particle_class for particle in record.particles},
        pixel_size_nm=record.image.pixel_size_nm,
    )
