"""Whatever program brings a micrograph, however it stalls."""

from pathlib import Path

from tests.acceptance.row_writers import every_writer_gives_one_result


def test_every_writer_that_stalls_gives_one_result_and_the_right_one(tmp_path: Path):
    every_writer_gives_one_result(tmp_path, points=2)
