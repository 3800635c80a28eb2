"""Row 20: the clock jumps by days, files bear the times of other days, and summer time ends.

The daemon reads its wall clock through `bare`, which adds what stands in a file: the kernel's own
clock stays as it is, so that the two disagree, as they do between a camera's computer and ours.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.acceptance.bare import CLOCK_FILE
from tests.acceptance.conftest import Bench, bench_in
from tests.acceptance.killing import BARE
from tests.acceptance.row_writers import assert_same, results
from tests.acceptance.small import write_disc

DAY = timedelta(days=1)
RETRY = "[1.0, 1.0]"
UNWRITTEN = 0.8  # of a file whose end never comes
BERLIN = "Europe/Berlin"
PATIENCE_SECONDS = 90.0  # a wait that depends on the clock takes a day


@dataclass(frozen=True)
class Jump:
    """The clock as the daemon reads it once it has seen the files, and before they have settled.

    `ahead`: of the kernel's clock, at that moment.
    """

    name: str
    ahead: Callable[[datetime], timedelta]


def _just_before(moment: datetime) -> Callable[[datetime], timedelta]:
    return lambda now: moment - timedelta(seconds=1) - now


JUMPS = (
    Jump("a day on", lambda _: DAY),
    Jump("two days back", lambda _: -DAY),
    Jump("summer time ends", _just_before(datetime(2026, 10, 25, 1, tzinfo=UTC))),
    Jump("summer time begins", _just_before(datetime(2027, 3, 28, 1, tzinfo=UTC))),
    Jump("right again", lambda _: timedelta()),
)
MOMENTS: dict[str, float | None] = {"now": None, "1970": 0.0, "tomorrow": 86_400.0}
"""Times of files: None is left as written; the last is added to the present."""


def clock_jumps(folder: Path, *, jumps: int = len(JUMPS)) -> str:
    """Row 20 of the acceptance tests; the sentence tells the longest wait.

    Args:
        folder: to work in.
        jumps: how many of them.
    """
    with _session(folder / "jumping") as (bench, clock):
        longest = max(_waited(bench, clock, number) for number in range(jumps))
    with _session(folder / "steady") as (steady, _):
        names = {_write_unfinished(steady, number) for number in range(jumps)}
        names = names.union(*(_write(steady, number) for number in range(jumps)))
        steady.until(lambda: _are_done(steady, names), PATIENCE_SECONDS)
    found = results(bench.state)
    assert_same(found, results(steady.state))
    return (
        f"{jumps} jumps, {len(names)} files, {len(found)} rows as with a steady clock; the longest "
        f"wait of files of which one stays unfinished {longest:.1f} s"
    )


@contextmanager
def _session(folder: Path) -> Iterator[tuple[Bench, Path]]:
    """A daemon in Berlin and the file that says how far ahead its clock is."""
    with bench_in(folder, BARE) as bench:
        bench.configure(retry=RETRY)
        clock = folder / "ahead"
        clock.write_text("0")
        process = bench.start("--plain", **{CLOCK_FILE: os.fspath(clock), "TZ": BERLIN})
        bench.until(lambda: "watching" in bench.log.read_text())
        yield bench, clock
        bench.stop(process)
        assert process.returncode == 0
        bench.assert_clean()


def _waited(bench: Bench, clock: Path, number: int) -> float:
    """Seconds until the files of one jump were done."""
    unfinished = _write_unfinished(bench, number)
    bench.until(lambda: bench.states().get(unfinished) == "retry", PATIENCE_SECONDS)
    names = _write(bench, number) | {unfinished}
    bench.until(lambda: names <= bench.states().keys(), PATIENCE_SECONDS)
    _replace(clock, f"{JUMPS[number].ahead(datetime.now(UTC)).total_seconds()}")
    began = time.monotonic()
    bench.until(lambda: _are_done(bench, names), PATIENCE_SECONDS)
    return time.monotonic() - began


def _write(bench: Bench, number: int) -> set[str]:
    """Whole files that bear several times."""
    names = set()
    for index, (moment, seconds) in enumerate(MOMENTS.items()):
        path = write_disc(bench.folder / f"{number}-{moment}.tif", 10 * number + index)
        if seconds is not None:
            at = seconds if moment == "1970" else time.time() + seconds
            os.utime(path, (at, at))
        names.add(path.name)
    return names


def _write_unfinished(bench: Bench, number: int) -> str:
    """A file whose end never comes: it is tried a few times, and then taken as it is."""
    path = write_disc(bench.folder / f"{number}-unfinished.tif", 10 * number + len(MOMENTS))
    content = path.read_bytes()
    written = round(UNWRITTEN * len(content))
    path.write_bytes(content[:written] + bytes(len(content) - written))
    return path.name


def _are_done(bench: Bench, names: set[str]) -> bool:
    states = bench.states()
    return all(states.get(name) == "done" for name in names)


def _replace(path: Path, text: str) -> None:
    """Never read half-written."""
    unfinished = path.with_suffix(".new")
    unfinished.write_text(text)
    unfinished.replace(path)
