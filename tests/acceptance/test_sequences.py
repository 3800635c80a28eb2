"""Whatever happens in the folder, in whatever order."""

from pathlib import Path

from tests.acceptance.row_sequences import every_sequence_equals_the_model


def test_five_hundred_sequences_equal_the_model(tmp_path: Path):
    every_sequence_equals_the_model(tmp_path, sequences=500)
