"""What can keep a micrograph from being analysed.

The daemon decides by class alone: `NotAMicrograph` refuses at once, `UnreadableYet` climbs the
retry ladder and ends in quarantine, anything else is a bug. The code is stable, for queries and
alerts; the message is one plain sentence for people.
"""

from enum import StrEnum


class ErrorCode(StrEnum):
    """Stable names of what was wrong; stored in the ledger, never renamed."""

    # NotAMicrograph
    SPECTRUM = "spectrum"
    DIFFRACTION = "diffraction"
    COLOUR = "colour"
    COMPLEX_VALUED = "complex_valued"
    NOT_TWO_DIMENSIONAL = "not_two_dimensional"
    PIXELS_NOT_SQUARE = "pixels_not_square"
    METADATA_ONLY = "metadata_only"
    NO_IMAGE = "no_image"
    UNKNOWN_SUFFIX = "unknown_suffix"
    ARCHIVE = "archive"
    TOO_SMALL = "too_small"
    # UnreadableYet
    EMPTY_FILE = "empty_file"
    UNREADABLE = "unreadable"
    TRUNCATED = "truncated"
    TOO_LARGE = "too_large"
    LINKS_OUTSIDE = "links_outside"
    CONSTANT = "constant"
    NOT_FINITE = "not_finite"


class AnalysisError(Exception):
    """This micrograph cannot be analysed as it is."""

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.code = code


class NotAMicrograph(AnalysisError):
    """The file holds no real-space image: a spectrum, a diffraction pattern."""


class UnreadableYet(AnalysisError):
    """The file cannot be read as it is now; it may still be being written."""


class BundleError(AnalysisError):
    """A model bundle is missing, damaged or not the one its manifest describes."""

    def __init__(self, message: str) -> None:
        Exception.__init__(self, message)
