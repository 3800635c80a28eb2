from datetime import timedelta

import pytest

from schema import ledger, sightings, standing
from schema.errors import LedgerError
from schema.ledger import ByHand
from schema.records import FileState
from tests.schema.examples import NOW, arrival, done, result, see

SOON = NOW + timedelta(seconds=10)


def state_of(connection, file_id) -> FileState:
    return standing.entry(connection, file_id).state


def processing(connection, name="a.dm4") -> int:
    (file_id,) = see(connection, arrival(name))
    ledger.begin(connection, file_id, "boot", 42, NOW)
    return file_id


def test_a_file_goes_from_sight_to_ready_as_it_was_found_last(connection):
    (sighting,) = sightings.observe(connection, [arrival(size_bytes=10)], None, NOW)
    file_id = sighting.source_file_id
    assert sighting.state is FileState.SEEN
    ledger.settle(connection, [file_id])
    assert state_of(connection, file_id) is FileState.SETTLING
    ledger.ready(connection, file_id, arrival(size_bytes=90), SOON)
    found = standing.entry(connection, file_id)
    assert (found.state, found.size_bytes) == (FileState.READY, 90)


def test_settling_does_not_take_a_file_back(connection):
    (file_id,) = see(connection, arrival())
    ledger.settle(connection, [file_id])
    assert state_of(connection, file_id) is FileState.READY


def test_two_workers_do_not_get_the_same_file(connection):
    file_id = processing(connection)
    with pytest.raises(LedgerError, match="processing"):
        ledger.begin(connection, file_id, "boot", 43, NOW)
    assert standing.next_ready(connection, NOW, 10) == ()


def test_the_file_seen_first_is_next_and_a_request_comes_before_it(connection):
    first, second, asked = see(connection, arrival("1"), arrival("2"), arrival("3"))
    ledger.reopen(connection, [asked], now=NOW, by_hand=ByHand(priority=1, forced=True))
    entries = standing.next_ready(connection, NOW, 10)
    assert [found.source_file_id for found in entries] == [asked, first, second]
    assert [found.forced for found in entries] == [True, False, False]


def test_a_file_that_has_gone_is_not_next(connection):
    see(connection, arrival("here"), arrival("gone"))
    assert ledger.mark_absent(connection, b"/data", {b"/data/here"}) == 1
    assert [found.path for found in standing.next_ready(connection, NOW, 10)] == [b"/data/here"]
    assert standing.unfinished(connection) == 1
    sightings.observe(connection, [arrival("gone")], None, NOW)
    assert len(standing.next_ready(connection, NOW, 10)) == 2


def test_a_failed_reading_waits_for_its_time(connection):
    file_id = processing(connection)
    ledger.retry_later(connection, file_id, "truncated", "The file ends early.", SOON, NOW)
    assert standing.next_ready(connection, NOW, 10) == ()
    (due,) = standing.next_ready(connection, SOON, 10)
    assert (due.attempts, due.error_code) == (1, "truncated")
    ledger.begin(connection, file_id, "boot", 42, SOON)
    assert standing.entry(connection, file_id).next_attempt_at_utc is None


@pytest.mark.parametrize("verb", [ledger.refuse, ledger.quarantine])
def test_a_verdict_is_final_for_every_verb_but_reopen(connection, verb):
    file_id = processing(connection)
    verb(connection, file_id, "spectrum", "The file holds a spectrum.", NOW)
    with pytest.raises(LedgerError):
        verb(connection, file_id, "other", "Other.", NOW)
    with pytest.raises(LedgerError):
        ledger.begin(connection, file_id, "boot", 42, NOW)
    assert ledger.reopen(connection, [file_id], now=NOW) == 1
    found = standing.entry(connection, file_id)
    assert (found.state, found.error_code) == (FileState.READY, None)


