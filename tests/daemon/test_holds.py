"""Nothing is begun while every file would end alike."""

from pathlib import Path

import pytest

from daemon.errors import ConfigError, DaemonError, Exit
from daemon.holds import HOLD_SECONDS, STARTS_ALLOWED, Holds
from daemon.outcomes import FileJob, Outcome, OutcomeKind
from daemon.walk import single


@pytest.fixture
def job(tmp_path: Path) -> FileJob:
    path = tmp_path / "a.dm4"
    path.touch()
    arrival = single(bytes(path))
    return FileJob(source_file_id=1, arrival=arrival, pixel_size_nm=None, force=False)


@pytest.fixture
def ended(job: FileJob):
    return lambda kind: Outcome(job=job, kind=kind, message="so it is")


def test_nothing_holds_at_the_start():
    assert not Holds(0.05).blocks(0.0)
    assert Holds(0.05).warnings() == ()


def test_a_disk_that_fills_holds_until_there_is_room():
    holds = Holds(0.05)
    holds.looked(0.049)
    assert holds.blocks(1e9)
    assert "4.9% of the disk" in holds.warnings()[0]
    holds.looked(0.05)
    assert not holds.blocks(0.0)
    assert holds.warnings() == ()


@pytest.mark.parametrize("kind", [OutcomeKind.NO_ROOM, OutcomeKind.NO_WORKER])
def test_what_is_no_fault_of_a_file_holds_all_for_a_while_and_is_told(ended, kind):
    holds = Holds(0.05)
    holds.ended(ended(kind), 100.0)
    assert holds.blocks(100.0 + HOLD_SECONDS - 0.1)
    assert not holds.blocks(100.0 + HOLD_SECONDS)
    assert "so it is" in holds.warnings()[0]
    holds.ended(ended(OutcomeKind.UNREADABLE), 120.0)
    assert holds.warnings()
    holds.ended(ended(OutcomeKind.DONE), 130.0)
    assert holds.warnings() == ()


def test_a_process_that_never_comes_up_ends_the_daemon(ended):
    holds = Holds(0.05)
    for _ in range(STARTS_ALLOWED - 1):
        holds.ended(ended(OutcomeKind.NO_WORKER), 0.0)
    holds.ended(ended(OutcomeKind.DONE), 0.0)
    for _ in range(STARTS_ALLOWED - 1):
        holds.ended(ended(OutcomeKind.NO_WORKER), 0.0)
    with pytest.raises(DaemonError, match="did not come up"):
        holds.ended(ended(OutcomeKind.NO_WORKER), 0.0)


def test_a_damaged_model_needs_a_person(ended):
    with pytest.raises(ConfigError, match="so it is") as error:
        Holds(0.05).ended(ended(OutcomeKind.BAD_MODEL), 0.0)
    assert error.value.exit_code is Exit.NEEDS_A_PERSON
