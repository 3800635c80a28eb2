"""Whatever happens in whatever order, every file seen is in exactly one state."""

import sqlite3
from datetime import timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from sqlalchemy import StaticPool, create_engine

from schema import ledger, sightings, store
from schema.errors import LedgerError
from schema.records import Companion, FileState
from schema.script import statements
from tests.schema.examples import NOW, arrival, result, sha256

names = st.sampled_from(("a.dm4", "b.mrc", "c.ser", "c.emi"))
ids = st.integers(1, 6)


class Ledger(RuleBasedStateMachine):
    """Verbs of the ledger in any order, on a database in memory."""

    def __init__(self):
        super().__init__()
        self.engine = create_engine(
            "sqlite://",
            creator=lambda: sqlite3.connect(":memory:", isolation_level=None),
            poolclass=StaticPool,
        )
        self.connection = self.engine.connect()
        for statement in statements("migrations", "versions", "0001_first_tables.sql"):
            self.connection.exec_driver_sql(statement)
        self.now = NOW
        self.paths: set[bytes] = set()
        self.revisions = 0

    def teardown(self):
        self.connection.close()
        self.engine.dispose()

    def attempt(self, verb, *arguments, **named):
        before = ledger.counts(self.connection)
        try:
            verb(self.connection, *arguments, **named)
        except LedgerError:
            assert ledger.counts(self.connection) == before

    @rule(name=names, size=st.integers(1, 2), with_companion=st.booleans())
    def see(self, name, size, with_companion):
        emi = Companion(path=b"/data/c.emi", size_bytes=1, mtime_ns=1)
        companions = (emi,) if with_companion and name == "c.ser" else ()
        found = arrival(name, size_bytes=size, companions=companions)
        (sighting,) = sightings.observe(self.connection, [found], None, self.now)
        self.paths.add(found.path)
        if sighting.change in (sightings.Change.NEW, sightings.Change.SUPERSEDING):
            self.revisions += 1

    @rule(file_id=ids)
    def settle(self, file_id):
        ledger.settle(self.connection, [file_id])

    @rule(file_id=ids, size=st.integers(1, 2))
    def ready(self, file_id, size):
        self.attempt(ledger.ready, file_id, arrival(size_bytes=size), self.now)

    @rule()
    def begin_next(self):
        for found in ledger.next_ready(self.connection, self.now, 1):
            ledger.begin(self.connection, found.source_file_id, "boot", 1, self.now)

    @rule(file_id=ids)
    def give_back(self, file_id):
        self.attempt(ledger.release, file_id)

    @rule(file_id=ids)
    def child_died(self, file_id):
        self.attempt(ledger.child_died, file_id)

    @rule(file_id=ids)
    def refuse(self, file_id):
        self.attempt(ledger.refuse, file_id, "spectrum", "A spectrum.", self.now)

    @rule(file_id=ids)
    def quarantine(self, file_id):
        self.attempt(ledger.quarantine, file_id, "truncated", "Ends early.", self.now)

    @rule(file_id=ids, wait=st.integers(-5, 60))
    def retry_later(self, file_id, wait):
        at = self.now + timedelta(seconds=wait)
        self.attempt(ledger.retry_later, file_id, "unreadable", "Not yet.", at, self.now)

    @rule(file_id=ids, pixels=st.sampled_from(("one", "two")))
    def commit(self, file_id, pixels):
        with self.connection.begin_nested() as savepoint:
            try:
                store.commit_results(
                    self.connection, file_id, sha256("f"), [result(pixels)], self.now
                )
            except LedgerError:
                savepoint.rollback()

    @rule(file_ids=st.lists(ids), forced=st.booleans())
    def reopen(self, file_ids, forced):
        ledger.reopen(self.connection, file_ids, now=self.now, forced=forced)

    @rule(found=st.sets(names))
    def walk_misses_some(self, found):
        paths = {b"/data/" + name.encode() for name in found}
        ledger.mark_absent(self.connection, b"/data", paths)

    @rule()
    def restart(self):
        ledger.recover(self.connection, self.now)

    @rule(seconds=st.integers(-3600, 3600))
    def clock_jumps(self, seconds):
        self.now += timedelta(seconds=seconds)

    @invariant()
    def the_ledger_adds_up(self):
        counts = ledger.counts(self.connection)
        assert counts.adds_up()
        assert counts.seen == self.revisions

    @invariant()
    def a_path_has_at_most_one_live_row(self):
        for path in self.paths:
            query = "SELECT count(*) FROM source_file WHERE path = ? AND state <> 'superseded'"
            live = self.connection.exec_driver_sql(query, (path,)).scalar_one()
            newest = ledger.entry_at(self.connection, path)
            assert newest is not None
            assert live == (newest.state is not FileState.SUPERSEDED)

    @invariant()
    def a_picture_has_one_current_result(self):
        query = "SELECT count(DISTINCT image_key) - sum(is_current) FROM analysis"
        assert self.connection.exec_driver_sql(query).scalar_one() in (None, 0)


TestLedger = Ledger.TestCase
TestLedger.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
