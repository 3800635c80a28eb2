"""A file that has come in part only."""

from pathlib import Path

import pytest

from tests.acceptance.row_cuts import every_cut_waits
from tests.conftest import SHARED_DATA


def test_a_file_cut_anywhere_waits_and_the_whole_one_is_analysed(tmp_path: Path):
    every_cut_waits(tmp_path, cuts=3)


def test_a_real_file_cut_anywhere_waits_and_the_whole_one_is_analysed(tmp_path: Path):
    if not (SHARED_DATA / "formats").is_dir():
        pytest.skip("the real micrographs are not here")
    every_cut_waits(tmp_path, cuts=2, real=SHARED_DATA / "formats")
