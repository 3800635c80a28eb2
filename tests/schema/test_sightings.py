from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schema import ledger, sightings, standing
from schema.records import Companion, FileState
from schema.sightings import Change
from tests.schema.examples import NOW, arrival, done, result, see


def observe(connection, *arrivals, session_id=None):
    return sightings.observe(connection, arrivals, session_id, NOW)


def test_a_file_seen_again_and_again_is_one_row(connection):
    (first,) = observe(connection, arrival())
    (again,) = observe(connection, arrival())
    assert (first.change, again.change) == (Change.NEW, Change.SAME)
    assert again.source_file_id == first.source_file_id
    assert standing.counts(connection).seen == 1


@pytest.mark.parametrize("change", [{"size_bytes": 2}, {"mtime_ns": 2}, {"inode": 2}])
def test_a_change_before_a_verdict_starts_the_same_row_anew(connection, change):
    (file_id,) = see(connection, arrival())
    ledger.retry_later(connection, file_id, "truncated", "Ends early.", NOW, NOW)
    (sighting,) = observe(connection, arrival(**change))
    assert (sighting.change, sighting.source_file_id) == (Change.CHANGED, file_id)
    found = standing.entry(connection, file_id)
    assert (found.state, found.attempts, found.error_code) == (FileState.SETTLING, 0, None)
    assert found.next_attempt_at_utc is None


@pytest.mark.parametrize("change", [{"size_bytes": 2}, {"mtime_ns": 2}])
def test_a_change_after_a_verdict_is_the_next_revision(connection, change):
    done(connection, "a.dm4", result())
    (sighting,) = observe(connection, arrival(**change))
    assert (sighting.change, sighting.revision) == (Change.SUPERSEDING, 2)
    counts = standing.counts(connection)
    assert (counts.superseded, counts.pending, counts.done) == (1, 1, 0)


def test_a_refused_file_that_changes_is_looked_at_again(connection):
    (file_id,) = see(connection, arrival())
    ledger.refuse(connection, file_id, "spectrum", "A spectrum.", NOW)
    (sighting,) = observe(connection, arrival(size_bytes=2))
    assert (sighting.revision, sighting.state) == (2, FileState.SEEN)


def test_a_share_mounted_again_numbers_its_files_anew_and_nothing_is_analysed_again(connection):
    done(connection, "a.dm4", result())
    (sighting,) = observe(connection, arrival(inode=99))
    assert sighting.change is Change.SAME
    assert standing.entry(connection, sighting.source_file_id).inode == 99


def test_a_file_in_work_is_compared_once_it_has_a_verdict(connection):
    (file_id,) = see(connection, arrival())
    ledger.begin(connection, file_id, "boot", 1, NOW)
    (during,) = observe(connection, arrival(size_bytes=2))
    assert (during.change, during.state) == (Change.SAME, FileState.PROCESSING)
    ledger.refuse(connection, file_id, "spectrum", "A spectrum.", NOW)
    (after,) = observe(connection, arrival(size_bytes=2))
    assert after.change is Change.SUPERSEDING


def test_a_late_companion_reopens_its_primary(connection):
    done(connection, "stack.mrc", result())
    late = arrival(
        "stack.mrc", companions=(Companion(path=b"/data/stack.mrc.mdoc", size_bytes=1, mtime_ns=1),)
    )
    (sighting,) = observe(connection, late)
    assert sighting.change is Change.SUPERSEDING


@pytest.mark.parametrize("decided", [False, True])
def test_companions_found_in_another_order_are_no_change(connection, decided):
    pair = tuple(
        Companion(path=path, size_bytes=1, mtime_ns=1) for path in (b"/data/x.emi", b"/data/x.xml")
    )
    (file_id,) = see(connection, arrival("x_1.ser", companions=pair))
    if decided:
        ledger.refuse(connection, file_id, "spectrum", "A spectrum.", NOW)
    (sighting,) = observe(connection, arrival("x_1.ser", companions=pair[::-1]))
    assert sighting.change is Change.SAME


def test_archiving_a_companion_of_a_file_with_a_verdict_changes_nothing(connection):
    mdoc = Companion(path=b"/data/a.mrc.mdoc", size_bytes=1, mtime_ns=1)
    (file_id,) = see(connection, arrival("a.mrc", companions=(mdoc,)))
    ledger.refuse(connection, file_id, "spectrum", "A spectrum.", NOW)
    (sighting,) = observe(connection, arrival("a.mrc"))
    assert sighting.change is Change.SAME


def test_a_file_that_became_a_companion_no_longer_stands_for_itself(connection):
    (alone,) = see(connection, arrival("x.emi"))
    ledger.refuse(connection, alone, "metadata_only", "Metadata alone.", NOW)
    emi = Companion(path=b"/data/x.emi", size_bytes=1000, mtime_ns=1)
    observe(connection, arrival("x_1.ser", companions=(emi,)))
    assert standing.entry(connection, alone).state is FileState.SUPERSEDED
    assert standing.counts(connection).adds_up()
    (again,) = observe(connection, arrival("x.emi"))
    assert again.revision == 2


def test_a_file_belongs_to_the_session_it_was_first_seen_in(connection, session_id):
    (sighting,) = observe(connection, arrival())
    observe(connection, arrival(), session_id=session_id)
    assert standing.entry(connection, sighting.source_file_id).session_id is None


def test_inode_numbers_of_64_bits_fit(connection):
    huge = arrival(inode=2**64 - 5)
    observe(connection, huge)
    assert observe(connection, huge)[0].change is Change.SAME


def test_names_that_are_no_text_are_kept_byte_for_byte(connection):
    odd = replace(arrival(), path=b"/data/\xff\n-%s\x1b[31m.dm4")
    (sighting,) = observe(connection, odd)
    assert standing.entry(connection, sighting.source_file_id).path == odd.path


def test_a_walk_of_many_files_is_answered_in_its_order(connection):
    arrivals = [arrival(f"{index}.dm4") for index in range(2500)]
    observe(connection, *arrivals[::2])
    seen = observe(connection, *arrivals)
    assert [sighting.path for sighting in seen] == [found.path for found in arrivals]
    assert [s.change for s in seen[:4]] == [Change.SAME, Change.NEW, Change.SAME, Change.NEW]
    assert ledger.mark_absent(connection, b"/data", {s.path for s in seen[:2400]}) == 100


@given(st.lists(st.integers(), max_size=3000))
def test_batches_hold_every_item_and_nothing_else(items):
    parts = list(sightings.batches(items))
    assert set(items) == {item for part in parts for item in part}


def test_batches_have_few_lengths():
    """Each is a statement that SQLite keeps prepared."""
    lengths = {len(part) for n in range(3000) for part in sightings.batches(range(n))}
    assert lengths == {2**power for power in range(11)}
