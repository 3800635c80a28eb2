"""When a limit is crossed, and whether to say so. Pure: facts, limits and time in, words out.

A crossing is told once, told again while it lasts, and its end is told if its beginning was. Of
one kind nothing is told more often than the operator wants, also when it comes and goes.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from daemon.config import AlertsConfig
from daemon.lines import duration
from daemon.names import shortened
from schema.signs import FieldSeen

SESSION_CELLS = 60  # of a name, which may be as long as a page


class AlarmKind(StrEnum):
    """What can be told of; stable names, for the programs that are told."""

    NO_FILE = "no_file"
    FAILURES = "failures"
    DISK = "disk"
    FAULT_FRACTION = "fault_fraction"
    NO_OBSERVABLE = "no_observable"


class AlertEvent(StrEnum):
    """What has become of it since it was told of last."""

    RAISED = "raised"
    LASTS = "lasts"
    CLEARED = "cleared"


@dataclass(frozen=True, kw_only=True)
class FaultShare:
    """Visible stacking faults among the observable particles of the open session.

    `low` is the lower end of the 95 % interval, None where there is none; `value` in [0, 1].
    """

    value: float | None = None
    low: float | None = None
    observable: int = 0


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What was found at one look; None is what cannot be known now.

    `session`: name of the open one, None where none is open. `seconds_without_file`: since a new
    file was noticed, or since the look-out began; `has_seen_file`: whether one was noticed since.
    `failures`: within the hour. `free`: part of the disk, in [0, 1]. `fields`: the latest fields of
    view with particles, the newest first.
    """

    session: str | None = None
    seconds_without_file: float | None = None
    has_seen_file: bool = False
    failures: int | None = None
    free: float | None = None
    faults: FaultShare | None = None
    fields: tuple[FieldSeen, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class Watchpoint:
    """One limit held against the facts: crossed or not, None where that is not known now.

    `words` say what is seen. `repeats`: worth telling again while it lasts.
    """

    kind: AlarmKind
    crossed: bool | None
    words: str
    repeats: bool = True


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """What is remembered of one kind.

    `since`: when it was first found crossed, None while it is not. `told`: whether this crossing
    was told of. `told_at`: when this kind, crossed, was told of last.
    """

    since: datetime | None = None
    told: bool = False
    told_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Alert:
    """One message to somebody; times are aware UTC."""

    kind: AlarmKind
    event: AlertEvent
    message: str
    since: datetime
    at: datetime


Memory = Mapping[AlarmKind, Alarm]


def watchpoints(facts: Facts, limits: AlertsConfig) -> tuple[Watchpoint, ...]:
    """Every limit that is set, held against the facts."""
    return tuple(_watchpoints(facts, limits))


def judged(
    memory: Memory, found: tuple[Watchpoint, ...], now: datetime, every_seconds: float
) -> tuple[Memory, tuple[Alert, ...]]:
    """What is to be remembered, and what is to be told now.

    Args:
        memory: of the look before; kinds that are watched no more are forgotten.
        found: of this look.
        now: aware UTC.
        every_seconds: at least so much lies between two tellings that one kind is crossed.
    """
    kept: dict[AlarmKind, Alarm] = {}
    alerts: list[Alert] = []
    for point in found:
        alarm, event = _step(memory.get(point.kind, Alarm()), point, now, every_seconds)
        kept[point.kind] = alarm
        if event is not None:
            since = memory.get(point.kind, alarm).since or now
            alerts.append(
                Alert(kind=point.kind, event=event, message=point.words, since=since, at=now)
            )
    return kept, tuple(alerts)


def _step(
    alarm: Alarm, point: Watchpoint, now: datetime, every_seconds: float
) -> tuple[Alarm, AlertEvent | None]:
    if point.crossed is None:
        return alarm, None
    if not point.crossed:
        event = AlertEvent.CLEARED if alarm.told else None
        return replace(alarm, since=None, told=False), event
    # A clock that was set back would else silence it until it has caught up.
    told_at = None if alarm.told_at is None else min(alarm.told_at, now)
    alarm = replace(alarm, since=alarm.since or now, told_at=told_at)
    if told_at is not None and now - told_at < timedelta(seconds=every_seconds):
        return alarm, None
    if alarm.told and not point.repeats:
        return alarm, None
    event = AlertEvent.LASTS if alarm.told else AlertEvent.RAISED
    return replace(alarm, told=True, told_at=now), event


def _watchpoints(facts: Facts, limits: AlertsConfig) -> Iterator[Watchpoint]:
    if limits.no_file_seconds is not None:
        yield _no_file(facts, limits.no_file_seconds)
    if limits.failures_per_hour is not None:
        yield _failures(facts, limits.failures_per_hour)
    if limits.free_fraction_below is not None:
        yield _disk(facts, limits.free_fraction_below)
    if limits.fault_fraction_above is not None:
        yield _faults(facts, limits.fault_fraction_above)
    if limits.fields_without_observable is not None:
        yield _no_observable(facts, limits.fields_without_observable)


def _no_file(facts: Facts, limit_seconds: float) -> Watchpoint:
    """Not known until a file has come, or the look-out has lasted as long as the limit."""
    seconds = facts.seconds_without_file
    crossed = None if seconds is None else seconds >= limit_seconds
    if crossed is False and not facts.has_seen_file:
        crossed = None
    words = "a new file has come"
    if crossed:
        words = f"no new file for {duration(seconds or 0.0)}, {_during(facts)}"
    return Watchpoint(
        kind=AlarmKind.NO_FILE,
        crossed=crossed,
        words=words,
        repeats=facts.session is not None,
    )


def _failures(facts: Facts, limit: int) -> Watchpoint:
    number = facts.failures
    return Watchpoint(
        kind=AlarmKind.FAILURES,
        crossed=None if number is None else number >= limit,
        words=f"{number} file{'' if number == 1 else 's'} could not be analysed within the hour",
    )


def _disk(facts: Facts, limit: float) -> Watchpoint:
    free = facts.free
    return Watchpoint(
        kind=AlarmKind.DISK,
        crossed=None if free is None else free < limit,
        words="" if free is None else f"{free:.1%} of the disk of the state folder is free",
    )


def _faults(facts: Facts, limit: float) -> Watchpoint:
    """Where there is no session, or no interval, nothing is claimed of its lower end."""
    share = facts.faults
    kind = AlarmKind.FAULT_FRACTION
    if facts.session is None:
        return Watchpoint(kind=kind, crossed=False, words="no session is open any more")
    if share is None:
        return Watchpoint(kind=kind, crossed=None, words="")
    if share.value is None or share.low is None:
        words = f"too few fields of view for an interval, {_during(facts)}"
        return Watchpoint(kind=kind, crossed=False, words=words)
    words = (
        f"visible stacking faults in {share.value:.0%} of {share.observable} observable particles, "
        f"the lower end of the interval is {share.low:.0%}, {_during(facts)}"
    )
    return Watchpoint(kind=kind, crossed=share.low > limit, words=words)


def _no_observable(facts: Facts, limit: int) -> Watchpoint:
    kind, fields = AlarmKind.NO_OBSERVABLE, facts.fields
    if fields is None:
        return Watchpoint(kind=kind, crossed=None, words="")
    looked_at = fields[:limit]
    classified = sum(field.classified for field in looked_at)
    observable = sum(field.observable for field in looked_at)
    words = (
        f"{observable or 'none'} of the {classified} particles in the last {len(looked_at)} fields "
        f"of view with particles {'is' if observable < 2 else 'are'} observable (classed as "
        f"showing a lattice well enough to tell a stacking fault), {_during(facts)}"
    )
    return Watchpoint(
        kind=kind,
        crossed=len(looked_at) == limit and observable == 0,
        words=words,
        repeats=facts.session is not None,
    )


def _during(facts: Facts) -> str:
    if facts.session is None:
        return "no session is open"
    return f"session {shortened(facts.session, SESSION_CELLS)}"
