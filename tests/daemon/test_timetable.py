"""What comes round again."""

from daemon.timetable import Timetable


def test_it_is_due_at_once_and_then_once_in_a_period():
    now = [100.0]
    table = Timetable(lambda: now[0])
    assert table.is_due("walk", 5.0)
    assert not table.is_due("walk", 5.0)
    assert table.is_due("hear", 5.0)
    now[0] = 104.9
    assert not table.is_due("walk", 5.0)
    now[0] = 105.0
    assert table.is_due("walk", 5.0)
