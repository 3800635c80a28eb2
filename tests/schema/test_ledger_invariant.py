"""Whatever happens in whatever order, every file seen is in exactly one state."""

from datetime import timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from schema import ledger, sightings, standing, store
from schema.errors import LedgerError
from schema.records import Companion, FileState
from tests.schema.examples import NOW, arrival, result, sha256
from tests.schema.memory import database_in_memory

names = st.sampled_from(("a.dm4", "b.mrc", "c.ser", "c.emi"))
picks = st.integers(0, 5)


class Ledger(RuleBasedStateMachine):
    """Verbs of the ledger in any order, on a database in memory."""

    def __init__(self):
        super().__init__()
        self.engine = database_in_memory()
        self.connection = self.engine.connect()
        self.now = NOW
        self.paths: set[bytes] = set()
        self.revisions = 0

    def teardown(self):
        self.connection.close()
        self.engine.dispose()

    def row(self, pick):
        """One of the rows there are."""
        return 1 + pick % self.revisions

    def attempt(self, verb, *arguments, **named):
        before = standing.counts(self.connection)
        try:
            verb(self.connection, *arguments, **named)
        except LedgerError:
            assert standing.counts(self.connection) == before

    @initialize(first=names)
    def first_walk(self, first):
        self.see(first, 1, False)

    @rule(name=names, size=st.integers(1, 3), with_companion=st.booleans())
    def see(self, name, size, with_companion):
        emi = Companion(path=b"/data/c.emi", size_bytes=1, mtime_ns=1)
        companions = (emi,) if with_companion and name == "c.ser" else ()
        found = arrival(name, size_bytes=size, companions=companions)
        (sighting,) = sightings.observe(self.connection, [found], None, self.now)
        self.paths.add(found.path)
        if sighting.change in (sightings.Change.NEW, sightings.Change.SUPERSEDING):
            self.revisions += 1

    @rule(pick=picks, steps=st.integers(1, 3))
    def go_on(self, pick, steps):
        row = self.row(pick)
        ledger.settle(self.connection, [row])
        if steps > 1:
            size_bytes = standing.entry(self.connection, row).size_bytes
            self.attempt(ledger.ready, row, arrival(size_bytes=size_bytes), self.now)
        if steps > 2:
            self.attempt(ledger.begin, row, "boot", 1, self.now)

    @rule()
    def begin_next(self):
        for found in standing.next_ready(self.connection, self.now, 1):
            ledger.begin(self.connection, found.source_file_id, "boot", 1, self.now)

    @rule(pick=picks, verb=st.sampled_from((ledger.refuse, ledger.quarantine)))
    def judge(self, pick, verb):
        self.attempt(verb, self.row(pick), "spectrum", "A spectrum.", self.now)

    @rule(pick=picks, verb=st.sampled_from((ledger.release, ledger.child_died)))
    def interrupt(self, pick, verb):
        self.attempt(verb, self.row(pick))

    @rule(pick=picks, wait=st.integers(-60, 60))
    def retry_later(self, pick, wait):
        at = self.now + timedelta(seconds=wait)
        self.attempt(ledger.retry_later, self.row(pick), "unreadable", "Not yet.", at, self.now)

    @rule(pick=picks, pixels=st.sampled_from(("one", "two")))
    def commit(self, pick, pixels):
        with self.connection.begin_nested() as savepoint:
            try:
                store.commit_results(
                    self.connection, self.row(pick), sha256("f"), [result(pixels)], self.now
                )
            except LedgerError:
                savepoint.rollback()

    @rule(chosen=st.lists(picks), forced=st.booleans())
    def reopen(self, chosen, forced):
        ids = [self.row(pick) for pick in chosen]
        said = ledger.ByHand(forced=forced)
        ledger.reopen(self.connection, ids, now=self.now, by_hand=said)

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
        counts = standing.counts(self.connection)
        assert counts.adds_up()
        assert counts.seen == self.revisions

    @invariant()
    def a_path_has_at_most_one_live_row(self):
        for path in self.paths:
            query = "SELECT count(*) FROM source_file WHERE path = ? AND state <> 'superseded'"
            live = self.connection.exec_driver_sql(query, (path,)).scalar_one()
            newest = standing.entry_at(self.connection, path)
            assert newest is not None
            assert live == (newest.state is not FileState.SUPERSEDED)

    @invariant()
    def a_picture_has_one_current_result(self):
        query = "SELECT count(DISTINCT image_key) - sum(is_current) FROM analysis"
        assert self.connection.exec_driver_sql(query).scalar_one() in (None, 0)


TestLedger = Ledger.TestCase
TestLedger.settings = settings(max_examples=80, stateful_step_count=30, deadline=None)
