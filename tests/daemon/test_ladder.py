"""What follows from one attempt, as a table."""

import pytest

from daemon.ladder import Decision, Step, decide
from daemon.outcomes import OutcomeKind

RUNGS = (10.0, 30.0, 120.0)


def step(kind: OutcomeKind, *, failed: int = 0, deaths: int = 0, once: bool = False) -> Decision:
    return decide(kind, failed_attempts=failed, child_deaths=deaths, once=once, retry_seconds=RUNGS)


@pytest.mark.parametrize("once", [False, True])
@pytest.mark.parametrize("failed", [0, 99])
@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (OutcomeKind.DONE, Step.COMMIT),
        (OutcomeKind.REFUSED, Step.REFUSE),
        (OutcomeKind.ABANDONED, Step.AGAIN),
    ],
)
def test_a_verdict_needs_no_history(kind, expected, failed, once):
    assert step(kind, failed=failed, once=once) == Decision(step=expected)


@pytest.mark.parametrize("kind", [OutcomeKind.UNREADABLE, OutcomeKind.BUG])
def test_what_cannot_be_read_climbs_every_rung_and_is_quarantined(kind):
    climbed = [step(kind, failed=failed) for failed in range(5)]
    assert [decision.wait_seconds for decision in climbed[:3]] == list(RUNGS)
    assert [decision.step for decision in climbed] == [
        *[Step.RETRY] * 3,
        *[Step.QUARANTINE] * 2,
    ]


@pytest.mark.parametrize("kind", [OutcomeKind.IO_FAILED, OutcomeKind.CHANGED, OutcomeKind.SUSPECT])
def test_what_may_still_come_right_is_tried_for_as_long_as_it_is_there(kind):
    climbed = [step(kind, failed=failed) for failed in (0, 1, 2, 3, 99)]
    assert {decision.step for decision in climbed} == {Step.RETRY}
    assert [decision.wait_seconds for decision in climbed] == [*RUNGS, RUNGS[-1], RUNGS[-1]]


@pytest.mark.parametrize(
    "kind", [OutcomeKind.NO_ROOM, OutcomeKind.NO_WORKER, OutcomeKind.BAD_MODEL]
)
@pytest.mark.parametrize("failed", [0, 99])
def test_a_file_is_not_blamed_for_what_would_happen_to_any_file(kind, failed):
    assert step(kind, failed=failed) == Decision(step=Step.AGAIN)


@pytest.mark.parametrize("once", [False, True])
def test_a_file_is_poison_after_three_deaths(once):
    steps = [step(OutcomeKind.CHILD_DIED, deaths=deaths, once=once).step for deaths in (1, 2, 3)]
    assert steps == [Step.AGAIN, Step.AGAIN, Step.QUARANTINE]


@pytest.mark.parametrize("kind", [OutcomeKind.UNREADABLE, OutcomeKind.BUG])
def test_once_quarantines_the_unreadable_at_once(kind):
    assert step(kind, once=True).step is Step.QUARANTINE


@pytest.mark.parametrize(
    "kind", [OutcomeKind.IO_FAILED, OutcomeKind.CHANGED, OutcomeKind.NO_ROOM, OutcomeKind.NO_WORKER]
)
@pytest.mark.parametrize("failed", [0, 1, 2])
def test_once_tries_a_file_that_cannot_be_opened_again_soon(kind, failed):
    assert step(kind, failed=failed, once=True) == Decision(step=Step.RETRY, wait_seconds=10.0)


def test_every_outcome_has_a_step():
    for kind in OutcomeKind:
        assert isinstance(step(kind, deaths=1).step, Step)
