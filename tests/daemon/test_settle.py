"""A file counts as finished only when it has stood still long enough."""

from hypothesis import given
from hypothesis import strategies as st

from daemon.settle import SettleTracker

PATH = b"/data/acq/20260301_Au_0042.dm4"


def observed(*looks: tuple[float, int]) -> SettleTracker:
    """A tracker that saw the file at (now, size) pairs."""
    tracker = SettleTracker(quiet_seconds=2.0, quiet_seconds_without_events=10.0)
    for now, size_bytes in looks:
        tracker.observe(PATH, (size_bytes, 1, 7), now)
    return tracker


def test_a_slow_write_settles_only_when_it_stops():
    tracker = observed((0.0, 10), (4.0, 90), (13.9, 90))
    assert tracker.settled(13.9) == []
    tracker.observe(PATH, (90, 1, 7), 14.0)
    assert tracker.settled(14.0) == [PATH]


def test_one_look_is_never_enough():
    assert observed((0.0, 10)).settled(1e6) == []


def test_a_close_settles_after_two_quiet_seconds():
    tracker = observed((0.0, 10))
    tracker.closed(PATH, 0.5)
    tracker.observe(PATH, (10, 1, 7), 1.0)
    assert tracker.settled(2.4) == []
    assert tracker.settled(2.5) == [PATH]


def test_a_close_without_a_look_after_it_does_not_settle():
    tracker = observed((0.0, 10))
    tracker.closed(PATH, 0.5)
    assert tracker.settled(60.0) == []


def test_writing_on_after_a_close_needs_a_new_close():
    tracker = observed((0.0, 10))
    tracker.closed(PATH, 0.5)
    tracker.modified(PATH)
    tracker.observe(PATH, (20, 2, 7), 1.0)
    tracker.observe(PATH, (20, 2, 7), 5.0)
    assert tracker.settled(5.0) == []
    tracker.closed(PATH, 5.0)
    tracker.observe(PATH, (20, 2, 7), 5.5)
    assert tracker.settled(7.0) == [PATH]


def test_a_new_inode_under_the_same_name_starts_anew():
    tracker = observed((0.0, 10), (9.0, 10))
    tracker.observe(PATH, (10, 1, 8), 11.0)
    assert tracker.settled(11.0) == []


def test_files_are_found_by_their_folder():
    tracker = SettleTracker()
    for path in (b"/a/1", b"/a/2", b"/a/b/1"):
        tracker.observe(path, (1, 1, 1), 0.0)
    tracker.observe(b"/a/1", (2, 2, 1), 1.0)
    assert tracker.folders() == [b"/a", b"/a/b"]
    assert tracker.paths_in(b"/a") == [b"/a/1", b"/a/2"]
    for path in (b"/a/1", b"/a/b/1", b"/a/b/1", b"/elsewhere/1"):
        tracker.forget(path)
    assert tracker.folders() == [b"/a"]
    assert tracker.paths_in(b"/a") == [b"/a/2"]
    assert tracker.paths_in(b"/a/b") == []


def test_a_forgotten_file_is_not_settled():
    tracker = observed((0.0, 10), (11.0, 10))
    tracker.forget(PATH)
    assert tracker.settled(60.0) == []
    assert PATH not in tracker


@given(looks=st.lists(st.tuples(st.floats(0.01, 9.9), st.integers(0, 3)), min_size=1, max_size=20))
def test_a_file_that_changed_within_ten_seconds_never_settles_unheard(looks):
    tracker, now, last_change, size = SettleTracker(), 0.0, 0.0, None
    for step, new_size in looks:
        now += step
        if new_size != size:
            last_change, size = now, new_size
        tracker.observe(PATH, (new_size, 1, 7), now)
        assert (PATH in tracker.settled(now)) == (now - last_change >= 10.0)


def overwritten(*, had_result: bool) -> SettleTracker:
    """A tracker that saw a file being written in place, not closed, and then standing still."""
    tracker = observed((0.0, 10))
    if had_result:
        tracker.replaces_a_result(PATH)
    tracker.modified(PATH)
    tracker.observe(PATH, (10, 2, 7), 1.0)
    tracker.observe(PATH, (10, 2, 7), 12.0)
    return tracker


def test_what_overwrites_a_result_waits_for_its_close():
    tracker = overwritten(had_result=True)
    assert tracker.settled(12.0) == []
    tracker.closed(PATH, 60.0)
    tracker.observe(PATH, (10, 2, 7), 60.5)
    assert tracker.settled(62.0) == [PATH]


def test_what_overwrites_a_result_settles_in_the_end_where_the_close_was_missed():
    tracker = overwritten(had_result=True)
    tracker.observe(PATH, (10, 2, 7), 600.9)
    assert tracker.settled(600.9) == []
    tracker.observe(PATH, (10, 2, 7), 601.0)
    assert tracker.settled(601.0) == [PATH]


def test_a_first_file_that_is_held_open_is_not_waited_for():
    assert overwritten(had_result=False).settled(12.0) == [PATH]


def test_what_overwrites_a_result_unheard_settles_as_any_other():
    tracker = observed((0.0, 10), (10.0, 10))
    tracker.replaces_a_result(PATH)
    assert tracker.settled(10.0) == [PATH]
