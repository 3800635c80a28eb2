"""How an attempt ended becomes the state of the file, in one transaction."""

import logging
import os
from collections.abc import Sequence
from datetime import timedelta

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from daemon.errors import DaemonCode
from daemon.ladder import Step
from daemon.outcomes import FileJob, Outcome, OutcomeKind
from daemon.verdicts import Verdict, Verdicts
from schema import ledger, sightings, standing
from schema.engine import is_passing
from schema.records import ArrivalRecord, FileState, ResultRecord
from schema.standing import LedgerEntry
from tests.daemon.moments import NOW
from tests.daemon.results import result_of
from tests.schema.examples import particle

RUNGS = (10.0, 30.0)
GOOD = (result_of("1" * 64), result_of("2" * 64))


class Bench:
    """Files that are begun, and what is decided about them."""

    def __init__(self, owner: Engine, once: bool = False) -> None:
        self.owner = owner
        self.verdicts = Verdicts(owner, once, RUNGS)
        self.now = NOW

    def begun(self, name: bytes = b"a.dm4") -> FileJob:
        path = b"/data/" + name
        arrival = ArrivalRecord(path=path, root=b"/data", size_bytes=1, mtime_ns=1, inode=1)
        with self.owner.begin() as connection:
            (sighting,) = sightings.observe(connection, [arrival], None, NOW)
            if sighting.state is FileState.SEEN:
                ledger.ready(connection, sighting.source_file_id, arrival, NOW)
            ledger.begin(connection, sighting.source_file_id, "boot", 1, NOW)
        return FileJob(
            source_file_id=sighting.source_file_id, arrival=arrival, pixel_size_nm=None, force=False
        )

    def settle(
        self, job: FileJob, kind: OutcomeKind, results: Sequence[ResultRecord] = ()
    ) -> Verdict:
        message = "So it is." if kind is not OutcomeKind.DONE else ""
        outcome = Outcome(
            job=job,
            kind=kind,
            code="" if kind is OutcomeKind.DONE else "a_code",
            message=message,
            file_sha256="a" * 64,
            content_sha256="c" * 64,
            results=tuple(results),
        )
        return self.verdicts.settle(outcome, self.now)

    def entry(self, job: FileJob) -> LedgerEntry:
        with self.owner.begin() as connection:
            return standing.entry(connection, job.source_file_id)

    def rows(self, table: str) -> int:
        with self.owner.begin() as connection:
            return connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one()

    def again(self, job: FileJob) -> None:
        with self.owner.begin() as connection:
            ledger.begin(connection, job.source_file_id, "boot", 1, self.now)


@pytest.fixture
def bench(owner: Engine) -> Bench:
    return Bench(owner)


@pytest.fixture
def once(owner: Engine) -> Bench:
    return Bench(owner, once=True)


def test_done_is_rows_and_state_together(bench):
    job = bench.begun()
    verdict = bench.settle(job, OutcomeKind.DONE, GOOD[:1])
    found = bench.entry(job)
    assert verdict.step is Step.COMMIT
    assert len(verdict.analysis_ids) == 1
    assert (found.state, found.file_sha256) == (FileState.DONE, "a" * 64)
    assert found.content_sha256 == "c" * 64
    assert bench.rows("analysis") == 1


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (OutcomeKind.REFUSED, FileState.REFUSED),
        (OutcomeKind.UNREADABLE, FileState.RETRY),
        (OutcomeKind.IO_FAILED, FileState.RETRY),
        (OutcomeKind.BUG, FileState.RETRY),
        (OutcomeKind.CHANGED, FileState.RETRY),
    ],
)
def test_a_failure_is_in_the_ledger_with_code_and_sentence(bench, kind, expected):
    job = bench.begun()
    bench.settle(job, kind)
    found = bench.entry(job)
    assert found.state is expected
    assert (found.error_code, found.error_message) == ("a_code", "So it is.")


@pytest.mark.parametrize("kind", [OutcomeKind.ABANDONED, OutcomeKind.CHILD_DIED])
def test_an_attempt_that_was_cut_short_makes_the_file_ready_again(bench, kind):
    job = bench.begun()
    assert bench.settle(job, kind).step is Step.AGAIN
    found = bench.entry(job)
    assert (found.state, found.attempts) == (FileState.READY, 0)


def test_abandoned_attempts_are_never_counted(bench):
    job = bench.begun()
    for _ in range(5):
        bench.settle(job, OutcomeKind.ABANDONED)
        bench.again(job)
    assert (bench.entry(job).attempts, bench.entry(job).child_deaths) == (0, 0)


def test_an_unreadable_file_climbs_the_ladder_and_is_quarantined(bench):
    job = bench.begun()
    for wait in RUNGS:
        bench.settle(job, OutcomeKind.UNREADABLE)
        assert bench.entry(job).next_attempt_at_utc == bench.now + timedelta(seconds=wait)
        bench.again(job)
    assert bench.settle(job, OutcomeKind.UNREADABLE).step is Step.QUARANTINE
    found = bench.entry(job)
    assert (found.state, found.next_attempt_at_utc) == (FileState.QUARANTINED, None)


