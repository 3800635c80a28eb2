"""Read micrographs of every format the microscopes here write.

`read_micrographs` is the door; the rest of the room is one file a format family.
"""

from analysis.readers.limits import ReadLimits
from analysis.readers.micrographs import read_micrographs
from analysis.readers.names import (
    MICROGRAPH_SUFFIXES,
    companion_names,
    field_of_view_stem,
    grouped,
    primary_of,
)
from analysis.readers.pixels import pixel_sha256

__all__ = [
    "MICROGRAPH_SUFFIXES",
    "ReadLimits",
    "companion_names",
    "field_of_view_stem",
    "grouped",
    "pixel_sha256",
    "primary_of",
    "read_micrographs",
]
