"""The rows of RELIABILITY's table at the sizes it names."""

from tests.acceptance.faults import faults_at_every_call
from tests.acceptance.held_database import database_held
from tests.acceptance.killing import killed_in_recovery, killed_while_files_arrive
from tests.acceptance.migration import migration_killed_at_calls, migration_killed_at_random
from tests.acceptance.power_loss import power_lost
from tests.soak.row import Row, tested

PLACE = "tests/acceptance"


def rows(hours: float) -> tuple[Row, ...]:
    """All of them, in their order; row 6 takes so many hours."""
    del hours
    return (
        Row(
            number="1",
            marks="N",
            test="kill -9 at random while files arrive",
            size="200 kills, 500 files",
            run=lambda folder: killed_while_files_arrive(folder, kills=200, files=500),
        ),
        Row(
            number="1m",
            marks="N",
            test="the same with the shipped model",
            size="20 kills, 20 files",
            run=lambda folder: killed_while_files_arrive(
                folder, kills=20, files=20, program="daemon"
            ),
        ),
        Row(
            number="2",
            marks="CI",
            test="SIGKILL, EIO, ENOSPC at the k-th call, once and for good",
            size="7 calls, 5 faults, k = 1 to 6 and on in steps until a run is not hit",
            run=lambda folder: faults_at_every_call(folder, dense=6),
        ),
        Row(
            number="3",
            marks="N",
            test="kill -9 during the recovery from one",
            size="50 pairs of kills",
            run=lambda folder: killed_in_recovery(folder, kills=50),
        ),
        Row(
            number="4",
            marks="N",
            test="power loss: what was not synced is gone",
            size="1,000 losses, 50 restarts",
            run=lambda folder: power_lost(folder, losses=1000, restarts=50, files=8),
        ),
        Row(
            number="7",
            marks="CI",
            test="more events than the kernel keeps",
            size="30,000 files",
            run=tested(f"{PLACE}/test_rush.py"),
        ),
        Row(
            number="18",
            marks="N",
            test="the database is locked by a writer, then pinned by a reader",
            size="30 s, 5 min, 2 files/s",
            run=lambda folder: database_held(
                folder,
                locked_seconds=30.0,
                pinned_seconds=300.0,
                alarm_bytes=8_000_000,
                files_per_s=2.0,
            ),
        ),
        Row(
            number="24",
            marks="CI",
            test="migration killed at random",
            size="100 kills of each released schema",
            run=lambda folder: migration_killed_at_random(folder, kills=100),
        ),
        Row(
            number="24c",
            marks="N",
            test="migration killed at the k-th call",
            size="6 calls, until a run is not hit",
            run=migration_killed_at_calls,
        ),
    )