def test_three_deaths_of_a_child_are_poison(bench):
    job = bench.begun()
    for deaths in (1, 2):
        bench.settle(job, OutcomeKind.CHILD_DIED)
        assert bench.entry(job).child_deaths == deaths
        bench.again(job)
    bench.settle(job, OutcomeKind.CHILD_DIED)
    found = bench.entry(job)
    assert (found.state, found.error_code) == (FileState.QUARANTINED, "a_code")


@pytest.mark.parametrize("kind", [OutcomeKind.UNREADABLE, OutcomeKind.BUG])
def test_once_quarantines_what_cannot_be_read_at_once(once, kind):
    job = once.begun()
    verdict = once.settle(job, kind)
    assert once.entry(job).state is FileState.QUARANTINED
    assert not verdict.given_up


def test_once_gives_a_file_that_cannot_be_opened_up_after_three_tries(once):
    job = once.begun()
    for _ in range(2):
        assert not once.settle(job, OutcomeKind.IO_FAILED).given_up
        assert once.entry(job).next_attempt_at_utc == NOW + timedelta(seconds=10)
        once.again(job)
    assert once.settle(job, OutcomeKind.IO_FAILED).given_up
    found = once.entry(job)
    assert found.state is FileState.RETRY
    assert found.next_attempt_at_utc == NOW + timedelta(hours=1)


def broken_result() -> ResultRecord:
    """A result no column can hold."""
    return result_of("3" * 64, particles=(particle(feret_max_px=float("nan")),))


def test_a_result_that_cannot_be_stored_leaves_no_row_and_the_file_is_tried_again(bench, caplog):
    job = bench.begun()
    verdict = bench.settle(job, OutcomeKind.DONE, [*GOOD, broken_result()])
    found = bench.entry(job)
    assert verdict.step is Step.RETRY
    assert (found.state, found.error_code) == (FileState.RETRY, DaemonCode.INTERNAL_ERROR)
    assert bench.rows("analysis") == bench.rows("image") == 0
    assert "could not be stored" in caplog.text


def test_a_result_that_is_no_result_is_a_bug_and_not_the_end(bench):
    job = bench.begun()
    bench.settle(job, OutcomeKind.DONE, [])
    assert bench.entry(job).error_code == DaemonCode.INTERNAL_ERROR


def test_a_disk_that_is_full_when_the_rows_are_written_loses_nothing(bench):
    with bench.owner.begin() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 5}")
    job = bench.begun()
    many = [result_of(f"{number:064d}") for number in range(300)]
    with pytest.raises(OperationalError) as error:
        bench.settle(job, OutcomeKind.DONE, many)
    assert is_passing(error.value)
    assert (bench.entry(job).state, bench.entry(job).attempts) == (FileState.PROCESSING, 0)
    assert bench.rows("analysis") == 0
    with bench.owner.begin() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1000000")
    bench.settle(job, OutcomeKind.DONE, many)
    assert bench.entry(job).state is FileState.DONE
    assert bench.rows("analysis") == 300


def test_the_same_result_twice_is_one_row(bench):
    for name in (b"a.dm4", b"copy.dm4"):
        bench.settle(bench.begun(name), OutcomeKind.DONE, GOOD[:1])
    assert bench.rows("analysis") == 1
    assert bench.rows("image") == 2


def test_a_sentence_that_quotes_a_name_that_is_no_text_is_stored(bench):
    job = bench.begun(b"\xff\n.dm4")
    name = os.fsdecode(b"\xff\n.dm4")
    outcome = Outcome(
        job=job, kind=OutcomeKind.REFUSED, code="a_code", message=f"In {name} lies no image."
    )
    bench.verdicts.settle(outcome, NOW)
    assert bench.entry(job).error_message == r"In \xff\x0a.dm4 lies no image."


def test_the_ledger_adds_up_whatever_the_outcome(bench):
    for number, kind in enumerate(OutcomeKind):
        results = GOOD if kind is OutcomeKind.DONE else ()
        bench.settle(bench.begun(f"{number}.dm4".encode()), kind, results)
    with bench.owner.begin() as connection:
        counts = standing.counts(connection)
    assert counts.adds_up()
    assert counts.seen == len(OutcomeKind)


@pytest.mark.parametrize(
    ("kind", "level", "words"),
    [
        (OutcomeKind.DONE, logging.INFO, "analysed a.dm4: 0 regions"),
        (OutcomeKind.REFUSED, logging.INFO, "refused a.dm4: So it is."),
        (OutcomeKind.UNREADABLE, logging.WARNING, "will try again a.dm4: So it is."),
        (OutcomeKind.CHILD_DIED, logging.WARNING, "a.dm4: So it is. It is tried again."),
    ],
)
def test_the_log_says_what_became_of_the_file(bench, caplog, kind, level, words):
    caplog.set_level(logging.INFO, "daemon.verdicts")
    job = bench.begun()
    bench.settle(job, kind, GOOD[:1] if kind is OutcomeKind.DONE else ())
    (record,) = [r for r in caplog.records if r.name == "daemon.verdicts"]
    assert record.levelno == level
    assert words in record.getMessage()
    assert record.source_file_id == job.source_file_id
