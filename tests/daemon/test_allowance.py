"""A folder that runs wild waits for its hour."""

from hypothesis import given
from hypothesis import strategies as st

from daemon.allowance import HOUR_SECONDS, Allowance, Hourly

ROOT = b"/data"


def three() -> Allowance:
    return Allowance(dict.fromkeys((ROOT, b"/other", b"/third"), Hourly(files=10, bytes=100)))


def take(allowance, root, sizes, *, now, foreign=False):
    for size in sizes:
        allowance.take(root, size, now, foreign)


def test_a_folder_within_its_allowance_waits_for_nothing():
    allowance = three()
    take(allowance, ROOT, [11] * 9, now=0.0)
    assert allowance.spent(1.0) == frozenset()


def test_a_folder_beyond_it_waits_until_the_hour_is_over_and_no_other_does():
    allowance = three()
    take(allowance, ROOT, [0] * 10, now=0.0)
    take(allowance, b"/other", [100], now=5.0)
    take(allowance, b"/third", [1], now=5.0)
    assert allowance.spent(6.0) == {ROOT, b"/other"}
    assert allowance.spent(HOUR_SECONDS) == {b"/other"}
    assert allowance.spent(HOUR_SECONDS + 5) == frozenset()


def test_files_that_are_no_micrographs_take_no_room_from_those_that_are():
    allowance = three()
    take(allowance, ROOT, [10] * 10, now=0.0, foreign=True)
    assert allowance.is_spent(ROOT, 1.0, foreign=True)
    assert not allowance.is_spent(ROOT, 1.0, foreign=False)
    assert allowance.spent(1.0) == {ROOT}
    assert not allowance.is_spent(ROOT, HOUR_SECONDS, foreign=True)


def test_a_folder_that_is_not_watched_has_no_limit():
    allowance = Allowance({ROOT: Hourly(files=1, bytes=1)})
    take(allowance, b"/by/hand", [9] * 9, now=0.0)
    assert allowance.spent(1.0) == frozenset()
    assert not allowance.is_spent(b"/by/hand", 1.0, foreign=False)


@given(st.lists(st.tuples(st.floats(0, 600), st.integers(0, 5)), max_size=60))
def test_never_more_than_the_allowance_and_one_rush_in_any_hour(steps):
    allowance = Allowance({ROOT: Hourly(files=12, bytes=10**9)})
    now, taken = 0.0, []
    for wait, files in steps:
        now += wait
        if ROOT not in allowance.spent(now):
            take(allowance, ROOT, [0] * files, now=now)
            taken.append((now, files))
    for end, _ in taken:
        within_the_hour = [n for at, n in taken if end - HOUR_SECONDS < at <= end]
        assert sum(within_the_hour) < 12 + 5
