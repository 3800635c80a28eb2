"""`python -m tests.acceptance.bare`: the stub without a forest, for what starts hundreds of times.

Every mechanism is the real one; particles have no class, since scikit-learn takes seconds to load.
A spawned child imports this module first: what is heavy is imported where it is needed.
"""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

CLOCK_FILE = "FRINGEWATCH_TEST_CLOCK"
"""Names a file with the seconds by which the daemon's wall clock is ahead."""


def worker_main(*arguments: Any) -> None:
    """The worker of the stub, its forest left out."""
    from analysis import bundle
    from tests.acceptance import stub

    bundle._forest = lambda *_: None  # type: ignore[assignment]
    stub.worker_main(*arguments)


def _take_clock_from(path: Path) -> None:
    from daemon import clock

    def utc() -> datetime:
        return datetime.now(UTC) + timedelta(seconds=float(path.read_text()))

    clock.SYSTEM_CLOCK = clock.Clock(utc=utc, monotonic=clock.SYSTEM_CLOCK.monotonic)


def main() -> None:
    """The command.

    Its alarm for a log that grows can be set lower than a test has time for, and its clock jumps.
    """
    if wanted := os.environ.get(CLOCK_FILE):
        _take_clock_from(Path(wanted))
    from daemon import assembly, cli, owning

    if wanted := os.environ.get("FRINGEWATCH_TEST_LOG_BYTES"):
        owning.LARGEST_LOG_BYTES = int(wanted)
    assembly.worker_main = worker_main  # type: ignore[attr-defined]
    cli.main()


if __name__ == "__main__":
    from tests.acceptance import bare  # by its name, as the spawned child will import it

    bare.main()
