"""Overlays of a state folder whose raw files or masks are no longer what they were."""

import os
from pathlib import Path

import pytest

from daemon.gallery import write_gallery
from schema.queries import MicrographRow


def row(path: Path, mask_path: str | None, segmented: bool = True) -> MicrographRow:
    return MicrographRow(
        micrograph_id=1,
        path=os.fsencode(path),
        signal_index=0,
        frame_index=None,
        state="done",
        width_px=64,
        height_px=64,
        pixel_size_nm=0.02,
        pixel_size_source="file",
        imaging_mode="TEM",
        in_domain=segmented,
        domain_reason=None,
        segmented=segmented,
        scale_assumed=False,
        suspect=None,
        particle_count=1,
        mask_path=mask_path,
        error_code=None,
        error_message=None,
    )


def test_a_raw_file_that_is_gone_has_no_picture_and_a_log_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    gone = row(tmp_path / "archived.tif", "masks/undated/a-0123456789ab.h5")
    assert write_gallery(tmp_path, [gone], tmp_path / "overlays") == []
    assert "no overlay of" in caplog.text
    assert list((tmp_path / "overlays").iterdir()) == []


def test_what_was_not_segmented_has_no_picture(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    outside = row(tmp_path / "survey.tif", None, segmented=False)
    assert write_gallery(tmp_path, [outside], tmp_path / "overlays") == []
    assert caplog.text == ""