def test_reopen_leaves_a_file_to_the_worker_that_has_it(connection):
    file_id = processing(connection)
    assert ledger.reopen(connection, [file_id], now=NOW) == 0
    assert state_of(connection, file_id) is FileState.PROCESSING


def test_interrupted_files_are_ready_at_start_and_none_is_blamed(connection):
    file_id = processing(connection)
    assert ledger.recover(connection, SOON) == 1
    found = standing.entry(connection, file_id)
    assert (found.state, found.attempts, found.child_deaths) == (FileState.READY, 0, 0)


def test_deaths_of_children_are_counted_until_the_file_changes(connection):
    file_id = processing(connection)
    assert ledger.child_died(connection, file_id) == 1
    ledger.begin(connection, file_id, "boot", 42, NOW)
    assert ledger.child_died(connection, file_id) == 2
    sightings.observe(connection, [arrival(mtime_ns=2)], None, NOW)
    assert standing.entry(connection, file_id).child_deaths == 0


def test_a_file_given_back_is_ready_without_blame(connection):
    file_id = processing(connection)
    ledger.release(connection, file_id)
    found = standing.entry(connection, file_id)
    assert (found.state, found.attempts) == (FileState.READY, 0)


def test_an_unknown_file_is_an_error(connection):
    with pytest.raises(LedgerError, match="no file 99"):
        ledger.release(connection, 99)
    assert standing.entry_at(connection, b"/nowhere") is None


def test_counts_are_of_one_session_or_of_all(connection, session_id):
    done(connection, "a.dm4", result(), session_id=session_id)
    see(connection, arrival("b.dm4"))
    assert standing.counts(connection).seen == 2
    assert standing.counts(connection, session_id).seen == 1
    assert standing.counts(connection, session_id).done == 1


def test_next_and_unfinished_can_be_asked_of_a_few_files_or_folders(connection):
    first, second = see(connection, arrival("1"), arrival("2", root=b"/other"))
    assert [e.source_file_id for e in standing.next_ready(connection, NOW, 9, only=[second])] == [
        second
    ]
    assert standing.unfinished(connection, roots=[b"/data"]) == 1
    assert standing.unfinished(connection, only=[first, second]) == 2


def test_what_failed_is_found_by_path(connection):
    waiting, refused, fine = see(connection, arrival("w"), arrival("r"), arrival("f"))
    ledger.retry_later(connection, waiting, "truncated", "Ends early.", SOON, NOW)
    ledger.refuse(connection, refused, "spectrum", "A spectrum.", NOW)
    assert standing.waiting(connection, [b"/data"]) == (waiting,)
    assert standing.waiting(connection, [b"/elsewhere"]) == ()
    assert set(standing.failed(connection)) == {waiting, refused}
    assert standing.failed(connection, [b"/data/r", b"/data/f"]) == (refused,)
    assert fine not in standing.failed(connection)


def test_what_is_said_by_hand_outlives_a_retry_until_something_else_is_said(connection):
    (file_id,) = see(connection, arrival())
    said = ByHand(priority=2, forced=True, pixel_size_nm=0.03)
    ledger.reopen(connection, [file_id], now=NOW, by_hand=said)
    ledger.reopen(connection, [file_id], now=NOW)
    kept = standing.entry(connection, file_id)
    assert (kept.priority, kept.forced, kept.pixel_size_nm) == (2, True, 0.03)
    ledger.reopen(connection, [file_id], now=NOW, by_hand=ByHand())
    assert standing.entry(connection, file_id).pixel_size_nm is None


def test_a_file_given_up_after_three_tries_counts_again_once_it_changes(connection):
    (file_id,) = see(connection, arrival())
    for _ in range(3):
        ledger.retry_later(connection, file_id, "io_error", "Cannot be read.", SOON, NOW)
    assert standing.unfinished(connection, patience=3) == 0
    assert standing.unfinished(connection) == 1
    see(connection, arrival(size_bytes=99))
    assert standing.unfinished(connection, patience=3) == 1
