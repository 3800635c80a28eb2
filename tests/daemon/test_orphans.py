"""Masks that a killed daemon left without a row end up with one, or go."""

import os
import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from daemon import orphans
from daemon.ladder import Step
from daemon.orphans import Leftovers, settle_orphans
from daemon.outcomes import FileJob, Outcome, OutcomeKind
from daemon.verdicts import Verdict
from daemon.walk import single
from schema import ledger, queries, sightings, standing, store
from schema.checkup import strays
from schema.records import PENDING_STATES, ArrivalRecord, FileState, ResultRecord
from schema.state import StateFolder
from tests.daemon.moments import NOW
from tests.schema.examples import leave_masks, origin, particle, result

LATER = NOW + timedelta(hours=1)


@pytest.fixture
def raw(folder: Path) -> Path:
    """A raw file."""
    path = folder / "a.dm4"
    path.write_text("x")
    return path


def leave(state: StateFolder, raw: Path, results: int = 1) -> Path:
    """The mask file of the last result of this raw file, without a row."""
    record = result(particles=(particle(),))
    status = raw.stat()
    came_from = replace(
        origin(),
        path=os.fsencode(raw),
        root=os.fsencode(raw.parent),
        size_bytes=status.st_size,
        mtime_ns=status.st_mtime_ns,
        results=results,
    )
    return leave_masks(state, record, came_from)


def see(owner: Engine, raw: Path) -> int:
    """The raw file is ready."""
    arrival = single(os.fsencode(raw))
    with owner.begin() as connection:
        (sighting,) = sightings.observe(connection, [arrival], None, NOW)
        ledger.ready(connection, sighting.source_file_id, arrival, NOW)
    return sighting.source_file_id


def without_rows(owner: Engine, state: StateFolder) -> int:
    with owner.connect() as connection:
        return len(strays(connection, state).without_rows)


@pytest.mark.parametrize("was_seen", [True, False])
def test_results_of_a_raw_file_that_has_gone_become_rows(owner, state, raw, was_seen):
    leave(state, raw)
    if was_seen:
        see(owner, raw)
    raw.unlink()
    settle_orphans(owner, state, LATER)
    with owner.connect() as connection:
        entry = standing.entry_at(connection, os.fsencode(raw))
        found = queries.micrographs(connection, [entry.source_file_id])
    assert (entry.state, entry.present) == (FileState.DONE, False)
    assert [one.particle_count for one in found] == [1]
    assert without_rows(owner, state) == 0


def test_of_a_series_that_was_cut_short_the_rest_is_not_given_up(owner, state, raw):
    """Its share may only be away: once it is back, the file has its turn."""
    leave(state, raw, results=2)
    file_id = see(owner, raw)
    away = raw.rename(raw.with_suffix(".away"))
    settle_orphans(owner, state, LATER)
    with owner.begin() as connection:
        entry = standing.entry(connection, file_id)
        assert (entry.state, entry.present) == (FileState.READY, False)
        assert queries.micrographs(connection, [file_id])[0].mask_path is not None
        assert standing.next_ready(connection, LATER, 1) == ()
    away.rename(raw)
    with owner.begin() as connection:
        sightings.observe(connection, [single(os.fsencode(raw))], None, LATER)
        entry = standing.entry(connection, file_id)
    assert (entry.present, entry.state in PENDING_STATES) == (True, True)


def test_results_of_a_raw_file_that_is_there_wait_for_its_next_attempt(owner, state, raw):
    path = leave(state, raw)
    file_id = see(owner, raw)
    settle_orphans(owner, state, LATER)
    assert path.exists()
    with owner.connect() as connection:
        assert standing.entry(connection, file_id).state is FileState.READY


def test_results_wait_where_the_whole_folder_is_away(owner, state, raw):
    path = leave(state, raw)
    see(owner, raw)
    raw.parent.rename(raw.parent.with_name("away"))
    settle_orphans(owner, state, LATER)
    assert path.exists()
    assert without_rows(owner, state) == 1


