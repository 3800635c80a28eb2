"""Limits, clocks moved by hand, and what is told."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.alarm_memory import read, written
from daemon.alarms import (
    Alarm,
    AlarmKind,
    Alert,
    AlertEvent,
    Facts,
    FaultShare,
    Memory,
    Watchpoint,
    judged,
    watchpoints,
)
from daemon.config import AlertsConfig
from schema.signs import FieldSeen
from tests.daemon.moments import NOW

HOUR = 3600.0
RAISED, LASTS, CLEARED = AlertEvent


def crossed(facts: Facts, **limits: Any) -> bool | None:
    (point,) = watchpoints(facts, AlertsConfig(**limits))
    return point.crossed


def words(facts: Facts, **limits: Any) -> str:
    (point,) = watchpoints(facts, AlertsConfig(**limits))
    return point.words


def test_without_a_limit_nothing_is_watched():
    everything = Facts(
        session="morning",
        seconds_without_file=1e6,
        has_seen_file=True,
        failures=99,
        free=0.0,
        faults=FaultShare(value=1.0, low=0.9, observable=9),
        fields=(FieldSeen(classified=3, observable=0),) * 9,
    )
    assert watchpoints(everything, AlertsConfig()) == ()


@pytest.mark.parametrize(
    ("seconds", "has_seen", "verdict"),
    [
        (9.9, True, False),
        (10.0, True, True),
        (9.9, False, None),  # just begun: whether files come is not known yet
        (10.0, False, True),
    ],
)
def test_no_file_for_as_long_as_the_limit(seconds, has_seen, verdict):
    facts = Facts(seconds_without_file=seconds, has_seen_file=has_seen)
    assert crossed(facts, no_file_seconds=10) is verdict


def test_without_a_session_a_silence_is_told_once():
    silence = Facts(seconds_without_file=99.0, has_seen_file=True)
    (point,) = watchpoints(silence, AlertsConfig(no_file_seconds=10))
    assert not point.repeats
    (point,) = watchpoints(replace(silence, session="morning"), AlertsConfig(no_file_seconds=10))
    assert point.repeats


def test_so_many_failures_within_the_hour():
    assert crossed(Facts(failures=4), failures_per_hour=5) is False
    assert crossed(Facts(failures=5), failures_per_hour=5) is True
    assert crossed(Facts(), failures_per_hour=5) is None
    assert "1 file could" in words(Facts(failures=1), failures_per_hour=1)


def test_less_than_the_part_of_the_disk():
    assert crossed(Facts(free=0.1), free_fraction_below=0.1) is False
    assert crossed(Facts(free=0.0999), free_fraction_below=0.1) is True
    assert crossed(Facts(), free_fraction_below=0.1) is None


@pytest.mark.parametrize(
    ("session", "share", "verdict"),
    [
        ("s", FaultShare(value=0.7, low=0.51, observable=40), True),
        ("s", FaultShare(value=0.7, low=0.5, observable=40), False),
        ("s", FaultShare(value=0.7, low=None, observable=40), False),
        ("s", FaultShare(), False),
        ("s", None, None),
        (None, None, False),
    ],
)
def test_the_lower_end_of_the_interval_decides(session, share, verdict):
    assert crossed(Facts(session=session, faults=share), fault_fraction_above=0.5) is verdict


def fields(*observable: int) -> tuple[FieldSeen, ...]:
    return tuple(FieldSeen(classified=3, observable=number) for number in observable)


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        (fields(0, 0, 0), True),
        (fields(0, 0, 0, 2), True),
        (fields(0, 0, 1), False),
        (fields(0, 0), False),
        ((), False),
        (None, None),
    ],
)
def test_so_many_fields_in_a_row_without_an_observable_particle(found, verdict):
    assert crossed(Facts(fields=found), fields_without_observable=3) is verdict


def test_what_is_seen_is_said_and_no_cause_is_named():
    said = words(Facts(fields=fields(0, 0)), fields_without_observable=2)
    assert said.startswith("none of the 6 particles in the last 2 fields of view with particles")
    assert "focus" not in said


def test_a_name_of_a_session_moves_no_cursor_and_fills_no_page():
    facts = Facts(session="\x1b[2J" + "x" * 5000, seconds_without_file=99.0)
    said = words(facts, no_file_seconds=10)
    assert "\x1b" not in said
    assert len(said) < 200


class Course:
    """One kind over time: what is told when."""

    def __init__(self, every_seconds: float = HOUR) -> None:
        self.every_seconds = every_seconds
        self.memory: Any = {}

    def at(self, seconds: float, crossed: bool | None, repeats: bool = True) -> AlertEvent | None:
        point = Watchpoint(kind=AlarmKind.DISK, crossed=crossed, words="so it is", repeats=repeats)
        now = NOW + timedelta(seconds=seconds)
        self.memory, alerts = judged(self.memory, (point,), now, self.every_seconds)
        assert len(alerts) <= 1
        return alerts[0].event if alerts else None


def test_a_crossing_is_told_once_and_again_while_it_lasts_and_its_end_is_told():
    course = Course()
    assert course.at(0, False) is None
    assert course.at(10, True) is RAISED
    assert course.at(20, True) is None
    assert course.at(3609, True) is None
    assert course.at(3610, True) is LASTS
    assert course.at(3620, False) is CLEARED
    assert course.at(3630, False) is None


def test_what_comes_and_goes_is_told_no_more_often():
    course = Course()
    told = [event for second in range(7200) if (event := course.at(second, second % 2 == 0))]
    assert told == [RAISED, CLEARED] * 2


def test_what_is_not_known_changes_nothing():
    course = Course()
    assert course.at(0, True) is RAISED
    assert course.at(HOUR * 2, None) is None
    assert course.at(HOUR * 2 + 1, False) is CLEARED


def test_what_is_not_worth_repeating_is_told_once():
    course = Course()
    assert course.at(0, True, repeats=False) is RAISED
    assert course.at(HOUR * 9, True, repeats=False) is None
    assert course.at(HOUR * 9 + 1, True, repeats=True) is LASTS


def test_a_clock_that_is_set_back_silences_nothing_for_longer_than_the_period():
    course = Course()
    assert course.at(86400, True) is RAISED
    assert course.at(0, True) is None
    assert course.at(HOUR, True) is LASTS


def test_an_alert_says_since_when():
    course = Course()
    course.at(0, True)
    course.at(60, False)
    course.at(120, True)  # too soon to be told of
    _, (alert,) = judged(
        course.memory,
        (Watchpoint(kind=AlarmKind.DISK, crossed=True, words="so it is"),),
        NOW + timedelta(seconds=HOUR),
        HOUR,
    )
    assert (alert.event, alert.since) == (RAISED, NOW + timedelta(seconds=120))


def test_a_kind_that_is_watched_no_more_is_forgotten():
    memory, alerts = judged({AlarmKind.DISK: Alarm(since=NOW, told=True)}, (), NOW, HOUR)
    assert (memory, alerts) == ({}, ())


looks = st.lists(
    st.tuples(
        st.floats(0, 2000),
        st.lists(
            st.builds(
                Watchpoint,
                kind=st.sampled_from(AlarmKind),
                crossed=st.sampled_from([True, False, None]),
                words=st.just("so it is"),
                repeats=st.booleans(),
            ),
            unique_by=lambda point: point.kind,
            max_size=len(AlarmKind),
        ).map(tuple),
    ),
    max_size=60,
)


def everything(
    course: Sequence[tuple[float, tuple[Watchpoint, ...]]],
    between: Callable[[Memory], Memory] = lambda memory: memory,
) -> list[Alert]:
    """Every alert of a course of looks; a kind that a look leaves out is not known there."""
    memory: Memory = {}
    now, told = NOW, []
    for seconds, points in course:
        now += timedelta(seconds=seconds)
        known = {point.kind for point in points}
        unknown = tuple(
            Watchpoint(kind=kind, crossed=None, words="") for kind in AlarmKind if kind not in known
        )
        memory, alerts = judged(between(memory), points + unknown, now, HOUR)
        told.extend(alerts)
    return told


@given(looks)
def test_of_one_kind_nothing_is_told_twice_within_the_period(course):
    told = everything(course)
    for kind in AlarmKind:
        moments = [a.at for a in told if a.kind is kind and a.event is not CLEARED]
        assert all(late - early >= timedelta(seconds=HOUR) for early, late in pairwise(moments))


@given(looks)
def test_an_end_is_told_of_what_was_told_and_only_of_that(course):
    told = everything(course)
    for kind in AlarmKind:
        events = [a.event for a in told if a.kind is kind]
        assert events[:1] in ([], [RAISED])
        for early, late in pairwise(events):
            assert late is RAISED if early is CLEARED else late is not RAISED


@given(looks)
def test_whatever_lasts_longer_than_the_period_has_been_told(course):
    told = everything(course)
    for kind in AlarmKind:
        since, now = None, NOW
        for seconds, points in course:
            now += timedelta(seconds=seconds)
            verdict = next((point.crossed for point in points if point.kind is kind), None)
            if verdict is False:
                since = None
            elif verdict and since is None:
                since = now
            elif verdict and since is not None and now - since >= timedelta(seconds=HOUR):
                assert any(a.kind is kind and since <= a.at <= now for a in told)


@given(looks)
def test_a_restart_between_any_two_looks_changes_nothing_that_is_told(course):
    through_its_file = everything(course, lambda memory: read(written(memory)))
    assert through_its_file == everything(course)
