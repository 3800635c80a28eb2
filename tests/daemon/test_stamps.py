"""What a stat says fits the ledger's integers, and a change of it still shows."""

import os

import pytest

from daemon.stamps import inode, mtime_ns

LARGEST = 2**63 - 1


def status_of(**numbers: int) -> os.stat_result:
    return os.stat_result([0] * 10 + [0.0] * 3, numbers)


@pytest.mark.parametrize("number", [0, -(10**18), LARGEST])
def test_an_ordinary_time_stays_as_it_is(number):
    assert mtime_ns(status_of(st_mtime_ns=number)) == number


@pytest.mark.parametrize("number", [LARGEST + 1, 15_032_385_535 * 10**9])
def test_a_time_beyond_the_year_2262_fits_and_still_shows_a_change(number):
    found = mtime_ns(status_of(st_mtime_ns=number))
    assert -(2**63) <= found <= LARGEST
    assert mtime_ns(status_of(st_mtime_ns=number + 1)) != found


def test_the_highest_inode_fits(tmp_path):
    numbers = os.stat_result([0, 2**64 - 1, *[0] * 8, 0.0, 0.0, 0.0])
    assert inode(numbers) == -1
    assert inode(tmp_path.stat()) == tmp_path.stat().st_ino
