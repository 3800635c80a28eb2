"""`python -m tests.soak`: the acceptance table at its full size, row after row.

Goes on after the last row that was finished with this state of the code. A row that fails is
reported and does not stop the others; the exit code is 1 then.
"""

import argparse
import functools
import logging
import shutil
import signal
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.soak.notebook import REPOSITORY, Notebook, table, tree_state
from tests.soak.row import Result, Row, result_of
from tests.soak.rows import rows

DEFAULT_FOLDER = REPOSITORY / "scratch" / "soak"
LONG_ROW_HOURS = 24.0
FUZZ_HOURS = 1.0

say = functools.partial(print, flush=True)  # it talks to whoever waits for it


def soak(chosen: Iterable[Row], folder: Path, notebook: Notebook, tree: str) -> list[Result]:
    """Run what the notebook has not got yet; the results of all, in their order."""
    finished = notebook.results()
    ended: list[Result] = []
    for row in chosen:
        result = finished.get(row.number)
        if result is None:
            place = folder / f"row_{row.number}"
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir(parents=True)
            result = result_of(row, place, tree)
            notebook.add(result)
            if result.passed:  # else somebody will want to look at what it left
                shutil.rmtree(place, ignore_errors=True)
        say(result.line)
        ended.append(result)
    return ended


def main(words: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--rows", help="numbers of the rows to run, as in 1,5,10; default: all")
    parser.add_argument("--hours", type=float, default=LONG_ROW_HOURS, help="length of row 6")
    parser.add_argument(
        "--fuzz-hours", type=float, default=FUZZ_HOURS, help="row 13: of each reader"
    )
    parser.add_argument("--folder", type=Path, default=DEFAULT_FOLDER, help="a local disk")
    parser.add_argument("--again", action="store_true", help="begin with the first row again")
    chosen = parser.parse_args(words)
    known = {row.number: row for row in rows(chosen.hours, chosen.fuzz_hours)}
    numbers = chosen.rows.split(",") if chosen.rows else list(known)
    if unknown := [number for number in numbers if number not in known]:
        parser.error(f"no row {unknown[0]}; there are {', '.join(known)}")
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # files are cut short on purpose
    # So that a soak that is ended ends its daemons as well.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    chosen.folder.mkdir(parents=True, exist_ok=True)
    tree = tree_state()
    notebook = Notebook(chosen.folder / "results.jsonl", tree)
    if chosen.again:
        notebook.begin_again()
    ended = soak([known[number] for number in numbers], chosen.folder, notebook, tree)
    say(f"\n{table(ended)}")
    return 0 if all(result.passed for result in ended) else 1


if __name__ == "__main__":
    sys.exit(main())
