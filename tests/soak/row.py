"""One row of the acceptance table, and what became of it."""

import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

LAST_WORDS = 400  # characters of a failure: the whole of it lies in the log


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row of RELIABILITY's table at its full size.

    `marks`: `CI` for those of each commit, `N` for the nightly ones. `run`: works in an empty
    folder, gives a sentence of figures, and raises AssertionError where the row fails.
    """

    number: str
    marks: str
    test: str
    size: str
    run: Callable[[Path], str]


@dataclass(frozen=True, kw_only=True)
class Result:
    """The end of one row; `tree` is the state of the code that it speaks of."""

    number: str
    test: str
    size: str
    passed: bool
    sentence: str
    seconds: float
    tree: str

    @property
    def line(self) -> str:
        """For people who wait."""
        word = "passed" if self.passed else "FAILED"
        what = f"row {self.number:>2}  {word}  {self.test} ({self.size})"
        return f"{what}: {self.sentence}  [{self.seconds:.0f} s]"


def result_of(row: Row, folder: Path, tree: str) -> Result:
    """Run it; whatever it raises is its result and nobody else's."""
    began = time.monotonic()
    try:
        passed, sentence = True, row.run(folder)
    except Exception as error:  # noqa: BLE001 - a failed row must not stop the others
        first = " ".join(str(error).split())
        passed, sentence = False, f"{type(error).__name__}: {first[:LAST_WORDS]}"
    return Result(
        number=row.number,
        test=row.test,
        size=row.size,
        passed=passed,
        sentence=sentence,
        seconds=time.monotonic() - began,
        tree=tree,
    )


def tested(*nodes: str) -> Callable[[Path], str]:
    """The run of a row whose full size is already in the tests of each commit.

    Args:
        nodes: names of tests, as pytest takes them.
    """

    def run(folder: Path) -> str:
        command = [sys.executable, "-m", "pytest", "-q", f"--basetemp={folder / 'pytest'}", *nodes]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        last = ended.stdout.strip().splitlines()[-1:]
        said = last[0].strip("= ") if last else ended.stderr[-LAST_WORDS:]
        assert ended.returncode == 0, f"{said}\n{ended.stdout[-4000:]}"
        assert "skipped" not in said, said  # what did not run has not passed
        return said

    return run
