"""What is drawn next."""

from daemon.backlog import Backlog


def test_the_newest_file_comes_first():
    backlog = Backlog()
    for file_id in (2, 7, 3):
        backlog.add(file_id)
    order = []
    while (file_id := backlog.next(now=0.0)) is not None:
        order.append(file_id)
        backlog.done(file_id)
    assert order == [7, 3, 2]


def test_what_failed_waits_longer_each_time_and_is_given_up():
    backlog = Backlog(wait_seconds=(60.0, 600.0))
    backlog.add(1)
    assert backlog.failed(1, now=0.0) == 60.0
    assert backlog.next(now=59.0) is None
    assert backlog.next(now=60.0) == 1
    assert backlog.failed(1, now=60.0) == 600.0
    assert backlog.next(now=660.0) == 1
    assert backlog.failed(1, now=660.0) is None
    assert backlog.next(now=1e9) is None


def test_what_waits_holds_up_no_other():
    backlog = Backlog()
    backlog.add(9)
    backlog.add(1)
    backlog.failed(9, now=0.0)
    assert backlog.next(now=1.0) == 1


def test_a_new_result_begins_anew():
    backlog = Backlog(wait_seconds=(60.0,))
    backlog.add(1)
    backlog.failed(1, now=0.0)
    backlog.add(1)
    assert backlog.next(now=0.0) == 1
    assert backlog.failed(1, now=0.0) == 60.0
