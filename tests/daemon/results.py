"""Results as the worker hands them over, without any analysis."""

from typing import Any

from schema.records import ResultRecord
from tests.schema.examples import result


def result_of(pixel_sha256: str, frame_index: int | None = None, **changes: Any) -> ResultRecord:
    """The result of one picture, by the hash of its pixels."""
    picture = {
        "pixel_sha256": pixel_sha256,
        "frame_index": frame_index,
        "frame_count": 1 if frame_index is None else 3,
    }
    return result(image_changes=picture, **changes)
