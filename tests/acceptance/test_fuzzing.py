"""Row 13 in small: the fuzzer runs, and notices what it is there for."""

from pathlib import Path

import pytest

from tests.acceptance.fuzzing import Target, fuzzed, targets

SECONDS = 2


def test_a_reader_lets_only_declared_errors_out(tmp_path: Path):
    (target,) = [one for one in targets(tmp_path / "originals") if one.name == "a.mrc"]
    found = fuzzed(target, tmp_path / "a", SECONDS, seed=0)
    assert found.inputs > 0
    assert found.peak_bytes > 0


def test_an_error_that_nobody_declared_is_noticed(tmp_path: Path):
    """Here that of a folder that is not there."""
    target = Target(name="absent/a.mrc", seeds=(b"any",))
    with pytest.raises(AssertionError, match=r"(?s)ended with (1|77): .*FileNotFoundError"):
        fuzzed(target, tmp_path / "a", SECONDS, seed=0)
