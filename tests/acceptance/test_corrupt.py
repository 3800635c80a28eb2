"""Bad files of every kind among good ones: each is named, none stops the stream."""

from collections import Counter
from pathlib import Path

from tests.acceptance.corpus import specimens
from tests.acceptance.corrupt import corrupt_corpus

FILES = 72  # of every kind some; `make soak` takes all
ALL_FILES = 300


def test_every_bad_file_is_named_and_every_good_one_is_done(tmp_path: Path):
    assert corrupt_corpus(tmp_path, files=FILES)


def test_the_corpus_has_hundreds_of_different_files(tmp_path: Path):
    found = specimens(tmp_path / "made")
    assert len({(one.suffix, one.content) for one in found}) > ALL_FILES
    assert set(Counter(one.kind for one in found[:FILES])) == {one.kind for one in found}
