"""The rows of RELIABILITY's table at the sizes it names."""

from tests.acceptance.killing import killed_in_recovery, killed_while_files_arrive
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
            number="3",
            marks="N",
            test="kill -9 during the recovery from one",
            size="50 pairs of kills",
            run=lambda folder: killed_in_recovery(folder, kills=50),
        ),
        Row(
            number="7",
            marks="CI",
            test="more events than the kernel keeps",
            size="30,000 files",
            run=tested(f"{PLACE}/test_rush.py"),
        ),
    )