@pytest.mark.parametrize("judge", [ledger.quarantine, ledger.refuse])
def test_frames_of_a_file_that_proved_unreadable_are_removed(owner, state, raw, judge):
    path = leave(state, raw)
    file_id = see(owner, raw)
    with owner.begin() as connection:
        judge(connection, file_id, "truncated", "It ends early.", NOW)
    settle_orphans(owner, state, LATER)
    assert not path.exists()
    with owner.connect() as connection:
        assert standing.entry(connection, file_id).state not in (FileState.DONE, FileState.READY)


def test_a_result_that_a_copy_has_meanwhile_is_not_needed_twice(owner, state, raw):
    path = leave(state, raw)
    file_id = see(owner, raw)
    record = result(particles=(particle(),))
    copys = replace(record, analysis=replace(record.analysis, mask_path="masks/undated/copy.h5"))
    with owner.begin() as connection:
        ledger.begin(connection, file_id, "boot", 1, NOW)
        store.commit_results(connection, file_id, "a" * 64, [copys], NOW)
    settle_orphans(owner, state, LATER)
    assert not path.exists()


def verdict(file_id: int, kind: OutcomeKind, step: Step, *made: ResultRecord) -> Verdict:
    """How an attempt ended, after it made these results."""
    arrival = ArrivalRecord(path=b"/data/a.mrc", root=b"/data", size_bytes=1, mtime_ns=1, inode=1)
    job = FileJob(source_file_id=file_id, arrival=arrival, pixel_size_nm=None, force=False)
    return Verdict(outcome=Outcome(job=job, kind=kind, made=made), step=step)


@pytest.mark.parametrize("step", [Step.COMMIT, Step.QUARANTINE, Step.REFUSE])
def test_frames_of_a_failed_attempt_are_kept_until_the_verdict(owner, state, raw, step):
    path = leave(state, raw)
    leftovers, made = Leftovers(owner, state), result(particles=(particle(),))
    leftovers.ended(verdict(1, OutcomeKind.SUSPECT, Step.RETRY, made))
    leftovers.ended(verdict(2, OutcomeKind.DONE, Step.COMMIT))
    assert path.exists()
    leftovers.ended(verdict(1, OutcomeKind.DONE, step))
    assert not path.exists()


def test_frames_that_a_row_names_are_kept(owner, state, raw):
    path = leave(state, raw)
    file_id, made = see(owner, raw), result(particles=(particle(),))
    with owner.begin() as connection:
        ledger.begin(connection, file_id, "boot", 1, NOW)
        store.commit_results(connection, file_id, "a" * 64, [made], NOW)
    Leftovers(owner, state).ended(verdict(file_id, OutcomeKind.DONE, Step.COMMIT, made))
    assert path.exists()


def test_what_was_written_anew_since_does_not_become_the_old_file(owner, state, raw):
    leave(state, raw)
    raw.write_text("something else")
    file_id = see(owner, raw)
    raw.unlink()
    settle_orphans(owner, state, LATER)
    with owner.connect() as connection:
        assert standing.entry(connection, file_id).state is FileState.READY


def test_a_mask_file_that_is_damaged_is_named_and_let_be(owner, state, raw, caplog):
    path = leave(state, raw)
    path.write_bytes(b"no HDF5")
    raw.unlink()
    settle_orphans(owner, state, LATER)
    assert path.name in caplog.text
    assert path.exists()


def test_a_share_that_does_not_answer_holds_up_no_start(owner, state, raw, monkeypatch):
    leave(state, raw)
    answers = threading.Event()
    monkeypatch.setattr(orphans, "LOOK_SECONDS", 0.1)
    monkeypatch.setattr(orphans, "_has_gone", lambda _: answers.wait(60))
    settle_orphans(owner, state, LATER)
    answers.set()
    assert without_rows(owner, state) == 1
